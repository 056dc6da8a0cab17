"""Which points of two series belong together."""

from __future__ import annotations

import numpy as np

from trainlens.comparison.model import Alignment
from trainlens.run import Floats, Ints
from trainlens.stats.nearby import interval, nearest

_ENOUGH = 0.5
"""Share of the coarser series that must meet at the very same places to need no neighbours."""


def align(left: Floats, right: Floats) -> Alignment:
    """Pair the points of two series; a place outside of either has no partner.

    Where at least half of the coarser series (within the span that both cover) meets the other
    at the very same places, only these count. Else each point pairs with its nearest neighbour
    within half a logging interval of the coarser series, if it is that one's nearest as well:
    no point has two partners, and nothing is interpolated or extrapolated.

    Parameters
    ----------
    left, right : ndarray of shape (n,), (m,)
        Places, ascending, each once.

    Returns
    -------
    Alignment
        Its places are those of `left`.
    """
    of = (len(left), len(right))
    if not of[0] or not of[1]:
        return _none(of, "one of them has no finite point")
    i, j = _same(left, right)
    exact = len(i)
    low, high = max(left[0], right[0]), min(left[-1], right[-1])
    within = [int(((at >= low) & (at <= high)).sum()) for at in (left, right)]
    if not exact or exact < _ENOUGH * min(within):
        i, j = _nearest(left, right)
        exact = int((left[i] == right[j]).sum())
    if not len(i):
        spans = [f"{_plain(at[0])} to {_plain(at[-1])}" for at in (left, right)]
        apart = low > high
        why = "they do not overlap" if apart else "no two points lie within half a logging interval"
        return _none(of, f"{why} (one goes from {spans[0]}, the other from {spans[1]})")
    return Alignment(left[i], i, j, exact, (len(i) / of[0], len(i) / of[1]), of)


def _plain(at: float) -> str:
    return f"{at:,.10g}".replace(",", "\u202f")


def _none(of: tuple[int, int], why: str) -> Alignment:
    empty = np.empty(0, np.int64)
    return Alignment(np.empty(0), empty, empty, 0, (0.0, 0.0), of, why)


def _same(left: Floats, right: Floats) -> tuple[Ints, Ints]:
    if len(left) == len(right) and bool((left == right).all()):
        index = np.arange(len(left))
        return index, index
    at = np.searchsorted(right, left)
    at[at == len(right)] = 0
    i = np.flatnonzero(right[at] == left)
    return i, at[i]


def _nearest(left: Floats, right: Floats) -> tuple[Ints, Ints]:
    """Pairs that are each other's nearest, within half an interval of the coarser series."""
    reach = max(interval(left), interval(right)) / 2
    i = np.arange(len(left))
    j = nearest(right, left)
    mutual = (nearest(left, right)[j] == i) & (np.abs(left - right[j]) <= reach)
    return i[mutual], j[mutual]
