"""A level that changes and stays: where, by how much, and whether noise alone does that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.blocks import Floats, block_medians
from trainlens.stats.gains import t_quantile
from trainlens.stats.noise import (
    lag1_autocorrelation,
    median,
    memory,
    robust_scale,
    second_difference_noise,
)
from trainlens.stats.stretches import steady_levels, stretches

_LEAST_SLIDE = 40
LASTING = 0.06
"""Share of a series for which a change must last to be one."""


@dataclass(frozen=True)
class Shift:
    """A stretch of a series that lies above the rest of it.

    Parameters
    ----------
    first, behind : int
        Indices of its first point and of the one behind its last.
    usual, level : float
        Medians outside of such stretches and within this one.
    score : float
        Their difference in standard errors, 1000 at most.
    share : float
        Share of the points within it.
    lasts : bool
        Whether it reaches the end of the series.
    stretches : int
        How many such stretches there are; this is the longest.
    """

    first: int
    behind: int
    usual: float
    level: float
    score: float
    share: float
    lasts: bool
    stretches: int

    @property
    def rise(self) -> float:
        """How far it lies above the usual level."""
        return self.level - self.usual


def lasting_shift(
    y: Floats, least: float, *, z: float = 5.0, share: float = LASTING
) -> Shift | None:
    """The longest stretch that lies above the usual level, after that level was reached once.

    The series is cut into up to 50 windows, each of which counts by its median: what is shorter
    than half a window, or recurs in every window, moves none. The error of the difference is
    widened for autocorrelation and for the little that short series tell of it.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Finite; a logarithm, where a ratio is meant.
    least : float
        Rise above the usual level, unit of `y`.
    z : float
        Standard errors that the rise must exceed.
    share : float
        Of the windows that it lasts for at least.

    Returns
    -------
    Shift or None
    """
    if len(y) < 4:
        return None
    level, edge = steady_levels(y)
    low = float(np.quantile(level, 0.2))
    high = level > low + least
    fast = int(np.argmax(level <= low + 1e-12))
    usual = median(level[~high])
    long = max(1, round(share * len(level)))
    spans = [
        (a, b)
        for a, b in stretches(high)
        if a > fast and b - a >= long and median(level[a:b]) - usual >= least
    ]
    if not spans:
        return None
    a, b = max(spans, key=lambda s: s[1] - s[0])
    rise = median(level[a:b]) - usual
    error, dof = _error(y, level, edge, high, a, b)
    if rise < t_quantile(z, dof) * error:
        return None
    return Shift(
        int(edge[a]),
        int(edge[b]),
        usual,
        usual + rise,
        min(rise / max(error, 1e-12), 1000.0),
        float(edge[b] - edge[a]) / len(y),
        b == len(level),
        len(spans),
    )


def _error(
    y: Floats, level: Floats, edge: NDArray[np.intp], high: NDArray[np.bool_], a: int, b: int
) -> tuple[float, float]:
    """Standard error of the difference between the windows a to b and those that are not high."""
    middle = np.where(high, median(level[a:b]), median(level[~high]))
    size = edge[1:] - edge[:-1]
    rest: Floats = y - middle.repeat(size)
    inside, outside = int(size[a:b].sum()), int(size[~high].sum())
    # Noise from point to point as well: repeated values have no other.
    scale = max(robust_scale(rest), second_difference_noise(y))
    points = difference_error(np.clip(rest, -3 * scale, 3 * scale), scale, inside, outside)
    if len(level) < 20:
        return points
    # Slow noise, which points do not show to be autocorrelated enough.
    apart: Floats = level - middle
    windows = difference_error(apart, robust_scale(apart), b - a, int((~high).sum()))
    return max(points, windows, key=lambda e: e[0])


def difference_error(rest: Floats, scale: float, inside: int, outside: int) -> tuple[float, float]:
    """Standard error of a difference of two medians, and its degrees of freedom.

    Parameters
    ----------
    rest : ndarray of shape (n,)
        Points around the median of their part.
    scale : float
        Their standard deviation.
    inside, outside : int
        Points in each part.
    """
    alike = memory(len(rest), lag1_autocorrelation(rest)) if scale > 0 else 1.0
    some, others = max(inside / alike, 1.0), max(outside / alike, 1.0)
    # Two levels are taken off before the scale is measured.
    lost = max(1 - 2 / (some + others), 0.25)
    # A median of independent points varies by 1.57 times as much as their mean, of alike ones less:
    # the sum of asin(rho^k) over all lags against that of rho^k.
    median_of = 1 + (0.571 + 0.05 * (alike - 1)) / alike
    return (
        scale * float(np.sqrt(median_of * (1 / some + 1 / others) / lost)),
        max(1.0, some + others - 2.0),
    )


@dataclass(frozen=True)
class Slide:
    """A series that moves in one direction all along.

    Parameters
    ----------
    before : float
        Level where it begins.
    rise : float
        How far it rose by the end.
    score : float
        The same in standard errors, 1000 at most.
    stairs : float
        Largest distance between its level and a parabola beyond the noise from point to point,
        as share of `rise`: 0 where it moves smoothly.
    bend : float
        How far that parabola lies above a straight line, as share of `rise`: positive where the
        series levels off.
    """

    before: float
    rise: float
    score: float
    stairs: float
    bend: float


def slide(y: Floats, least: float, *, z: float = 5.0, start: float = 0.1) -> Slide | None:
    """Whether a series rises by `least` in all, in either half of it, beyond its noise.

    What is left of 40 block medians around a parabola is the noise: a level that rises in one
    step, or at its beginning only, does not rise in both halves.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Finite.
    least : float
        Unit of `y`.
    z : float
        Standard errors that the rise must exceed.
    start : float
        Share of the series that is left out at its beginning.

    Returns
    -------
    Slide or None
        None as well where there are fewer than 40 points.
    """
    kept = y[int(start * len(y)) :]
    if len(y) < _LEAST_SLIDE:
        return None
    _, level = block_medians(np.arange(len(kept), dtype=np.float64), kept, 40)
    n = len(level)
    x = np.linspace(-1.0, 1.0, n)
    centre = level - level.mean()
    shape = np.stack([np.ones(n), x, x**2], axis=1)
    parabola = shape @ np.linalg.lstsq(shape, centre, rcond=None)[0]
    rest: Floats = centre - parabola
    rise, half = float(parabola[-1] - parabola[0]), n // 2
    third = max(n // 6, 1)
    first = median(level[half - third : half + third]) - median(level[:third])
    second = median(level[-third:]) - median(level[half - third : half + third])
    if rise < max(least, 1e-9) or min(first, second) < 0.25 * rise:
        return None
    scale = max(robust_scale(rest), float(np.sqrt(np.mean(rest**2))))
    rho = min(max(lag1_autocorrelation(rest) + 2 / n, 0.0), 0.9) if scale > 0 else 0.0
    inflation = (1 + rho) / (1 - rho)
    error = scale * float(np.sqrt(12 / n * inflation))
    if rise < t_quantile(z, max((n - 3) / inflation, 1.0)) * error:
        return None
    noise = 1.25 * second_difference_noise(kept) / float(np.sqrt(max(len(kept) // n, 1)))
    stairs = max(float(np.max(np.abs(rest))) - 3 * noise, 0.0)
    middle = float(parabola[half] - (parabola[0] + parabola[-1]) / 2)
    return Slide(
        float(level.mean() + parabola[0]),
        rise,
        min(rise / max(error, 1e-12), 1000.0),
        stairs / rise,
        middle / rise,
    )
