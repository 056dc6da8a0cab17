"""How far a curve fell within a window, with an honest error; of one window or of many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainlens.stats.blocks import Floats, Places, block_edges, block_levels, middles
from trainlens.stats.noise import MAD_TO_SIGMA, lag1_autocorrelation, median

try:
    from trainlens.stats import _native
except ImportError:  # no compiler when this was installed
    _native = None  # type: ignore[assignment]

BLOCKS = 20
"""Block medians that a slope is fitted to."""


def t_quantile(z: float, dof: float) -> float:
    """Student quantile at the probability that a normal one has at `z` (Hill's expansion).

    Parameters
    ----------
    z : float
        Standard normal deviate.
    dof : float
        Degrees of freedom, at least 1.

    Returns
    -------
    float
        Within 2 % for `dof` of 4 and more, z up to 3.
    """
    d = max(dof, 1.0)
    return (
        z
        + (z**3 + z) / (4 * d)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * d**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * d**3)
    )


@dataclass(frozen=True)
class Gain:
    """How far a curve fell within a window.

    Parameters
    ----------
    value : float
        Fall along the fitted line; negative where the curve rose.
    error : float
        Its standard error, inflated for autocorrelation.
    dof : float
        Degrees of freedom of `error`: fewer where the residuals are autocorrelated.
    """

    value: float
    error: float
    dof: float

    def lower(self, z: float = 1.645) -> float:
        """One-sided lower bound; 1.645 is 95 %."""
        return self.value - t_quantile(z, self.dof) * self.error

    def upper(self, z: float = 1.645) -> float:
        """One-sided upper bound; 1.645 is 95 %."""
        return self.value + t_quantile(z, self.dof) * self.error


def gain(x: Floats, y: Floats, first: float, last: float, least: int = 5) -> Gain | None:
    """Fall of a curve over the window [first, last], by a line through 20 block medians.

    The error is inflated by sqrt((1 + rho) / (1 - rho)), rho being the bias-corrected lag-1
    autocorrelation of the residuals within [0, 0.9].

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Finite; `x` ascending.
    first, last : float
        Ends of the window, unit of `x`.
    least : int
        Fewer points, or points at fewer than 3 places, give None.

    Returns
    -------
    Gain or None
    """
    if _native is None:
        return _gain_of(x, y, first, last, least)
    x, y = np.ascontiguousarray(x, np.float64), np.ascontiguousarray(y, np.float64)
    found = _native.gain(x, y, first, last, least)
    return None if found is None else Gain(*found)


def _gain_of(x: Floats, y: Floats, first: float, last: float, least: int) -> Gain | None:
    """`gain` without the compiled module."""
    a, b = x.searchsorted(first, "left"), x.searchsorted(last, "right")
    if b - a < max(least, 3):
        return None
    bx, by = block_levels(x[a:b], y[a:b], BLOCKS)
    count = len(bx)
    away = bx - np.add.reduce(bx) / count
    spread = float(away @ away)
    if spread <= 0.0:
        return None
    centre = by - np.add.reduce(by) / count
    slope = float(away @ centre) / spread
    rest = centre - slope * away
    return _gain(last - first, slope, spread, float(rest @ rest), lag1_autocorrelation(rest), count)


def _gain(width: float, slope: float, spread: float, left: float, rho: float, count: int) -> Gain:
    """Of a line of this `slope` through `count` blocks; `left` is its residual sum of squares."""
    # Taking out a line costs more than taking out a mean, which is corrected there. With this
    # correction a level of 5 % is one of 3 to 7 % for AR(1) up to 0.9 from 60 points on, up to 0.7
    # from 30 (one side). In fewer, the bend of a smooth curve passes for
    # autocorrelation: it is not taken so high.
    rho = min(max(rho + (1 + 4 * max(rho, 0.0)) / count, 0.0), 0.9 if count == BLOCKS else 0.8)
    inflation = (1 + rho) / (1 - rho)
    dof = count - 2
    error = float(np.sqrt(left / dof / spread * inflation))
    # A line through a curve leaves autocorrelated residuals too: not all of it is lost freedom.
    return Gain(-slope * width, error * width, max(min(4.0, dof), dof / inflation))


def bent(x: Floats, y: Floats, first: float, last: float, found: Gain) -> Gain:
    """The same gain with the error of the noise alone, where the curve is clearly bent.

    A line leaves the bend of a smooth curve in its residuals, which then pass for autocorrelated
    noise. Here a parabola is taken off instead, if it stands out by 2.4 standard errors.

    Parameters
    ----------
    x, y, first, last
        As given to `gain`, with more than `BLOCKS` points in the window.
    found : Gain
        What it said.

    Returns
    -------
    Gain
        `found` itself where there is no such bend, or the error is no smaller.
    """
    a, b = x.searchsorted(first, "left"), x.searchsorted(last, "right")
    if b - a < BLOCKS:
        return found
    bx, by = block_levels(x[a:b], y[a:b], BLOCKS)
    away = bx - bx.mean()
    spread = float(away @ away)
    if spread <= 0.0:
        return found
    rest = by - by.mean()
    rest = rest - float(away @ rest) / spread * away
    bow = away * away - spread / BLOCKS
    bow -= float(away @ bow) / spread * away
    power = float(bow @ bow)
    bend = float(bow @ rest) / power if power > 0.0 else 0.0
    rest = rest - bend * bow
    # Taking out a parabola costs more than a line does, found as for the line.
    rho = lag1_autocorrelation(rest)
    rho = min(max(rho + (3 + 7 * max(rho, 0.0)) / BLOCKS, 0.0), 0.9)
    inflation, dof = (1 + rho) / (1 - rho), BLOCKS - 3
    variance = float(rest @ rest) / dof * inflation
    error = (last - first) * float(np.sqrt(variance / spread))
    if bend * bend * power < 6 * variance or error >= found.error:
        return found
    return Gain(found.value, error, max(4.0, dof / inflation))


def gains(
    x: Floats, y: Floats, windows: Sequence[tuple[float, float]], least: int = 5
) -> list[Gain | None]:
    """`gain` of many windows; without the compiled module at half the cost of one after the other.

    Parameters
    ----------
    x, y, least
        See `gain`.
    windows : sequence of (first, last)
        Of lengths that are not too different: the shorter ones are padded.

    Returns
    -------
    list of Gain or None, one a window
    """
    if _native is None:
        return _gains_of(x, y, windows, least)
    x, y = np.ascontiguousarray(x, np.float64), np.ascontiguousarray(y, np.float64)
    found = [_native.gain(x, y, first, last, least) for first, last in windows]
    return [None if f is None else Gain(*f) for f in found]


def _gains_of(
    x: Floats, y: Floats, windows: Sequence[tuple[float, float]], least: int
) -> list[Gain | None]:
    """`gains` without the compiled module."""
    first, last = np.array(windows, np.float64).reshape(-1, 2).T
    a, b = x.searchsorted(first, "left"), x.searchsorted(last, "right")
    many = np.flatnonzero(b - a > max(BLOCKS, least - 1))
    out: list[Gain | None] = [None] * len(windows)
    for i in np.flatnonzero((b - a <= BLOCKS) & (b - a >= max(least, 3))).tolist():
        out[i] = _gain_of(x, y, windows[i][0], windows[i][1], least)
    if not len(many):
        return out
    bx, by = _many_levels(x, y, a[many], b[many])
    away = bx - np.add.reduce(bx, axis=1, keepdims=True) / BLOCKS
    centre = by - np.add.reduce(by, axis=1, keepdims=True) / BLOCKS
    spread = _dot(away, away)
    slope = _dot(away, centre) / np.where(spread > 0, spread, 1.0)
    rest = centre - slope[:, None] * away
    rho, left = _lag1(rest), _dot(rest, rest)
    for k, i in enumerate(many.tolist()):
        if spread[k] > 0.0:
            width = windows[i][1] - windows[i][0]
            numbers = float(slope[k]), float(spread[k]), float(left[k]), float(rho[k])
            out[i] = _gain(width, *numbers, BLOCKS)
    return out


def _many_levels(x: Floats, y: Floats, a: Places, b: Places) -> tuple[Floats, Floats]:
    """`block_levels` of the windows [a, b) of a curve, each of shape (len(a), BLOCKS)."""
    n = b - a
    edge = block_edges(n[:, None], BLOCKS)
    size = edge[:, 1:] - edge[:, :-1]
    # All points of all windows in one row, and the places in it where their blocks begin.
    behind = n.cumsum()
    flat = np.arange(int(behind[-1])) + (a - behind + n).repeat(n)
    begin = (edge[:, :-1] + (behind - n)[:, None]).ravel()
    value = y[flat]
    middle = _many_medians(value, begin, size.ravel()).reshape(size.shape)
    level = np.add.reduceat(x[flat], begin).reshape(size.shape) / size
    away = value - middle.ravel().repeat(size.ravel())
    distance = np.abs(away)
    medians = [median(distance[i - m : i]) for i, m in zip(behind, n, strict=True)]
    limit = (3 * MAD_TO_SIGMA * np.array(medians)).repeat(n)
    np.minimum(np.maximum(away, -limit, out=away), limit, out=away)
    moved = np.add.reduceat(away, begin).reshape(size.shape) / size
    moved[n < 3 * BLOCKS] = 0.0  # so few points to a block are judged by their median alone
    return level, middle + moved


def _many_medians(value: Floats, begin: Places, size: Places) -> Floats:
    column = np.arange(int(size.max()))
    rows = value.take(begin[:, None] + column, mode="clip")
    rows[column >= size[:, None]] = np.inf
    rows.sort(axis=1)
    return middles(rows, size)


def _dot(a: Floats, b: Floats) -> Floats:
    """Sums of products along the rows, each as ``a @ b`` of two vectors."""
    return np.asarray((a[:, None, :] @ b[:, :, None])[:, 0, 0])


def _lag1(rest: Floats) -> Floats:
    """`trainlens.stats.noise.lag1_autocorrelation` of each row."""
    n = rest.shape[1]
    size = np.abs(rest).max(axis=1, keepdims=True)
    deviation = rest / np.where(size > 0, size, 1.0)
    deviation -= np.add.reduce(deviation, axis=1, keepdims=True) / n
    power = _dot(deviation, deviation)
    varies = power > n * 1e-30
    r = _dot(deviation[:, 1:], deviation[:, :-1]) / np.where(varies, power, 1.0)
    return np.where(varies, np.clip(r + (1 + 4 * r) / n, -0.99, 0.99), 0.0)
