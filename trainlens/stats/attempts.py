"""Which points of a log belong to which start of a training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def attempt_labels(step: Ints) -> Ints:
    """Number the contiguous trainings within a sequence of steps.

    A new attempt starts where the step goes back. A single late point (100, 98, 101) is the
    jitter of an asynchronous writer, not a restart.

    Parameters
    ----------
    step : ndarray of int64, shape (n,), in file order

    Returns
    -------
    ndarray of int64, shape (n,), starting at 0
    """
    label = np.zeros(len(step), np.int64)
    drop = np.flatnonzero(step[1:] < step[:-1])
    after = np.minimum(drop + 2, len(step) - 1)
    restart = drop[~((step[after] > step[drop]) & (after == drop + 2))]
    label[restart + 1] = 1
    return np.cumsum(label)
