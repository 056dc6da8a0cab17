"""What the runs of an arm do together, place by place: for pictures of several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainlens.comparison.aggregate import trimmed_mean
from trainlens.comparison.alignment import align
from trainlens.comparison.axis import Placed
from trainlens.comparison.course import courses
from trainlens.comparison.model import Arm, Key
from trainlens.run import Floats, Ints


@dataclass(frozen=True, eq=False)
class Band:
    """The runs of an arm along the axis.

    Parameters
    ----------
    at : ndarray of float64, shape (k,)
        Places that at least half of the runs reach, ascending.
    n : ndarray of int64, shape (k,)
        Runs with a point there: where it changes, means may jump.
    mean, std, iqm : ndarray of float64, shape (k,)
        Over these runs; `std` with n - 1 in the denominator, NaN with one run.
    low, high : ndarray of float64, shape (k,)
        95 % interval of the mean, place by place (Student's t); NaN with one run.
    value : ndarray of float64, shape (runs, k)
        Of each run that has the metric; NaN where it has no point.
    """

    at: Floats
    n: Ints
    mean: Floats
    std: Floats
    iqm: Floats
    low: Floats
    high: Floats
    value: Floats

    def __len__(self) -> int:
        return len(self.at)


def band(arm: Arm, key: Key, by: str = "step") -> Band:
    """Mean, scatter and interquartile mean of the runs of an arm at matched places.

    Parameters
    ----------
    arm : Arm
    key : (metric, split)
    by : str
        Axis, as in `trainlens.comparison.axis.placed`.

    Returns
    -------
    Band, of length 0 where no run has a finite point
    """
    at, value = _matched(courses(arm, key, by))
    n = (~np.isnan(value)).sum(0)
    kept = 2 * n >= len(value)
    return _banded(at[kept], n[kept].astype(np.int64), value[:, kept])


def _matched(curves: Sequence[Placed]) -> tuple[Floats, Floats]:
    """Places of the run that goes furthest (the coarsest of several), and all values there."""
    if not curves:
        return np.empty(0), np.empty((0, 0))
    grid = max(curves, key=lambda one: (float(one.at[-1]), -len(one))).at
    value = np.full((len(curves), len(grid)), np.nan)
    for row, one in zip(value, curves, strict=True):
        pairs = align(grid, one.at)
        row[pairs.left] = one.value[pairs.right]
    return grid, value


def _banded(at: Floats, n: Ints, value: Floats) -> Band:
    from scipy.special import stdtrit

    runs = len(value)
    size = float(np.nanmax(np.abs(value))) or 1.0 if value.size else 1.0
    ordered = np.sort(value / size, 0)  # NaN last
    mean, std, iqm = (np.full(len(at), np.nan) for _ in range(3))
    for count in range(1, runs + 1):
        here = n == count
        held = ordered[:count, here]
        mean[here], iqm[here] = held.mean(0), trimmed_mean(held.T)
        if count > 1:
            std[here] = held.std(0, ddof=1)
    reach = stdtrit(np.maximum(n - 1, 1), 0.975) * std / np.sqrt(n)
    low, high = (mean - reach) * size, (mean + reach) * size
    return Band(at, n, mean * size, std * size, iqm * size, low, high, value)
