"""Exponential moving averages: TensorBoard's by point and W&B's by position, both debiased."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def ema(value: ArrayLike, alpha: float) -> Floats:
    """Debiased exponential moving average of a series.

    The k-th point back weighs ``(1 - alpha) ** k`` and the weights are divided by their sum, so
    that the average does not start near zero. TensorBoard's smoothing slider at w is
    ``alpha = 1 - w``; pandas calls it ``ewm(alpha=alpha, adjust=True, ignore_na=True)``.

    Parameters
    ----------
    value : array_like of shape (n,)
        NaN and infinite entries leave the average unchanged.
    alpha : float in (0, 1]
        Weight of the newest point.

    Returns
    -------
    ndarray of shape (n,), same unit as `value`
        NaN before the first finite value.

    Raises
    ------
    ValueError
        If `alpha` is outside (0, 1].

    Examples
    --------
    >>> ema([1.0, 3.0], alpha=0.5)
    array([1.        , 2.33333333])
    """
    if not 0.0 < alpha <= 1.0:
        raise ValueError(f"alpha must lie in (0, 1], not {alpha}")
    values = np.asarray(value, np.float64)
    good = np.isfinite(values)
    kept = values[good]
    if alpha == 1.0:
        return _spread(kept, good)
    weight = np.expm1(np.arange(1, len(kept) + 1) * np.log1p(-alpha)) / -alpha
    return _spread(_average(kept, np.full(len(kept), 1.0 - alpha), weight), good)


def time_weighted_ema(value: ArrayLike, position: ArrayLike, half_life: float) -> Floats:
    """Debiased exponential moving average whose weights fade with distance, not with count.

    A point at distance d weighs ``0.5 ** (d / half_life)``, so unevenly logged series smooth
    evenly. Weights & Biases' time-weighted average; pandas' ``ewm(halflife=..., times=...)``.

    Parameters
    ----------
    value : array_like of shape (n,)
        NaN and infinite entries leave the average unchanged.
    position : array_like of shape (n,)
        Step, epoch or time of each value, never falling.
    half_life : float
        Distance after which a point counts half; unit of `position`.

    Returns
    -------
    ndarray of shape (n,), same unit as `value`
        NaN before the first finite value.

    Raises
    ------
    ValueError
        If `half_life` is not positive, the lengths differ, or `position` falls or is not finite.

    Examples
    --------
    >>> time_weighted_ema([1.0, 3.0], [0, 10], half_life=10)
    array([1.        , 2.33333333])
    """
    if not (half_life > 0.0 and math.isfinite(half_life)):
        raise ValueError(f"half_life must be positive and finite, not {half_life}")
    values = np.asarray(value, np.float64)
    places = np.asarray(position, np.float64)
    if values.shape != places.shape:
        raise ValueError(f"{values.size} values but {places.size} positions")
    if not (np.isfinite(places).all() and (places[1:] >= places[:-1]).all()):
        raise ValueError("position must be finite and must not fall; sort the points by it first")
    good = np.isfinite(values)
    # Differences of halves: the distance between +1e308 and -1e308 does not fit a float.
    lag = np.diff(places[good] / 2, prepend=places[good][:1] / 2) * (2 / half_life)
    decay = np.exp2(-np.minimum(lag, 1100.0))
    weight = recurrence(decay, np.ones(len(decay)))
    return _spread(_average(values[good], decay, weight), good)


def _spread(average: Floats, good: NDArray[np.bool_]) -> Floats:
    """Averages at the finite points, carried on over the others."""
    if len(average) == len(good):
        return average
    return np.concatenate([[np.nan], average])[np.cumsum(good)]


def _average(value: Floats, decay: Floats, weight: Floats) -> Floats:
    """Mean of all points so far; past weights shrink by `decay` at each point, to sums `weight`."""
    keep = np.empty_like(weight)
    keep[:1] = 0.0
    keep[1:] = decay[1:] * weight[:-1] / weight[1:]
    # As a recurrence of means, not of sums: 1e6 values of 1e306 must not overflow.
    return recurrence(keep, value / weight)


def recurrence(factor: Floats, term: Floats) -> Floats:
    """Solve ``s[i] = factor[i] * s[i - 1] + term[i]`` with ``s[-1] = 0``.

    The series is folded into about sqrt(n) rows, all advanced together column by column, then
    the end of each row is handed on to the next. Only products of factors up to 1 occur, so this
    is as stable as the plain loop, unlike a quotient of cumulative sums.

    Parameters
    ----------
    factor : ndarray of shape (n,)
        In [0, 1].
    term : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
    """
    n = len(term)
    if n < 2:
        return term.copy()
    width = math.isqrt(n - 1) + 1
    rows = -(-n // width)
    padding = rows * width - n
    decay = np.concatenate([factor, np.zeros(padding)]).reshape(rows, width).T.copy()
    state = np.concatenate([term, np.zeros(padding)]).reshape(rows, width).T.copy()
    for i in range(1, width):
        state[i] += decay[i] * state[i - 1]
        decay[i] *= decay[i - 1]
    carry = np.zeros(rows)
    for row in range(1, rows):
        carry[row] = state[-1, row - 1] + decay[-1, row - 1] * carry[row - 1]
    state += decay * carry
    return np.ascontiguousarray(state.T).reshape(-1)[:n]
