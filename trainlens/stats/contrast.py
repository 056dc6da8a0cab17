"""The mean of an autocorrelated series, and how sure it is.

Points of one training curve are no independent samples: a paired t-test over matched steps calls
most pairs of identical trainings different. Here n points count as n (1 - rho) / (1 + rho).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.smallest import smallest

Floats = NDArray[np.float64]

FEWEST = 5
"""Points below which no interval is given."""


LEAST = 1.5
"""Independent points below which nothing is known of a mean: the series is one long drift."""


@dataclass(frozen=True)
class Mean:
    """A mean with its confidence interval.

    Parameters
    ----------
    mean, low, high : float
    n : int
    n_effective : float
        Independent points that tell as much.
    rho : float
        Lag-1 autocorrelation that was reckoned with.
    p : float
        Two-sided, for a true mean of 0.
    needed : int or None
        Points at which the same mean would have p = 0.05; None where it is reached.
    """

    mean: float
    low: float
    high: float
    n: int
    n_effective: float
    rho: float
    p: float
    needed: int | None


def mean_contrast(value: Floats, level: float = 0.95) -> Mean | None:
    """Mean of an AR(1) series with Student's interval on its effective sample size.

    The lag-1 autocorrelation r is taken as rho = r + (1 + 4 r) / n (Kendall 1954,
    doi:10.2307/2332719) and a margin of (0.25 + 10 / n) standard errors, as its error and not its
    bias makes short series look surer than they are. The variance is divided by 1 - 1 / n_eff,
    its own bias in an autocorrelated sample; Student's t has n_eff - 1 degrees of freedom.

    Measured on AR(1) noise with rho from 0 to 0.9 and 5 to 1,000 points, a mean of 0 has p < 0.05
    in at most 7 % of series; plain t: 67 % (``python -m benchmarks.comparison``).

    Parameters
    ----------
    value : ndarray of shape (n,)
        Finite.
    level : float
        Of the interval.

    Returns
    -------
    Mean, or None with fewer than `FEWEST` points
    """
    from scipy.special import stdtrit

    n = len(value)
    if n < FEWEST:
        return None
    size = float(np.abs(value).max())
    if not size:
        return Mean(0.0, 0.0, 0.0, n, float(n), 0.0, 1.0, None)
    scaled = value / size  # squares of 1e300 would overflow
    mean = float(scaled.sum()) / n
    away = scaled - mean
    power = float(away @ away)
    if power <= n * 1e-28 * mean * mean:  # all alike, but for rounding
        exact = mean * size
        return Mean(exact, exact, exact, n, float(n), 0.0, 0.0, None)
    r = float(away[1:] @ away[:-1]) / power
    rho, n_effective, error = _error(r, power / n, n)
    if n_effective < LEAST:
        return Mean(mean * size, -math.inf, math.inf, n, n_effective, rho, 1.0, None)
    reach = float(stdtrit(n_effective - 1, (1 + level) / 2)) * error
    p = _p(mean, error, n_effective)
    needed = None if p <= 0.05 else _needed(mean, r, power / n, n)
    return Mean(
        mean * size,
        _times(mean - reach, size),
        _times(mean + reach, size),
        n,
        n_effective,
        rho,
        p,
        needed,
    )


def _times(a: float, b: float) -> float:
    product = a * b
    return product if math.isfinite(product) else math.copysign(math.inf, a)


def _error(r: float, variance: float, n: int) -> tuple[float, float, float]:
    """Autocorrelation to reckon with, effective size, and standard error of the mean."""
    rho = r + (1 + 4 * r) / n
    rho += (0.25 + 10 / n) * math.sqrt(max(1 - rho * rho, 0.0) / n)
    rho = min(max(rho, 0.0), 0.99)
    n_effective = min(max(n * (1 - rho) / (1 + rho), 1.05), float(n))
    return rho, n_effective, math.sqrt(variance / (1 - 1 / n_effective) / n_effective)


def _p(mean: float, error: float, n_effective: float) -> float:
    from scipy.special import stdtr

    return 2 * float(stdtr(n_effective - 1, -abs(mean) / error)) if error else float(mean == 0)


_MOST = 10**9


def _needed(mean: float, r: float, variance: float, n: int) -> int | None:
    """The smallest number of points, above n, at which such a mean and noise have p = 0.05."""

    def enough(count: int) -> bool:
        _, n_effective, error = _error(r, variance, count)
        return n_effective >= LEAST and _p(mean, error, n_effective) <= 0.05

    _, _, error = _error(r, variance, n)
    # As many times the points as the interval is too wide, squared; with more it is surer of rho.
    guess = n * (1.96 * error / mean) ** 2 if mean else math.inf
    return smallest(enough, n, guess, _MOST) if guess < 4 * _MOST else None
