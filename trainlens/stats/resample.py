"""Long series as a few hundred buckets that keep every extreme.

All lines that share a grid of edges share their steps, so a cursor can read all of them at once.
Sampling every k-th point, or choosing points line by line, loses extremes; buckets do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Buckets:
    """A series in buckets; buckets without any point are left out.

    Parameters
    ----------
    first, last : ndarray of int64, shape (b,)
        Steps of the first and of the last point in each bucket; equal where it holds one step.
    count : ndarray of int64, shape (b,)
        Points, the non-finite ones included.
    bad : ndarray of int64, shape (b,)
        Points that are NaN or infinite.
    mean, low, high : ndarray of float64, shape (b,)
        Of the finite points, exact; NaN where there is none.
    """

    first: Ints
    last: Ints
    count: Ints
    bad: Ints
    mean: Floats
    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.first)

    def __reduce__(self) -> tuple[Callable[[int, bytes], Buckets], tuple[int, bytes]]:
        # In one piece: what comes from another process would else be seven arrays, each with a
        # buffer of its own that is larger than its few numbers.
        whole = np.array([self.first, self.last, self.count, self.bad], np.int64)
        parts = np.array([self.mean, self.low, self.high], np.float64)
        return _unpacked, (len(self), whole.tobytes() + parts.tobytes())

    @property
    def exact(self) -> bool:
        """Whether every bucket holds one point, so that nothing was summarised."""
        return bool(np.all(self.count == 1))


def _unpacked(size: int, data: bytes) -> Buckets:
    numbers = np.frombuffer(data).reshape(7, size)
    whole, parts = numbers[:4].view(np.int64), numbers[4:]
    return Buckets(*whole, *parts)


def uniform_edges(first: int, last: int, buckets: int) -> Ints:
    """Edges of at most `buckets` buckets of one whole number of steps.

    Parameters
    ----------
    first, last : int
        Steps to cover, both inside: the last edge lies behind `last`.
    buckets : int
        At least 1.

    Returns
    -------
    ndarray of int64, shape (b + 1,), ascending

    Raises
    ------
    ValueError
        No bucket, or `last` lies before `first`.

    Examples
    --------
    >>> uniform_edges(0, 9, 4)
    array([ 0,  3,  6,  9, 12])
    """
    if buckets < 1:
        raise ValueError(f"buckets must be at least 1, not {buckets}")
    if last < first:
        raise ValueError(f"last ({last}) lies before first ({first})")
    span = last - first + 1
    width = -(-span // buckets)
    return first + width * np.arange(-(-span // width) + 1, dtype=np.int64)


def refined_edges(edge: Ints, step: Ints, windows: Iterable[tuple[int, int]]) -> Ints:
    """Edges with every step of some windows on its own.

    Parameters
    ----------
    edge : ndarray of int64, shape (b + 1,), ascending
    step : ndarray of int64, shape (n,), ascending
        Steps of the series.
    windows : iterable of (first, last)
        Step ranges, both ends inside, to keep at full resolution.

    Returns
    -------
    ndarray of int64, shape (c,), ascending
    """
    parts = [edge]
    for a, b in windows:
        inside = step[np.searchsorted(step, a) : np.searchsorted(step, b, side="right")]
        # The edge behind the window keeps what follows out of its last bucket.
        parts += [inside, inside[-1:] + 1]
    merged: Ints = np.unique(np.concatenate(parts))
    return merged


def bucket(step: Ints, value: Floats, edge: Ints) -> Buckets:
    """Summarise a series within each pair of neighbouring edges.

    Parameters
    ----------
    step : ndarray of int64, shape (n,), ascending
    value : ndarray of float64, shape (n,)
        NaN and infinities are counted and otherwise left out.
    edge : ndarray of int64, shape (b + 1,), ascending
        Bucket i holds the steps in [edge[i], edge[i + 1]). Steps outside all edges are an error,
        because a summary must not lose points silently.

    Returns
    -------
    Buckets of length <= b

    Raises
    ------
    ValueError
        A step outside the edges, or shapes that differ.
    """
    if step.shape != value.shape:
        raise ValueError(f"step has shape {step.shape}, value {value.shape}")
    if len(step) and (step[0] < edge[0] or step[-1] >= edge[-1]):
        raise ValueError(f"steps {step[0]}-{step[-1]} are not inside {edge[0]}-{edge[-1]}")
    bounds = np.searchsorted(step, edge)
    held = (bounds[1:] > bounds[:-1]).nonzero()[0]
    return _reduce(step, value, bounds[held], bounds[held + 1])


def points(step: Ints, value: Floats) -> Buckets:
    """A short series as buckets of one point each.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
    value : ndarray of float64, shape (n,)
    """
    good = np.isfinite(value)
    step = step.copy()
    held = value.copy() if good.all() else np.where(good, value, np.nan)
    # One array under several names: the report of many runs holds thousands of these.
    return Buckets(
        step, step, np.ones(len(step), np.int64), (~good).astype(np.int64), held, held, held
    )


def _reduce(step: Ints, value: Floats, start: NDArray[np.intp], stop: NDArray[np.intp]) -> Buckets:
    count = (stop - start).astype(np.int64)
    if not len(start):
        none = np.empty(0)
        return Buckets(count, count, count, count, none, none, none)
    finite = np.isfinite(value)
    whole = bool(finite.all())
    clean = value if whole else np.where(finite, value, np.nan)
    good = count if whole else np.add.reduceat(finite, start, dtype=np.int64)
    low = np.fmin.reduceat(clean, start)
    high = np.fmax.reduceat(clean, start)
    return Buckets(
        first=step[start],
        last=step[stop - 1],
        count=count,
        bad=count - good,
        mean=_means(clean if whole else np.where(finite, value, 0.0), start, good, low, high),
        low=low,
        high=high,
    )


def _means(value: Floats, start: NDArray[np.intp], good: Ints, low: Floats, high: Floats) -> Floats:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mean = np.add.reduceat(value, start) / good
        # The sum of huge values overflows where their mean does not; and rounding must not
        # carry a mean outside its own extremes.
        if not np.isfinite(mean).all():
            mean = np.where(np.isinf(mean), low / 2 + high / 2, mean)
    return np.minimum(np.maximum(mean, low), high)
