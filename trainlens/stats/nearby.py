"""Which place of some is nearest to another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.blocks import Floats


def nearest(at: Floats, wanted: Floats) -> NDArray[np.int64]:
    """Index of the nearest place for each wanted one, the earlier of two as near.

    Parameters
    ----------
    at : ndarray of shape (n,), ascending
    wanted : ndarray of shape (m,)

    Returns
    -------
    ndarray of int64, shape (m,)
        Zeros where there is no place to choose between.
    """
    if len(at) < 2:
        return np.zeros(len(wanted), np.int64)
    behind = np.searchsorted(at, wanted).clip(1, len(at) - 1)
    before = behind - 1
    return np.where(wanted - at[before] <= at[behind] - wanted, before, behind).astype(np.int64)


def interval(at: Floats) -> float:
    """Distance that neighbouring places have most often; 0 with fewer than two."""
    return float(np.median(np.diff(at))) if len(at) > 1 else 0.0
