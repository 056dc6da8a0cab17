"""How long steps take, and how long they wait for data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import TypeVar

__all__ = ["Times"]

T = TypeVar("T")


class Times:
    """Times of steps, of the host.

    The host runs ahead of a device, so a single step may seem short and the next one long; over a
    few steps the times are those of the device.

    Parameters
    ----------
    clock : callable
        Returns seconds that never go back.
    window : int
        Steps that `usual` looks at.
    """

    def __init__(self, clock: Callable[[], float], window: int = 100) -> None:
        self._clock = clock
        self._since: float | None = None
        self._waited = 0.0
        self._last: deque[tuple[float, float]] = deque(maxlen=window)

    @contextmanager
    def data(self) -> Iterator[None]:
        """Around what gets the next batch."""
        began = self._clock()
        if self._since is None:
            self._since = began
        try:
            yield
        finally:
            self._waited += self._clock() - began

    def timed(self, loader: Iterable[T]) -> Iterator[T]:
        """The batches of a loader; the time that each took to come is data time."""
        with self.data():
            batches = iter(loader)
        while True:
            with self.data():
                try:
                    batch = next(batches)
                except StopIteration:
                    break
            yield batch
        self.pause()

    def step(self, **done: float) -> dict[str, float]:
        """End a step; its numbers, none of the first where its beginning is not known.

        Parameters
        ----------
        **done
            What was done in it: ``samples=64`` gives ``samples_per_sec``.
        """
        now = self._clock()
        began, self._since = self._since, now
        waited, self._waited = self._waited, 0.0
        if began is None or now < began:
            return {}
        took = now - began
        self._last.append((took, waited))
        out = {"batch_time": took, "data_time": waited}
        if took > 0:
            out |= {f"{name}_per_sec": float(count) / took for name, count in done.items()}
        return out

    def pause(self) -> None:
        """The time until the next batch belongs to no step (evaluation, checkpoints)."""
        self._since, self._waited = None, 0.0

    def usual(self) -> tuple[float, float] | None:
        """Median time of the last steps, and the share of it that waited for data."""
        if not self._last:
            return None
        took, waited = (sum(column) for column in zip(*self._last, strict=True))
        return median(t for t, _ in self._last), waited / took if took > 0 else 0.0
