"""How likely so many coincidences are."""

from __future__ import annotations

import math


def tail(n: int, k: int, p: float) -> float:
    """Probability that at least `k` of `n` independent events of probability `p` happen.

    Parameters
    ----------
    n, k : int
    p : float in [0, 1]

    Examples
    --------
    >>> tail(3, 1, 0.5), tail(10, 0, 0.1), tail(2, 3, 0.9)
    (0.875, 1.0, 0.0)
    """
    if k <= 0:
        return 1.0
    if k > n or p <= 0:
        return 0.0
    if p >= 1:
        return 1.0
    if k <= n * p:  # the short side of the sum is below
        return max(0.0, 1.0 - _sum(n, k - 1, p, -1))
    return min(1.0, _sum(n, k, p, 1))


def _sum(n: int, k: int, p: float, way: int) -> float:
    """Terms from `k` on upward or downward, away from the mean, until they no longer count."""
    if k < 0:
        return 0.0
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = math.exp(log + k * math.log(p) + (n - k) * math.log1p(-p))
    odds, total = p / (1 - p), 0.0
    while 0 <= k <= n and term > 1e-17 * total:
        total += term
        term *= (n - k) / (k + 1) * odds if way > 0 else k / (n - k + 1) / odds
        k += way
    return total
