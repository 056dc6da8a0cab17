"""Which place of some is nearest to another."""

from __future__ import annotations

import numpy as np

from trainlens.run import Floats, Ints


def nearest(at: Floats, wanted: Floats) -> Ints:
    """Index of the nearest place for each wanted one, the earlier of two as near.

    Parameters
    ----------
    at : ndarray of shape (n,), ascending, n > 0
    wanted : ndarray of shape (m,)

    Returns
    -------
    ndarray of int64, shape (m,)
    """
    behind = np.searchsorted(at, wanted).clip(1, max(len(at) - 1, 1))
    if len(at) == 1:
        return np.zeros(len(wanted), np.int64)
    before = behind - 1
    return np.where(wanted - at[before] <= at[behind] - wanted, before, behind).astype(np.int64)


def interval(at: Floats) -> float:
    """Distance that neighbouring places have most often; 0 with fewer than two."""
    return float(np.median(np.diff(at))) if len(at) > 1 else 0.0
