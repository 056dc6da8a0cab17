"""Trailing windows: exact median, quantile, MAD, mean and standard deviation.

Every function looks backwards only: the window of point i ends at ``i - lag``. Before the window
is full it holds what there is. NaN policy, for all: a window that holds a NaN or an infinity, or
fewer than `min_periods` points, gives NaN.
"""

from __future__ import annotations

import sys
from bisect import insort
from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

try:
    from trainlens.stats import _native
except ImportError:  # no compiler when this was installed
    _native = None  # type: ignore[assignment]

Floats = NDArray[np.float64]

_SMALL = 60_000
_ROWS = 8192  # rows of a window matrix at a time: what fits into the cache


def rolling_median(
    value: Floats, window: int, *, lag: int = 0, min_periods: int = 1, start: int = 0
) -> Floats:
    """Median of the last `window` points, exact.

    Parameters
    ----------
    value : ndarray of shape (n,)
    window : int
        Points; odd (so that the median is one of them).
    lag : int
        Points between the end of the window and the point; 1 = the point itself is left out.
    min_periods : int
        Fewer points than this give NaN.
    start : int
        Only points from here on are wanted.

    Returns
    -------
    ndarray of shape (n - start,)

    Raises
    ------
    ValueError
        If `window` is even or below 1, or `lag` negative.

    Examples
    --------
    >>> rolling_median(np.array([5.0, 1.0, 2.0, 9.0]), 3)
    array([5., 3., 2., 2.])
    """
    if window % 2 == 0:
        raise ValueError(f"the window of a rolling median must be odd, not {window}")
    return rolling_quantile(value, window, 0.5, lag=lag, min_periods=min_periods, start=start)


def rolling_quantile(
    value: Floats,
    window: int,
    q: float,
    *,
    lag: int = 0,
    min_periods: int = 1,
    start: int = 0,
) -> Floats:
    """Quantile of the last `window` points: the order statistic at ``floor(q (m - 1))``.

    For ``q = 0.5`` and an even number of points (a window that is not full yet) it is the mean of
    the two middle ones, as a median is.

    Parameters
    ----------
    value : ndarray of shape (n,)
    window : int
    q : float in [0, 1]
    lag, min_periods, start : int
        See `rolling_median`.

    Returns
    -------
    ndarray of shape (n - start,)

    Raises
    ------
    ValueError
        If `window` is below 1, or `lag` negative.
    """
    _check(window, lag)
    if _native is not None:
        held = np.ascontiguousarray(value, np.float64)
        found = _native.rolling_quantile(held, window, q, lag, max(1, min_periods), start)
        return np.frombuffer(found)
    return _quantile(value, window, q, lag, min_periods, start)


def _quantile(
    value: Floats, window: int, q: float, lag: int, min_periods: int, start: int
) -> Floats:
    """`rolling_quantile` without the compiled module."""
    good = np.isfinite(value)
    clean = value if good.all() else np.where(good, value, 0.0)
    out = np.full(len(value) - start, np.nan)
    full = max(start, window + lag - 1)
    early = _expanding(clean[: max(0, min(full, len(value)) - lag)], q)
    for i in range(start, min(full, len(value))):
        if i >= lag:
            out[i - start] = early[i - lag]
    if full < len(value):
        out[full - start :] = _filtered(clean[full - lag - window + 1 :], window, q, lag)
    return _mask(out, good, window, lag, min_periods, start)


def rolling_mad(
    value: Floats, window: int, *, lag: int = 0, min_periods: int = 1, start: int = 0
) -> Floats:
    """Median absolute deviation from the median within the last `window` points, exact.

    Parameters and returns as `rolling_median`. Not scaled: 1.4826 MAD estimates the standard
    deviation of normal noise.
    """
    _check(window, lag)

    def mad(rows: Floats) -> Floats:
        return _row_median(np.abs(rows - _row_median(rows)[:, None]))

    return _by_rows(value, window, mad, lag, min_periods, start)


def rolling_mean(
    value: Floats, window: int, *, lag: int = 0, min_periods: int = 1, start: int = 0
) -> Floats:
    """Mean of the last `window` points. Parameters and returns as `rolling_median`."""
    _check(window, lag)
    unit = _unit(value)
    mean = _by_rows(value / unit, window, lambda r: np.mean(r, axis=1), lag, min_periods, start)
    return np.asarray(mean * unit)


