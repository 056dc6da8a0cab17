"""Many tests at once: how many of the discoveries may be false."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def adjusted(p: ArrayLike) -> NDArray[np.float64]:
    """Smallest false discovery rate at which each test counts.

    Benjamini and Hochberg 1995 (doi:10.1111/j.2517-6161.1995.tb02031.x), for tests that are
    independent or positively dependent, as those of the metrics of one training are.

    Parameters
    ----------
    p : array of shape (n,)
        NaN stays NaN and is not counted as a test.

    Returns
    -------
    ndarray of float64, shape (n,), in the order of `p`

    Raises
    ------
    ValueError
        A p-value below 0 or above 1.

    Examples
    --------
    >>> adjusted([0.01, 0.04, float("nan"), 0.03])
    array([0.03, 0.04,  nan, 0.04])
    """
    given = np.asarray(p, np.float64)
    found = np.full(given.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(given))
    if not len(tested):
        return found
    known = given[tested]
    if known.min() < 0 or known.max() > 1:
        raise ValueError("a p-value lies between 0 and 1")
    order = np.argsort(known)
    scaled = known[order] * (len(known) / np.arange(1, len(known) + 1))
    rate = np.minimum.accumulate(scaled[::-1])[::-1]
    found[tested[order]] = np.minimum(rate, 1.0)
    return found
