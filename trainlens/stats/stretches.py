"""Sustained stretches: where a noisy curve stays beyond a limit, single points left aside."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.blocks import Floats
from trainlens.stats.noise import median

Stretch = tuple[int, int]


def stretches(mask: NDArray[np.bool_]) -> list[Stretch]:
    """Runs of True, as (first, behind) indices.

    Examples
    --------
    >>> stretches(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edge = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edge[::2], edge[1::2], strict=True)]


def steady_levels(
    value: Floats, blocks: int = 50, least: int = 5
) -> tuple[Floats, NDArray[np.intp]]:
    """Medians of consecutive blocks, and where each begins.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Finite.
    blocks : int
        At most this many.
    least : int
        Points of a block at least, unless there are fewer altogether.

    Returns
    -------
    level : ndarray of shape (b,)
    edge : ndarray of int, shape (b + 1,)
        Block i holds the points edge[i] to edge[i + 1], exclusive.
    """
    n = len(value)
    count = max(1, min(blocks, n // least))
    edge = np.linspace(0, n, count + 1).astype(np.intp)
    level = [median(value[a:b]) for a, b in pairwise(edge) if b > a]
    return np.array(level), edge
