"""Where logged values leave planned ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.outline import Floats, rounding

_RELATIVE = 1e-4


@dataclass(frozen=True)
class Deviation:
    """Where values are off their plan.

    Parameters
    ----------
    count : int
        Points that are off.
    first : int or None
        First of two consecutive points that are; None without such.
    last : int
        Last point that is off.
    size : float
        Largest difference as share of the largest planned value.
    factor : float or None
        Constant factor of the plan from the first point on, where there is one.
    """

    count: int = 0
    first: int | None = None
    last: int = 0
    size: float = 0.0
    factor: float | None = None


def deviation(
    step: NDArray[np.int64],
    value: Floats,
    planned: Floats,
    tolerance: float = 0.0,
    times: Floats | None = None,
) -> Deviation:
    """Compare logged values with planned ones.

    A log may count its steps from 0 or 1, so a step more or less is no deviation. One that holds
    means over an interval, or writes late, is off by up to a point everywhere: no deviation.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
        Ascending.
    value, planned : ndarray of shape (n,)
        Finite.
    tolerance : float
        Share of the planned value that is none either.
    times : ndarray of shape (n,), optional
        Known factors of the plan. Their jumps are no steps of the schedule, so they hide nothing.
    """
    known = np.ones_like(planned) if times is None else times
    whole = planned * known
    size = max(float(np.abs(whole).max()), float(np.abs(value).max()) * 1e-9, 1e-300)
    v, p = value / size, whole / size
    digit = rounding(np.abs(value)) / size if float(np.abs(value).max()) > 1e-300 else 0.0
    allowed = 1.05 * digit + (_RELATIVE + tolerance) * np.abs(p) + 1e-7
    moved = np.abs(np.diff(planned))
    scale = np.abs(known) / size
    gap = np.maximum(np.diff(step.astype(np.float64)), 1.0)
    off = np.abs(v - p) - allowed
    near = _neighbours(moved) * scale
    loose = _pairs(off > near)
    if loose is None:
        return Deviation(count=int(np.count_nonzero(off > near)))
    strict = off > 1.01 * _neighbours(moved / gap) * scale
    first = _pairs(strict)
    # Where it is off by a point all along, only what is off by more tells.
    if first is None or first < 0.05 * len(v) < loose:
        first, strict = loose, off > near
    at = np.flatnonzero(strict)
    largest = float(np.abs(v - p)[strict].max())
    return Deviation(len(at), first, int(at[-1]), largest, _factor(v[first:], p[first:], digit))


def _neighbours(moved: Floats) -> Floats:
    """For each point, the larger of what the plan moves to its left and to its right."""
    left, right = np.append(0.0, moved), np.append(moved, 0.0)
    return np.asarray(np.maximum(left, right))


def _pairs(off: NDArray[np.bool_]) -> int | None:
    """First of two consecutive points that are off; of a single point, itself."""
    if len(off) == 1:
        return 0 if off[0] else None
    both = np.flatnonzero(off[1:] & off[:-1])
    if len(both):
        return int(both[0])
    return len(off) - 1 if off[-1] and len(off) < 3 else None


def _factor(v: Floats, p: Floats, digit: float) -> float | None:
    large = np.abs(p) > 0.02
    if np.count_nonzero(large) < 3:
        return None
    ratio = v[large] / p[large]
    middle = float(np.median(ratio))
    same = float(np.abs(ratio - middle).max()) <= 2e-3 * abs(middle) + 3 * digit / 0.02
    return middle if same and abs(middle - 1) > 5e-3 else None