def rolling_std(
    value: Floats,
    window: int,
    *,
    lag: int = 0,
    min_periods: int = 2,
    start: int = 0,
    ddof: int = 1,
) -> Floats:
    """Standard deviation of the last `window` points, from deviations.

    Never as E[x^2] - mean^2, which loses every digit where the mean is large.

    Parameters
    ----------
    value : ndarray of shape (n,)
    window, lag, min_periods, start : int
        See `rolling_median`.
    ddof : int
        Degrees of freedom taken off; windows of `ddof` points or fewer give NaN.

    Returns
    -------
    ndarray of shape (n - start,), same unit as `value`
    """
    _check(window, lag)

    def std(rows: Floats) -> Floats:
        return np.asarray(np.std(rows, axis=1, ddof=ddof))

    if window <= ddof:
        return np.full(len(value) - start, np.nan)
    unit = _unit(value)
    return unit * _by_rows(value / unit, window, std, lag, max(min_periods, ddof + 1), start)


def _unit(value: Floats) -> float:
    """A power of 2 (exact to divide by) that keeps sums and squares of huge values finite."""
    good = value[np.isfinite(value)]
    size = float(np.max(np.abs(good), initial=0.0))
    return 2.0 ** int(np.log2(size)) if size > 1e150 else 1.0


def _row_median(rows: Floats) -> Floats:
    """Median of each row; a partition costs a quarter of `numpy.median`."""
    m = rows.shape[1]
    if m % 2:
        return np.asarray(np.partition(rows, m // 2, axis=1)[:, m // 2])
    middle = np.partition(rows, (m // 2 - 1, m // 2), axis=1)[:, m // 2 - 1 : m // 2 + 1]
    return np.asarray(middle[:, 0] * 0.5 + middle[:, 1] * 0.5)


def _check(window: int, lag: int) -> None:
    if window < 1 or lag < 0:
        raise ValueError(f"window must be at least 1 and lag at least 0, not {window} and {lag}")


def _filtered(clean: Floats, window: int, q: float, lag: int) -> Floats:
    """Order statistic of every full window of `clean`, but not of the last `lag` windows."""
    rank = int(q * (window - 1))
    count = len(clean) - lag - window + 1
    # Importing the filter costs as much as this many points without it.
    if count <= _SMALL and "scipy.ndimage" not in sys.modules:
        rows = sliding_window_view(clean, window)[:count]
        pieces = [rows[a : a + _ROWS] for a in range(0, count, _ROWS)]
        return np.concatenate([np.partition(p, rank, axis=1)[:, rank] for p in pieces])
    if count == 1:  # one point at a time, as a live log comes
        return np.partition(clean[:window], rank)[rank : rank + 1]
    from scipy.ndimage import rank_filter

    centred = rank_filter(clean, rank, size=window, mode="nearest")
    first = window // 2
    return np.asarray(centred[first : first + count], np.float64)


def _expanding(clean: Floats, q: float) -> list[float]:
    """Quantile of the first 1, 2, ... points."""
    ordered: list[float] = []
    out: list[float] = []
    for x in clean.tolist():
        insort(ordered, x)
        m = len(ordered)
        at = int(q * (m - 1))
        middle = q == 0.5 and m % 2 == 0
        out.append(ordered[at] * 0.5 + ordered[at + 1] * 0.5 if middle else ordered[at])
    return out


def _mask(
    out: Floats, good: NDArray[np.bool_], window: int, lag: int, min_periods: int, start: int
) -> Floats:
    """NaN where a window is too short or holds something that is not finite."""
    n = len(good)
    short = min(max(lag + max(1, min_periods) - 1 - start, 0), len(out))
    out[:short] = np.nan
    if not good.all():
        end = np.arange(start, n) - lag + 1  # one behind the window
        bad = np.concatenate([[0], np.cumsum(~good)])
        out[bad[np.clip(end, 0, n)] > bad[np.clip(end - window, 0, n)]] = np.nan
    return out


def _by_rows(
    value: Floats,
    window: int,
    statistic: Callable[[Floats], Floats],
    lag: int,
    min_periods: int,
    start: int,
) -> Floats:
    """Apply `statistic` (rows -> one number a row) to every window."""
    good = np.isfinite(value)
    clean = value if good.all() else np.where(good, value, 0.0)
    n = len(value)
    out = np.full(n - start, np.nan)
    full = max(start, window + lag - 1)
    for i in range(max(start, lag), min(full, n)):
        if i - lag + 1 >= max(1, min_periods):
            out[i - start] = statistic(clean[None, max(0, i - lag + 1 - window) : i - lag + 1])[0]
    if full < n:
        rows = sliding_window_view(clean[full - lag - window + 1 : n - lag], window)
        for a in range(0, len(rows), _ROWS):
            block = np.ascontiguousarray(rows[a : a + _ROWS])
            out[full - start + a : full - start + a + len(block)] = statistic(block)
    return _mask(out, good, window, lag, min_periods, start)
