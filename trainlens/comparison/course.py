"""How two runs go apart over a training: differences point by point, and their running mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.comparison.axis import Placed, placed
from trainlens.comparison.model import Arm, Comparison, Key, Row
from trainlens.run import Floats, Ints
from trainlens.stats.contrast import FEWEST, mean_contrast
from trainlens.stats.noise import lag1_autocorrelation

_PLACES = 160
"""Places at most at which the running mean is taken."""
_ENOUGH = 8192
"""Points of which running means are taken; of more, neighbours are averaged first."""
_LARGEST = 8e307
_SHARE, _LOCAL, _NORMAL = 8, 32, 1.959964
"""The running mean takes an eighth of the matched points, but not fewer than it needs."""


@dataclass(frozen=True, eq=False)
class Apart:
    """Candidate minus baseline along the axis.

    Parameters
    ----------
    at : ndarray of float64, shape (n,)
        Places on the axis, ascending.
    step : ndarray of int64, shape (n,)
        Steps of the candidate there.
    value : ndarray of float64, shape (n,)
    """

    at: Floats
    step: Ints
    value: Floats

    def __len__(self) -> int:
        return len(self.value)

    @property
    def late(self) -> int:
        """Index at which the last half of the matched points begins."""
        return len(self) // 2


@dataclass(frozen=True, eq=False)
class Running:
    """Mean of neighbouring differences, with its pointwise interval at 95 %.

    Parameters
    ----------
    at : ndarray of float64, shape (r,)
        Middle of each window.
    step : ndarray of int64, shape (r,)
    mean, low, high : ndarray of float64, shape (r,)
    window : int
        Points that each mean takes in.
    """

    at: Floats
    step: Ints
    mean: Floats
    low: Floats
    high: Floats
    window: int

    def __len__(self) -> int:
        return len(self.mean)


def courses(arm: Arm, key: Key, by: str = "step") -> list[Placed]:
    """The finite points of a metric of each run of an arm that has some, along the axis."""
    held = [placed(run, run.series[key], by) for run in arm.runs if key in run.series]
    return [one for one in held if len(one)]


def apart(comparison: Comparison, row: Row) -> Apart | None:
    """Differences at the matched points of a row.

    Returns
    -------
    Apart, or None where an arm has several runs or nothing matches
    """
    aligned = row.alignment
    if aligned is None or not len(aligned):
        return None
    arms = {arm.name: arm for arm in comparison.arms}
    left, right = (
        courses(arms[name], row.key, comparison.by) for name in (row.baseline, row.candidate)
    )
    if not left or not right:
        return None
    theirs, own = right[0], left[0]
    # Half of each first: the difference of two huge values of opposite sign is not infinite.
    half = theirs.value[aligned.right] / 2 - own.value[aligned.left] / 2
    value = 2 * np.clip(half, -_LARGEST, _LARGEST)
    return Apart(aligned.at, theirs.step[aligned.right], value)


def running(held: Apart) -> Running | None:
    """Mean difference of each stretch of neighbouring points, with its interval.

    A window of `_LOCAL` points or more is judged by its own noise and autocorrelation; of a
    shorter one both would be guesses, so it is judged by those of all differences around their
    running mean. Intervals are pointwise: one in twenty misses.

    Returns
    -------
    Running, or None with fewer than 2 `FEWEST` points
    """
    if len(held) < 2 * FEWEST:
        return None
    together = max(1, len(held) // _ENOUGH)
    held = _averaged(held, together)
    n = len(held)
    window = max(FEWEST, n // _SHARE)
    start = np.unique(np.linspace(0, n - window, min(_PLACES, n - window + 1)).round().astype(int))
    middle = start + window // 2
    size = float(np.abs(held.value).max()) or 1.0  # squares of 1e300 would overflow
    looked = _local if window >= _LOCAL else _pooled
    mean, low, high = (size * part for part in looked(held.value / size, start, window))
    return Running(held.at[middle], held.step[middle], mean, low, high, window * together)


def _averaged(held: Apart, together: int) -> Apart:
    """Means of so many neighbours, at the middle one; a rest at the start is left out."""
    if together == 1:
        return held
    rest = len(held) % together
    middle = slice(rest + together // 2, None, together)
    value = held.value[rest:].reshape(-1, together).mean(1)
    return Apart(held.at[middle], held.step[middle], value)


def _local(value: Floats, start: NDArray[np.intp], window: int) -> tuple[Floats, Floats, Floats]:
    found = [mean_contrast(value[a : a + window]) for a in start.tolist()]
    told = np.array([(m.mean, m.low, m.high) for m in found if m is not None])
    return told[:, 0], told[:, 1], told[:, 2]


def _pooled(value: Floats, start: NDArray[np.intp], window: int) -> tuple[Floats, Floats, Floats]:
    mean = np.array([value[a : a + window].mean() for a in start.tolist()])
    around = value - np.interp(np.arange(len(value)), start + (window - 1) / 2, mean)
    # The running mean takes a share of the noise with it.
    sigma = float(np.sqrt((around**2).mean() * window / (window - 1)))
    rho = max(lag1_autocorrelation(around), 0.0)
    reach = _NORMAL * sigma * float(np.sqrt((1 + rho) / (1 - rho) / window))
    return mean, mean - reach, mean + reach
