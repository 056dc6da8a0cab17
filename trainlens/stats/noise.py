"""How noisy a curve is: scales that a trend or a few outliers do not disturb."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from trainlens.stats import _native
except ImportError:  # no compiler when this was installed
    _native = None  # type: ignore[assignment]

Floats = NDArray[np.float64]

MAD_TO_SIGMA = 1.482602218505602
"""Standard deviation of normal noise with a median absolute deviation of 1."""


def median(value: NDArray[Any]) -> float:
    """Median of finite values, NaN without any: `numpy.median` without its cost for short ones.

    Parameters
    ----------
    value : ndarray of shape (n,)
    """
    if _native is not None and value.dtype == np.float64:
        return _native.median(np.ascontiguousarray(value))
    if not len(value):
        return float("nan")
    half = len(value) // 2
    part = value.copy()
    part.partition(half)
    if len(value) % 2:
        return float(part[half])
    return float((part[:half].max() + part[half]) / 2)


def robust_scale(value: Floats) -> float:
    """Standard deviation estimated as 1.4826 MAD.

    Parameters
    ----------
    value : ndarray of shape (n,)
        NaN and infinities are left out.

    Returns
    -------
    float, same unit as `value`; NaN without any finite value

    Examples
    --------
    >>> round(robust_scale(np.array([1.0, 2.0, 3.0, 4.0, 100.0])), 4)
    1.4826
    """
    if _native is not None:
        return MAD_TO_SIGMA * _native.deviation(np.ascontiguousarray(value, np.float64))
    good = _finite(value)
    if not len(good):
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        return MAD_TO_SIGMA * median(np.abs(good - median(good)))


def second_difference_noise(value: Floats) -> float:
    """Noise of a curve from point to point, with the trend taken out.

    The second difference of a straight line is 0 and that of white noise has 6 times its
    variance, so 1.4826 MAD(second difference) / sqrt(6) is the noise whatever the trend.
    Positively autocorrelated noise comes out too small: it is noise from point to point.

    Parameters
    ----------
    value : ndarray of shape (n,)
        NaN and infinities are left out; their neighbours become neighbours.

    Returns
    -------
    float, same unit as `value`; NaN with fewer than 4 finite values
    """
    if _native is not None:
        bend = _native.bend(np.ascontiguousarray(value, np.float64))
        return MAD_TO_SIGMA * bend / math.sqrt(6.0)
    good = _finite(value)
    if len(good) < 4:
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        bend = median(np.abs(np.diff(good, 2)))
    return MAD_TO_SIGMA * bend / math.sqrt(6.0)


def lag1_autocorrelation(value: Floats) -> float:
    """Lag-1 autocorrelation with its small-sample bias taken out.

    The plain estimate r of n points around their mean is too small by about (1 + 4 r) / n
    (Kendall 1954, doi:10.2307/2332719), which is added.

    Parameters
    ----------
    value : ndarray of shape (n,)
        NaN and infinities are left out. Take a trend out first: it looks like autocorrelation.

    Returns
    -------
    float in [-0.99, 0.99]; 0 with fewer than 3 finite values or without any variation
    """
    if _native is not None:
        return _native.lag1(np.ascontiguousarray(value, np.float64))
    good = _finite(value)
    n = len(good)
    if n < 3:
        return 0.0
    size = float(np.abs(good).max())
    if size == 0.0:
        return 0.0
    deviation = good / size  # squares of 1e300 would overflow
    deviation -= np.add.reduce(deviation) / n
    power = float(deviation @ deviation)
    if power <= n * 1e-30:
        return 0.0
    r = float(deviation[1:] @ deviation[:-1]) / power
    return min(max(r + (1 + 4 * r) / n, -0.99), 0.99)


def _finite(value: Floats) -> Floats:
    good = np.isfinite(value)
    return value if good.all() else value[good]


def memory(n: int, r: float) -> float:
    """By how much autocorrelation widens the variance of a mean, from an estimate of it.

    (1 + rho) / (1 - rho) with rho = r + (1 + 3 r) / n: that ratio bends upwards, so that an
    unbiased rho would still make means look too sure.

    With it, and what the variance itself loses (a sample of n_eff independent points around its
    own mean), a two-sided test of a mean at 5 % has a size of 3 to 7 % for AR(1) noise of 0 to
    0.9 and 30 points and more, and of 0 to 0.7 from 20 on (simulated).

    Parameters
    ----------
    n : int
        At least 1.
    r : float
        `lag1_autocorrelation` of the points.

    Returns
    -------
    float in [1, 39], at most n / 2
    """
    rho = min(max(r + (1 + 3 * max(r, 0.0)) / n, 0.0), 0.95)
    return max(min((1 + rho) / (1 - rho), n / 2), 1.0)


def mean_error(value: Floats) -> tuple[float, float]:
    """Standard error of a mean of autocorrelated points, and its degrees of freedom.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Finite, at least 3.

    Returns
    -------
    error, dof : float
        To be used with Student's t; `dof` is at least 1.
    """
    n = len(value)
    alike = n / memory(n, lag1_autocorrelation(value))
    spread = float(np.std(value)) / math.sqrt(max(1 - 1 / alike, 1 / n))
    return spread / math.sqrt(alike), max(alike - 1, 1.0)
