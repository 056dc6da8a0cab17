"""Time that a training takes for itself, whatever else the machine is busy with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class OwnTime:
    """A clock of what the loop computes and what it waits for its data.

    What other processes take away is left out: a story has to be the same on a busy machine.

    Parameters
    ----------
    wall, busy : callable
        Seconds that have passed, and seconds that this thread computed.

    Examples
    --------
    >>> clock = OwnTime(wall=iter([10.0, 13.0]).__next__, busy=iter([1.0, 1.5, 2.0]).__next__)
    >>> next(clock.waiting(["a batch"]))
    'a batch'
    >>> clock()  # 2 s of computing, and 2.5 of the 3 s until the batch came
    4.5
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.perf_counter,
        busy: Callable[[], float] = time.thread_time,
    ) -> None:
        self._wall, self._busy, self._waited = wall, busy, 0.0

    def __call__(self) -> float:
        """Seconds; they never go back."""
        return self._busy() + self._waited

    def waiting(self, loader: Iterable[T]) -> Iterator[T]:
        """The batches of a loader."""
        batches = iter(loader)
        while True:
            began, computed = self._wall(), self._busy()
            try:
                batch = next(batches)
            except StopIteration:
                return
            passed = self._wall() - began
            self._waited += max(0.0, passed - (self._busy() - computed))
            yield batch
