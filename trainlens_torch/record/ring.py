"""Metrics that stay on the device until the host can have them without waiting."""

from __future__ import annotations

import threading
import time as _time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainlens_torch.record._ring_page import Page, Row, copy
from trainlens_torch.record._ring_pool import Batch, Pool
from trainlens_torch.record._ring_transport import Transport, transport_of

__all__ = ["Arrived", "DeviceRing"]

_PAUSE = 0.001


class Arrived(NamedTuple):
    """The values of one `DeviceRing.put`, now that the host has them.

    Parameters
    ----------
    step, time, tag
        As they were given.
    values : dict of names to float
        By name, in the order given; NaN and infinities are kept.
    """

    step: int
    time: float
    values: dict[Any, float]
    tag: Any


class DeviceRing:
    """Takes scalars that a device computes, and gives their values once they have come.

    `put` copies them into a page on the device and never waits. A page that holds `every` rows, is
    full, or is `max_age` seconds old is copied to pinned memory on a side stream; `ready` asks
    whether that copy is done, and never waits either. Each row keeps its own step and time, rows
    come in the order of `put`, each once, whatever names they have.

    No value that was not read is ever written over. Where the host falls so far behind that all
    pages are on their way, or `backlog` rows wait for `ready`, further rows are dropped and
    counted.

    One thread puts; one other (or the same) takes. Tensors are read by the current stream at
    `put`: outputs of a CUDA graph may be put after each replay, and are copied before the next one
    can change them. On the CPU and on devices other than CUDA it works with plain copies.

    Parameters
    ----------
    device : torch.device or str
        Of all tensors that are put.
    every : int
        Rows of a page.
    max_age : float
        Seconds that a row waits for others before its page is sent.
    pages : int
        Pages, of which all but one may be on their way.
    width : int
        Values of a page to begin with; rows with more values make wider pages.
    backlog : int
        Rows on the host that may wait for `ready`.
    clock, sleep : callable
        Monotonic seconds, and how `drain` waits between two questions.
    transport : Transport, optional
        How pages come to the host, by default what suits the device.

    Notes
    -----
    The slots are float64, which holds every value of bool, float and of integers up to 2**53
    exactly (float32 on MPS, which knows no float64). Tensors of one dtype are copied by one kernel.

    Examples
    --------
    >>> ring = DeviceRing("cpu")
    >>> ring.put(7, {"loss": torch.tensor(0.5), "count": torch.tensor(3)}, time=100.0)
    True
    >>> ring.drain()
    [Arrived(step=7, time=100.0, values={'loss': 0.5, 'count': 3.0}, tag=None)]
    """

    def __init__(
        self,
        device: torch.device | str,
        *,
        every: int = 32,
        max_age: float = 0.2,
        pages: int = 8,
        width: int = 1024,
        backlog: int = 100_000,
        clock: Callable[[], float] = _time.monotonic,
        sleep: Callable[[float], None] = _time.sleep,
        transport: Transport | None = None,
    ) -> None:
        for name, value in {
            "every": every, "pages": pages, "width": width, "backlog": backlog
        }.items():  # fmt: skip
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, not {value}")
        # With its index, as tensors tell it.
        self.device = torch.empty(0, device=device).device
        self.every = every
        self.max_age = max_age
        self.dropped = 0
        self._clock, self._sleep = clock, sleep
        self._transport = transport or transport_of(self.device)
        self._sizes = (pages, width, backlog)
        self._names: tuple[Any, ...] = ()
        self._clear()

    def __len__(self) -> int:
        """Rows that were put and not yet given."""
        with self._lock:
            return len(self._pool)

    def put(self, step: int, tensors: Mapping[Any, Tensor], time: float, tag: Any = None) -> bool:
        """Take the values that tensors have at this point of the current stream.

        Parameters
        ----------
        step : int
        tensors : mapping of names to Tensor
            Of one element each, on the device of the ring; any real dtype.
        time : float
            Unix seconds.
        tag : object
            Comes back with the values.

        Returns
        -------
        bool
            False where the row was dropped.

        Raises
        ------
        ValueError
            A tensor of another device, of several elements, or complex. Nothing was taken.
        RuntimeError
            A CUDA graph is being captured. Nothing was taken.
        """
        scalars = [self._scalar(name, tensor) for name, tensor in tensors.items()]
        with self._lock:
            if not self._transport.free():
                raise RuntimeError(
                    "tensors cannot be logged while a CUDA graph is captured; log them after its "
                    "replay"
                )
            self._putter = threading.get_ident()
            page = self._pool.room(len(scalars))
            if page is None:
                self.dropped += 1
                return False
            self._transport.open(page)
            slots = page.slots(len(scalars))
            with torch.no_grad():
                copy(slots, scalars)
            self._transport.wrote(page)
            self._taken(page, Row(step, time, self._interned(tensors), tag))
        return True

    def ready(self) -> list[Arrived]:
        """Rows whose values have come since the last call, in the order of `put`; may be none.

        Raises
        ------
        RuntimeError
            The device has failed.
        """
        with self._lock:
            if self._may_ask():
                if self._pool.page is not None and self._old(self._pool.page):
                    self._pool.send()
                self._pool.collect()
            batches = self._pool.given()
        return [row for rows, values in batches for row in _told(rows, values)]

    def drain(self, timeout: float = 5.0) -> list[Arrived]:
        """Send what is there and wait for it.

        Parameters
        ----------
        timeout : float
            Seconds. What has not come by then is left for the next call.

        Returns
        -------
        list of Arrived
        """
        end = self._clock() + timeout
        batches: list[Batch] = []
        while True:
            with self._lock:
                self._pool.send()
                self._pool.collect()
                batches += self._pool.given()
                left = self._pool.flying
            if not left or self._clock() >= end:
                return [row for rows, values in batches for row in _told(rows, values)]
            self._sleep(_PAUSE)

    def forget(self) -> None:
        """Drop all rows without a word to the device, as a forked child has to."""
        self._clear()

    def _clear(self) -> None:
        # A lock of its own: in a forked child the old one may be held for ever.
        self._lock = threading.Lock()
        self._pool = Pool(self._transport, self.every, *self._sizes)
        self._putter = threading.get_ident()

    def _scalar(self, name: Any, tensor: Tensor) -> Tensor:
        if tensor.device != self.device:
            raise ValueError(f"{name!r} is on {tensor.device}, the ring on {self.device}")
        if tensor.numel() != 1:
            raise ValueError(f"{name!r} has shape {tuple(tensor.shape)}, a metric one value")
        if tensor.is_complex():
            raise ValueError(f"{name!r} is complex; log its absolute value or its parts")
        return tensor if tensor.dim() == 0 else tensor.detach().reshape(())

    def _interned(self, tensors: Mapping[Any, Tensor]) -> tuple[Any, ...]:
        names = tuple(tensors)
        if names != self._names:
            self._names = names
        return self._names

    def _taken(self, page: Page, row: Row) -> None:
        if not page.rows:
            page.since = self._clock()
        page.take(row)
        if len(page.rows) < self.every and not self._old(page):
            return
        self._pool.send()
        if not self._transport.anywhere:
            self._pool.collect()

    def _old(self, page: Page) -> bool:
        return bool(page.rows) and self._clock() - page.since >= self.max_age

    def _may_ask(self) -> bool:
        here = self._transport.anywhere or threading.get_ident() == self._putter
        return here and self._transport.free()


def _told(rows: list[Row], values: list[float]) -> Iterator[Arrived]:
    start = 0
    for step, time, names, tag in rows:
        end = start + len(names)
        yield Arrived(step, time, dict(zip(names, values[start:end], strict=True)), tag)
        start = end
