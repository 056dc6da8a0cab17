"""Noisy curves on a scale without unit, and the pace of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.blocks import Floats, block_medians
from trainlens.stats.noise import median

_RANGE_BLOCKS = 20


def scale_free(value: Floats, direction: str = "min") -> Floats:
    """Values on a scale where a difference means the same whatever the unit, lower being better.

    Positive values become logarithms, so that a difference of 0.01 is one percent; values that
    are all negative, minus the logarithm of their size. Values that reach or cross zero are
    divided by how far the curve has moved so far (its robust range): 0.01 is one percent of that.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Finite.
    direction : {"min", "max"}
        Whether lower or higher values are better.

    Returns
    -------
    ndarray of shape (n,), without unit
        Multiplying `value` by a positive constant changes no difference within it.

    Examples
    --------
    >>> scale_free(np.array([1.0, 0.5])).round(3)
    array([ 0.   , -0.693])
    """
    if not len(value):
        return np.zeros(0)
    if float(value.min()) > 0.0:
        level = np.log(value)
    elif float(value.max()) < 0.0:
        level = -np.log(-value)
    else:
        level = _by_range(value)
    return level if direction != "max" else -level


def as_share(rise: float, value: Floats, direction: str = "min") -> float:
    """A rise of the scale-free level as the share by which the values themselves got worse.

    Parameters
    ----------
    rise : float
        Difference of `scale_free` levels.
    value : ndarray of shape (n,)
        The values that they came from.
    direction : {"min", "max"}

    Returns
    -------
    float
        Of the value; where values reach or cross zero, of how far the curve has moved.

    Examples
    --------
    >>> round(as_share(np.log(1.3), np.array([1.0, 1.3])), 3)
    0.3
    """
    positive, negative = float(value.min()) > 0, float(value.max()) < 0
    if not (positive or negative):
        return rise
    grows = positive == (direction != "max")
    change = float(np.expm1(min(rise if grows else -rise, 700.0)))
    return change if grows else -change


def _by_range(value: Floats) -> Floats:
    size = float(np.max(np.abs(value)))
    if size == 0.0:
        return np.zeros(len(value))
    unit = value / size  # the range of +-1e308 does not fit a float
    middle = block_medians(np.arange(len(value), dtype=np.float64), unit, _RANGE_BLOCKS)[1]
    moved = float(middle.max() - middle.min())
    return unit / (moved if moved > 1e-12 else 1.0)


def relative(step: NDArray[np.int64]) -> Floats:
    """Steps as a share of the run, the last being 1.

    Counted from step 0, as training is, unless the log begins so late (past its half) or so
    early (below zero) that its own first step is the better origin.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
        Ascending.

    Returns
    -------
    ndarray of shape (n,), ascending within [0, 1]
    """
    place = step.astype(np.float64)
    if len(place) < 2:
        return np.ones(len(place))
    origin = 0.0 if 0 <= place[0] <= place[-1] / 2 else place[0]
    span = place[-1] - origin
    return (place - origin) / span if span > 0 else np.linspace(0.0, 1.0, len(place))


def theil_sen(x: Floats, y: Floats, most: int = 200) -> float:
    """Median slope over all pairs of points (Theil 1950, Sen 1968), for reporting.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Finite; `x` ascending.
    most : int
        Longer series are first condensed to this many block medians.

    Returns
    -------
    float, unit of `y` by unit of `x`; 0 without two different places
    """
    bx, by = block_medians(x, y, most)
    i, j = np.triu_indices(len(bx), 1)
    run = bx[j] - bx[i]
    apart = run > 0
    return median((by[j] - by[i])[apart] / run[apart]) if apart.any() else 0.0
