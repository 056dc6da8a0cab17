"""Trends of noisy curves: scale-free values, block medians, slopes with honest errors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.noise import MAD_TO_SIGMA, lag1_autocorrelation

Floats = NDArray[np.float64]

BLOCKS = 20
"""Block medians that a slope is fitted to."""


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
    middle = block_medians(np.arange(len(value), dtype=np.float64), unit, BLOCKS)[1]
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


def block_medians(x: Floats, y: Floats, count: int) -> tuple[Floats, Floats]:
    """Mean place and median value of `count` nearly equal blocks of consecutive points.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Finite; `x` ascending.
    count : int
        Fewer points than this are returned as they are.

    Returns
    -------
    x, y : ndarray of shape (min(count, n),)
    """
    n = len(y)
    if n <= count:
        return x, y
    edge = np.linspace(0, n, count + 1).astype(np.intp)
    size = int(edge[1])
    if (np.diff(edge) == size).all():
        return x.reshape(count, size).mean(axis=1), np.median(y.reshape(count, size), axis=1)
    middle = np.array([np.median(y[a:b]) for a, b in pairwise(edge)])
    return np.add.reduceat(x, edge[:-1]) / np.diff(edge), middle


def block_levels(x: Floats, y: Floats, count: int) -> tuple[Floats, Floats]:
    """As `block_medians`, but with means of values clipped to 3 robust deviations of their block.

    As safe from outliers as medians, without their 25 % larger error under normal noise.
    """
    n = len(y)
    if n < 3 * count:
        return block_medians(x, y, count)
    bx, middle = block_medians(x, y, count)
    edge = np.linspace(0, n, count + 1).astype(np.intp)
    away = y - np.repeat(middle, np.diff(edge))
    limit = 3 * MAD_TO_SIGMA * float(np.median(np.abs(away)))
    total = np.add.reduceat(np.clip(away, -limit, limit), edge[:-1])
    return bx, middle + total / np.diff(edge)


def condense(x: Floats, y: Floats, count: int = 2000) -> tuple[Floats, Floats]:
    """`block_medians` for long series only: what is judged by blocks need not keep every point."""
    if len(y) < 2 * count:
        return x, y
    size = len(y) // count
    head = len(y) - size * count  # the odd ones at the start, where a curve is steep, stay single
    bx, by = block_medians(x[head:], y[head:], count)
    return np.concatenate([x[:head], bx]), np.concatenate([y[:head], by])


def t_quantile(z: float, dof: float) -> float:
    """Student quantile at the probability that a normal one has at `z` (Hill's expansion).

    Parameters
    ----------
    z : float
        Standard normal deviate.
    dof : float
        Degrees of freedom, at least 1.

    Returns
    -------
    float
        Within 2 % for `dof` of 4 and more, z up to 3.
    """
    d = max(dof, 1.0)
    return (
        z
        + (z**3 + z) / (4 * d)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * d**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * d**3)
    )


@dataclass(frozen=True)
class Gain:
    """How far a curve fell within a window.

    Parameters
    ----------
    value : float
        Fall along the fitted line; negative where the curve rose.
    error : float
        Its standard error, inflated for autocorrelation.
    dof : float
        Degrees of freedom of `error`: fewer where the residuals are autocorrelated.
    """

    value: float
    error: float
    dof: float

    def lower(self, z: float = 1.645) -> float:
        """One-sided lower bound; 1.645 is 95 %."""
        return self.value - t_quantile(z, self.dof) * self.error

    def upper(self, z: float = 1.645) -> float:
        """One-sided upper bound; 1.645 is 95 %."""
        return self.value + t_quantile(z, self.dof) * self.error


def gain(x: Floats, y: Floats, first: float, last: float, least: int = 5) -> Gain | None:
    """Fall of a curve over the window [first, last], by a line through 20 block medians.

    The error is inflated by sqrt((1 + rho) / (1 - rho)), rho being the bias-corrected lag-1
    autocorrelation of the residuals within [0, 0.8].

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Finite; `x` ascending.
    first, last : float
        Ends of the window, unit of `x`.
    least : int
        Fewer points, or points at fewer than 3 places, give None.

    Returns
    -------
    Gain or None
    """
    a, b = np.searchsorted(x, first, "left"), np.searchsorted(x, last, "right")
    if b - a < max(least, 3):
        return None
    bx, by = block_levels(x[a:b], y[a:b], BLOCKS)
    away = bx - bx.mean()
    spread = float(away @ away)
    if spread <= 0.0:
        return None
    centre = by - by.mean()
    slope = float(away @ centre) / spread
    rest = centre - slope * away
    dof = len(bx) - 2
    rho = _residual_autocorrelation(rest)
    inflation = (1 + rho) / (1 - rho)
    error = np.sqrt(float(rest @ rest) / dof / spread * inflation)
    width = last - first
    # A line through a curve leaves autocorrelated residuals too: not all of it is lost freedom.
    return Gain(-slope * width, float(error) * width, max(min(5.0, dof), dof / inflation))


def _residual_autocorrelation(rest: Floats) -> float:
    # Taking out a line costs about 1 / n more than taking out a mean, which is corrected there.
    return float(np.clip(lag1_autocorrelation(rest) + 1 / len(rest), 0.0, 0.8))


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
    return float(np.median((by[j] - by[i])[apart] / run[apart])) if apart.any() else 0.0
