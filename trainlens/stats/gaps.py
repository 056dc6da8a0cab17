"""Pauses in a sequence of times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.blocks import Floats

_START = 3


@dataclass(frozen=True)
class Gaps:
    """Intervals that are far longer than the usual one.

    Parameters
    ----------
    usual : float
        Seconds between records, where most of the time passes.
    limit : float
        Longer intervals are gaps.
    before : ndarray of int, shape (m,)
        Index of the record before each gap; the record behind it is `after`.
    after : ndarray of int, shape (m,)
    seconds : ndarray of shape (m,)
    span : float
        Seconds of all intervals together.
    """

    usual: float
    limit: float
    before: NDArray[np.intp]
    after: NDArray[np.intp]
    seconds: Floats
    span: float


def gaps(time: Floats, attempt: NDArray[np.int64], least: float, times: float) -> Gaps | None:
    """Intervals above `least` seconds and above `times` the usual interval, within an attempt.

    The usual interval is the one in which half of the time has passed, the three longest left
    out: records that are written in bursts are as far apart as their bursts are. The first three
    intervals, or the first hundredth, are no gaps: a start takes its time.

    Parameters
    ----------
    time : ndarray of shape (n,)
        Seconds, in file order; NaN where unknown.
    attempt : ndarray of int64, shape (n,)
    least, times : float

    Returns
    -------
    Gaps or None
        None with fewer than 8 intervals between different times.
    """
    known = np.flatnonzero(np.isfinite(time))
    if len(known) < 2:
        return None
    seconds = np.diff(time[known])
    kept = np.flatnonzero((np.diff(attempt[known]) == 0) & (seconds >= 0))
    seconds = seconds[kept]
    usual = _usual(seconds[seconds > 0])
    if usual is None:
        return None
    limit = max(least, times * usual)
    at = np.flatnonzero(seconds > limit)
    at = at[at >= max(_START, len(seconds) // 100)]
    before, after = known[kept[at]], known[kept[at] + 1]
    return Gaps(usual, limit, before, after, seconds[at], float(seconds.sum()))


def _usual(seconds: Floats) -> float | None:
    ordered = np.sort(seconds)[:-3]
    if len(ordered) < 5:
        return None
    passed = np.cumsum(ordered)
    return float(ordered[int(np.searchsorted(passed, passed[-1] / 2))])
