"""Buckets on one ladder of grids, so that summaries made apart from each other fit together.

Widths are powers of two and edges are multiples of them: every cell of a grid lies whole within
one cell of each coarser grid. Runs that were summarised in different processes, each without
knowledge of the others, are so brought to one grid afterwards, exactly: extremes and counts stay
what they would be from the points, means up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.resample import Buckets, Floats, Ints


def aligned_width(first: int, last: int, most: int) -> int:
    """The least power of two whose cells cover some steps with at most `most` of them.

    Parameters
    ----------
    first, last : int
        Steps to cover, both inside.
    most : int
        At least 2: two neighbouring steps may lie on both sides of every edge.

    Raises
    ------
    ValueError
        `most` is below 2, or `last` below `first`.

    Examples
    --------
    >>> aligned_width(0, 9, 4), aligned_width(3, 4, 2), aligned_width(0, 50_000, 480)
    (4, 1, 128)
    """
    if most < 2 or last < first:
        raise ValueError(f"no {most} cells from {first} to {last}")
    width = 1
    while last // width - first // width >= most:
        width *= 2
    return width


def aligned_edges(first: int, last: int, width: int) -> Ints:
    """Edges at multiples of `width` around some steps.

    Returns
    -------
    ndarray of int64, shape (b + 1,), ascending
        The first at or before `first`, the last behind `last`.
    """
    return width * np.arange(first // width, last // width + 2, dtype=np.int64)


def coarser(held: Buckets, width: int, keep: Iterable[tuple[int, int]] = ()) -> Buckets:
    """The same points in wider buckets.

    Parameters
    ----------
    held : Buckets
        Each within one cell of the grid of `width`.
    width : int
        A power of two.
    keep : iterable of (first, last)
        Ranges of steps, both ends inside, whose buckets stay as they are.

    Returns
    -------
    Buckets
    """
    cell = held.first // width
    alone = np.zeros(len(held), bool)
    for first, last in keep:
        alone |= (held.first >= first) & (held.last <= last)
    if not len(held) or bool((np.diff(cell) > 0).all()):
        return held
    begins = np.ones(len(held), bool)
    begins[1:] = (cell[1:] != cell[:-1]) | alone[1:] | alone[:-1]
    start = np.flatnonzero(begins)
    return _merged(held, start)


def _merged(held: Buckets, start: NDArray[np.intp]) -> Buckets:
    stop = np.append(start[1:], len(held))
    good = held.count - held.bad
    low, high = np.fmin.reduceat(held.low, start), np.fmax.reduceat(held.high, start)
    return Buckets(
        first=held.first[start],
        last=held.last[stop - 1],
        count=np.add.reduceat(held.count, start),
        bad=np.add.reduceat(held.bad, start),
        mean=_mean(held.mean, good, start, low, high),
        low=low,
        high=high,
    )


def _mean(mean: Floats, good: Ints, start: NDArray[np.intp], low: Floats, high: Floats) -> Floats:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        # Shares first: the product of a huge mean and a count may overflow.
        share = good / np.add.reduceat(good, start)[np.cumsum(_marks(start, len(good))) - 1]
        joined = np.add.reduceat(np.where(good > 0, mean * share, 0.0), start)
    joined = np.where(np.add.reduceat(good, start) > 0, joined, np.nan)
    clipped: Floats = np.clip(joined, low, high)
    return clipped


def _marks(start: NDArray[np.intp], n: int) -> NDArray[np.int64]:
    marks = np.zeros(n, np.int64)
    marks[start] = 1
    return marks
