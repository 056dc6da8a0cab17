"""Medians and robust means of consecutive blocks of a curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.noise import MAD_TO_SIGMA, median

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def block_edges(n: int | Places, count: int) -> Places:
    """Where `count` nearly equal blocks of `n` points begin, and behind the last.

    Parameters
    ----------
    n : int, or ndarray of shape (w, 1) for several curves at once
    count : int

    Returns
    -------
    ndarray of int, shape (count + 1,) or (w, count + 1)
    """
    edge = np.arange(count + 1) * (n / count)
    edge[..., -1:] = n
    return edge.astype(np.intp)


def block_medians(x: Floats, y: Floats, count: int) -> tuple[Floats, Floats]:
    """Mean place and median value of `count` nearly equal blocks of consecutive points.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Finite; `x` ascending.
    count : int
        Fewer points than this are returned as they are.

    Returns
    -------
    x, y : ndarray of shape (min(count, n),)
    """
    if len(y) <= count:
        return x, y
    edge = block_edges(len(y), count)
    size = edge[1:] - edge[:-1]
    return np.add.reduceat(x, edge[:-1]) / size, _medians(y, edge, size)


def _medians(y: Floats, edge: Places, size: Places) -> Floats:
    """Median of each block; the sizes differ by one at most."""
    wide = int(size.max())
    if wide * len(size) == len(y):
        return row_medians(y.reshape(-1, wide))
    rows = y.take(edge[:-1, None] + np.arange(wide), mode="clip")
    rows[size < wide, -1] = np.inf
    rows.partition((max(wide // 2 - 1, 0), wide // 2), axis=1)
    return middles(rows, size)


def row_medians(rows: Floats) -> Floats:
    """Median of each row of finite values, shape (rows,)."""
    half = rows.shape[1] // 2
    rows = rows.copy()
    if rows.shape[1] % 2:
        rows.partition(half, axis=1)
        return rows[:, half]
    rows.partition((half - 1, half), axis=1)
    return np.asarray((rows[:, half - 1] + rows[:, half]) / 2)


def middles(rows: Floats, size: Places) -> Floats:
    """Median of the first `size` numbers of each row; the middle ones must be in their places."""
    row = np.arange(len(rows))
    return np.asarray((rows[row, (size - 1) // 2] + rows[row, size // 2]) / 2)


def block_levels(x: Floats, y: Floats, count: int) -> tuple[Floats, Floats]:
    """As `block_medians`, but with means of values clipped to 3 robust deviations of their block.

    As safe from outliers as medians, without their 25 % larger error under normal noise.
    """
    n = len(y)
    bx, middle = block_medians(x, y, count)
    if n < 3 * count:
        return bx, middle
    edge = block_edges(n, count)
    size = edge[1:] - edge[:-1]
    away = y - middle.repeat(size)
    limit = 3 * MAD_TO_SIGMA * median(np.abs(away))
    np.minimum(np.maximum(away, -limit, out=away), limit, out=away)
    return bx, middle + np.add.reduceat(away, edge[:-1]) / size


def condense(x: Floats, y: Floats, count: int = 2000) -> tuple[Floats, Floats]:
    """`block_medians` for long series only: what is judged by blocks need not keep every point."""
    if len(y) < 2 * count:
        return x, y
    size = len(y) // count
    head = len(y) - size * count  # the odd ones at the start, where a curve is steep, stay single
    bx, by = block_medians(x[head:], y[head:], count)
    return np.concatenate([x[:head], bx]), np.concatenate([y[:head], by])
