"""Two calls of a few microseconds, timed in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

__all__ = ["in_turns"]


def in_turns(
    theirs: Callable[[], object], ours: Callable[[], object], blocks: int, calls: int = 1
) -> tuple[float, float]:
    """Seconds a call of each.

    The median of the ratios of neighbouring blocks counts: what else the machine does hits both.

    Parameters
    ----------
    theirs, ours : callable
    blocks : int
        How often each has its turn.
    calls : int
        Of one turn.
    """
    pairs = [(_block(theirs, calls), _block(ours, calls)) for _ in range(blocks)]
    seconds = median(a for a, _ in pairs)
    return seconds, seconds / median(a / b for a, b in pairs)


def _block(call: Callable[[], object], calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begin) / calls
