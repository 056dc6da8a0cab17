"""A test by ranks, for scores of which some are only known to be the worst."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from trainlens.run import Floats

_EXACT = 50_000
"""Ways to deal the ranks to both sides up to which all are looked at: 8 runs against 9."""


def rank_test(x: Floats, y: Floats) -> float:
    """Two-sided p-value of Mann and Whitney's test; equal values share their rank.

    Exact, by all ways to deal the ranks to both sides, where these are few; else by the normal
    distribution, with the corrections for ties and for continuity (Lehmann 1975,
    "Nonparametrics", chapter 1).

    Parameters
    ----------
    x, y : ndarray of shape (n,), (m,)
        Not NaN; infinite values are ranked.

    Returns
    -------
    float in (0, 1]

    Examples
    --------
    >>> rank_test(np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 6.0, np.inf, np.inf]))
    0.02857142857142857
    """
    n, m = len(x), len(y)
    both = np.concatenate([x, y])
    _, place, count = np.unique(both, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    away = abs(float(rank[:n].sum()) - n * (n + m + 1) / 2)
    if math.comb(n + m, n) <= _EXACT:
        index = np.array(list(combinations(range(n + m), n)))
        sums = rank[index].sum(1)
        return float(np.mean(np.abs(sums - n * (n + m + 1) / 2) >= away - 1e-9))
    ties = float((count.astype(float) ** 3 - count).sum()) / ((n + m) * (n + m - 1))
    error = math.sqrt(n * m / 12 * (n + m + 1 - ties))
    return math.erfc(max(away - 0.5, 0.0) / error / math.sqrt(2)) if error else 1.0


def smallest_p(n: int, m: int) -> float:
    """The least p-value that the test can have with n runs against m.

    Examples
    --------
    >>> smallest_p(3, 3), round(smallest_p(4, 4), 3)
    (0.1, 0.029)
    """
    return min(1.0, 2 / math.comb(n + m, n))
