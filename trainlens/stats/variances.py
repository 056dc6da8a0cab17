"""Whether two curves scatter alike, and how many points it takes to tell."""

from __future__ import annotations

import math

import numpy as np

from trainlens.stats.noise import Floats, lag1_autocorrelation
from trainlens.stats.smallest import smallest
from trainlens.stats.spread import brown_forsythe

_NORMAL, _MOST = 1.959964, 1 << 20


def innovations(value: Floats) -> Floats:
    """What is new in each point: the residuals of an AR(1) process around a line.

    Parameters
    ----------
    value : ndarray of shape (n,), finite

    Returns
    -------
    ndarray of shape (max(n - 1, 0),)
    """
    if len(value) < 3:
        return np.empty(0)
    size = float(np.abs(value).max()) or 1.0
    x = np.linspace(-1.0, 1.0, len(value))
    away = value / size
    away = away - away.mean()
    away -= x * float(x @ away) / float(x @ x)
    rho = lag1_autocorrelation(away)
    new: Floats = (away[1:] - rho * away[:-1]) * size
    return new


def same_variance(first: Floats, second: Floats) -> float:
    """p-value for two autocorrelated series that scatter alike.

    Brown and Forsythe's test on the innovations: trend and memory are taken out, as both make
    deviations depend on each other.

    Parameters
    ----------
    first, second : ndarray of shape (n,), (m,)
        Finite.

    Returns
    -------
    float, two-sided; NaN where one of them is too short (fewer than 6 points)
    """
    found = brown_forsythe(innovations(first), innovations(second))
    return math.nan if found is None else found.p


def variance_p(ratio: float, n: int) -> float:
    """Two-sided p-value of a ratio of variances with n independent points each (F test).

    Examples
    --------
    >>> [round(variance_p((22.41 / 19.62) ** 2, n), 2) for n in (20, 100)]
    [0.57, 0.19]
    """
    from scipy.special import fdtrc

    if not ratio > 0 or n < 2:
        return math.nan
    return min(1.0, 2 * float(fdtrc(n - 1, n - 1, max(ratio, 1 / ratio))))


def needed_for(ratio: float, level: float = 0.05) -> int | None:
    """Independent points a series at which a ratio of variances has p = `level`.

    Parameters
    ----------
    ratio : float
        Of variances.
    level : float
        The p-value to reach.

    Returns
    -------
    int, or None where no number below a million is enough

    Examples
    --------
    >>> needed_for((22.41 / 19.62) ** 2)
    220
    """
    if not 0 < ratio < math.inf or ratio == 1.0:
        return None
    # The logarithm of a ratio of variances has the variance 4 / (n - 1), nearly.
    guess = 1 + 4 * (_NORMAL / math.log(ratio)) ** 2
    if guess > 2 * _MOST:
        return None
    return smallest(lambda n: variance_p(ratio, n) <= level, 1, guess, _MOST)
