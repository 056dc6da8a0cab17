"""How long a step takes, where a log tells only the time of each record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.blocks import Floats
from trainlens.stats.noise import median
from trainlens.stats.shift import Shift, lasting_shift

_PAUSE = 10.0


@dataclass(frozen=True)
class Slowing:
    """Steps that began to take longer.

    Parameters
    ----------
    first, behind : int
        Indices of the records between which they did.
    usual, slow : float
        Seconds a step took before, and then; pauses left out.
    score, share : float
        See `trainlens.stats.shift.Shift`.
    lasts : bool
        Whether it reaches the end.
    regular : bool
        Whether records come so regularly, and times are so fine, that nothing else explains it.
    """

    first: int
    behind: int
    usual: float
    slow: float
    score: float
    share: float
    lasts: bool
    regular: bool

    @property
    def ratio(self) -> float:
        """How many times as long they took."""
        return self.slow / self.usual


@dataclass(frozen=True)
class Pace:
    """Seconds between records of one attempt, by the steps between them.

    Parameters
    ----------
    record : ndarray of int, shape (m,)
        Index of the record that ends each interval.
    steps, seconds : ndarray of shape (m,)
    regular : bool
        See `Slowing`.
    """

    record: NDArray[np.intp]
    steps: Floats
    seconds: Floats
    regular: bool

    @property
    def usual(self) -> float:
        """Seconds a step takes, its median; 0 where most records share their time."""
        return median(self.seconds / self.steps)


def pace(step: NDArray[np.int64], time: Floats, attempt: NDArray[np.int64]) -> Pace | None:
    """Intervals between the records of a series, in file order.

    Parameters
    ----------
    step, attempt : ndarray of int64, shape (n,)
    time : ndarray of shape (n,)
        Seconds; NaN where unknown.

    Returns
    -------
    Pace or None
        None where fewer than 2 records of the same attempt have times.
    """
    known = np.flatnonzero(np.isfinite(time))
    if len(known) < 2:
        return None
    steps, seconds = np.diff(step[known].astype(np.float64)), np.diff(time[known])
    kept = (steps > 0) & (seconds >= 0) & (np.diff(attempt[known]) == 0)
    if not kept.any():
        return None
    steps, seconds = steps[kept], seconds[kept]
    usual = median(steps)
    regular = (
        float(np.mean(steps == usual)) >= 0.95
        and float(np.mean(seconds == 0)) < 0.01
        and bool((attempt[known] == attempt[known[0]]).all())
        and len(np.unique(seconds[:1000])) >= min(20, len(seconds) // 4)
    )
    return Pace(known[1:][kept], steps, seconds, regular)


def slowing(known: Pace, factor: float) -> Slowing | None:
    """A lasting stretch in which steps take `factor` times as long as usual, by both measures.

    By the median interval, which pauses do not move, and by the time that many steps took
    together, which records that are written in bursts do not move.
    """
    single = known.seconds / known.steps
    some = np.flatnonzero(single > 0)
    if len(some) < 0.5 * len(single):
        return None
    found = lasting_shift(np.log(single[some]), float(np.log(factor)))
    if found is None or found.stretches > 2:
        return None
    first, behind = int(some[found.first]), int(some[found.behind - 1]) + 1
    usual, slow = _together(known, first, behind)
    if usual <= 0 or slow < factor * usual:
        return None
    return _told(known, found, first, behind, usual, slow)


def _together(known: Pace, first: int, behind: int) -> tuple[float, float]:
    """Seconds a step outside of a stretch of intervals and within it, without pauses."""
    single = known.seconds / known.steps
    within = np.zeros(len(single), bool)
    within[first:behind] = True
    out = []
    for part in (~within, within):
        kept = part & (single <= _PAUSE * max(median(single[part]), 1e-300))
        out.append(float(known.seconds[kept].sum() / max(known.steps[kept].sum(), 1.0)))
    return out[0], out[1]


def _told(known: Pace, found: Shift, first: int, behind: int, usual: float, slow: float) -> Slowing:
    return Slowing(
        max(int(known.record[first]) - 1, 0),
        int(known.record[behind - 1]),
        usual,
        slow,
        found.score,
        found.share,
        found.lasts,
        known.regular,
    )
