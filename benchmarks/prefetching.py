"""How much of the time of the data a prefetcher hides behind the step.

Run with ``python -m benchmarks prefetching``. A batch takes 5 ms and a step takes 5 ms, so at best
a loop takes half as long. The data either wait, as for a disk, or compute, as a decoder does, and
so leave Python's lock; in Python alone nothing is won, and that is a row as well. The same loop
over the loader itself is run in turns with it; the median of the ratios of neighbours counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from benchmarks.table import Row

_DATA, _STEP = 0.005, 0.005
_BATCHES, _BLOCKS = 60, 9


def results(quick: bool = False) -> list[Row]:
    """A row for each kind of data."""
    batches, blocks = (10, 1) if quick else (_BATCHES, _BLOCKS)
    return [_row(data, step, batches, blocks, goal, note) for data, step, goal, note in _cases()]


Making = Callable[[float], Callable[[], Any]]


def _cases() -> list[tuple[Making, Making, str, str]]:
    one = "one thread of torch"
    return [
        (_waiting, _waiting, ">= 1.6x", ""),
        (_waiting, _computing, ">= 1.6x", one),
        (_computing, _waiting, ">= 1.6x", one),
        (_computing, _computing, "", f"{one}; needs two free cores"),
        (_python, _waiting, "", "the lock is free while the step waits"),
        (_python, _python, "", "both need the lock: give the loader workers"),
    ]


def _row(data: Making, step: Making, batches: int, blocks: int, goal: str, note: str) -> Row:
    import torch

    from trainlens_torch.data import Prefetcher

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    loader = _Loader(data(_DATA), batches)
    ahead, train = Prefetcher(loader), step(_STEP)
    pairs = [(_loop(loader, train), _loop(ahead, train)) for _ in range(blocks)]
    torch.set_num_threads(before)
    # The ratio of neighbours counts, so that what else the machine does hits both.
    speed, seconds = median(a / b for a, b in pairs), median(a for a, _ in pairs)
    each = seconds / batches * 1e3
    work = f"`Prefetcher`: data {_NAMES[data]}, step {_NAMES[step]}"
    told = f"per batch; {note}" if note else "per batch"
    return Row(work, "the loader", each, each / speed, goal, told, unit="ms")


class _Loader:
    def __init__(self, make: Callable[[], Any], batches: int) -> None:
        self.make, self.batches = make, batches

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.batches):
            yield self.make()


def _loop(loader: Any, step: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    for _ in loader:
        step()
    return time.perf_counter() - begin


def _waiting(seconds: float) -> Callable[[], Any]:
    return lambda: time.sleep(seconds)


def _computing(seconds: float) -> Callable[[], Any]:
    """Products of matrices, which leave Python's lock."""
    import torch

    one = torch.randn(256, 256)
    return lambda: _until(seconds, lambda: one @ one)


def _python(seconds: float) -> Callable[[], Any]:
    return lambda: _until(seconds, lambda: sum(range(1000)))


def _until(seconds: float, work: Callable[[], Any]) -> None:
    """Work until this thread itself, not the clock, has spent so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        work()


_NAMES: dict[Making, str] = {_waiting: "wait", _computing: "compute", _python: "plain Python"}
