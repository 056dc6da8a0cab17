"""Orders that depend on nothing but their seed: not on the version of numpy, nor on the machine.

The raw numbers of a bit generator and of a seed sequence are kept by numpy from version to
version; what `numpy.random.Generator` and `torch.randperm` make of theirs is not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["keys", "shuffled"]


def keys(count: int, *seed: int) -> NDArray[np.uint64]:
    """Random numbers of 64 bits.

    Parameters
    ----------
    count : int
    *seed : int
        Not negative, such as a seed and an epoch.

    Returns
    -------
    ndarray of shape (count,)
    """
    generator = np.random.PCG64(np.random.SeedSequence(seed))
    return np.asarray(generator.random_raw(count), dtype=np.uint64)


def shuffled(count: int, *seed: int) -> NDArray[np.int64]:
    """The numbers below `count` in an order of their own.

    Parameters
    ----------
    count : int
    *seed : int
        Not negative.

    Returns
    -------
    ndarray of shape (count,)
    """
    return np.argsort(keys(count, *seed), kind="stable")
