"""Curves: reduced without losing extremes, smoothed, with gaps where values are not finite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.plots._text import put
from trainlens.plots.base import SMALL, SOFT
from trainlens.run import Floats, Ints, Series
from trainlens.stats.ema import ema, time_weighted_ema
from trainlens.stats.noise import MAD_TO_SIGMA
from trainlens.stats.resample import Buckets, bucket, points, uniform_edges

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# About one bucket for each two pixels of a curve.
_BUCKETS = 400
# Shorter series are told by their points, not by their average.
_FEW = 60
_TICK = 62
"""Pixels that a tick of the axis of steps needs."""
_PIECES = 40
"""Stretches of a curve, each with a scatter of its own."""
_HALF_LIFE = 0.01
"""Of the default average, as a share of the range of steps."""
LARGEST = 1e150
"""Beyond it curves are cut off: ticks and margins of matplotlib overflow near 1e308."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A series as it was drawn.

    Parameters
    ----------
    series : Series
        One value a step, steps ascending.
    buckets : Buckets
    smooth : ndarray of shape (b,) or None
        Average at the end of each bucket; None where the points stand for themselves.
    """

    series: Series
    buckets: Buckets
    smooth: Floats | None

    @property
    def x(self) -> Floats:
        """Middle of each bucket."""
        return self.buckets.first / 2 + self.buckets.last / 2


def smoothed(series: Series) -> Floats | None:
    """Time-weighted average, half-life 1 % of the steps; None for a series of few points.

    It looks back only, so that it never shows a fault before it happens. What is shown on a
    logarithmic axis is averaged there: one spike then bends the curve and does not lift it.

    Parameters
    ----------
    series : Series
        Steps ascending. Values that are not finite leave the average unchanged.

    Returns
    -------
    ndarray of shape (n,) or None
        NaN before the first finite value.
    """
    if len(series) < _FEW:
        return None
    # As floats: a difference of huge steps must not overflow.
    step = series.step.astype(np.float64)
    half_life = _HALF_LIFE * (step[-1] - step[0])
    if not wants_log(series):
        return time_weighted_ema(series.value, step - step[0], half_life)
    return np.exp(time_weighted_ema(np.log(series.value), step - step[0], half_life))


def scatter(curve: Curve) -> tuple[Floats, Floats] | None:
    """The average less and plus the usual distance of single points from it.

    That distance is 1.4826 times the median absolute deviation within each fortieth of the
    points: of normal noise its standard deviation, so that two of three points lie within.

    Parameters
    ----------
    curve : Curve

    Returns
    -------
    low, high : ndarray of shape (b,)
        At each bucket, NaN at gaps. None for a curve without an average, or with one over points.
    """
    average = smoothed(curve.series) if curve.smooth is not None else None
    if average is None or curve.smooth is None:
        return None
    value, log = curve.series.value, wants_log(curve.series)
    good = np.flatnonzero(np.isfinite(value) & np.isfinite(average))
    if len(good) < _FEW:
        return None
    held, level = (np.clip(v[good], -LARGEST, LARGEST) for v in (value, average))
    away = np.log(held / level) if log else held - level
    parts = np.array_split(np.arange(len(good)), min(_PIECES, len(good) // 20))
    at = [float(curve.series.step[good[part[len(part) // 2]]]) for part in parts]
    # Around their own median: an average that looks back lags behind a curve that falls.
    size = [MAD_TO_SIGMA * float(np.median(np.abs(away[p] - np.median(away[p])))) for p in parts]
    sigma = np.interp(curve.x, at, size)
    if log:
        return curve.smooth / np.exp(sigma), curve.smooth * np.exp(sigma)
    return curve.smooth - sigma, curve.smooth + sigma


def wants_log(series: Series) -> bool:
    """Whether a loss or a norm is positive throughout and spans more than a factor of 50."""
    value = series.finite.value
    if series.role.name not in ("loss", "gradient-norm") or not len(value) or value.min() <= 0:
        return False
    return bool(value.max() / 50 > np.quantile(value, 0.01))


def make_curve(series: Series, smooth: float | None = None) -> Curve:
    """Reduce and smooth a series.

    Parameters
    ----------
    series : Series
        Not empty.
    smooth : float in [0, 1), optional
        Weight of the past in a moving average over points, 0 for none; the default average
        without it.
    """
    kept = series.effective
    value = np.clip(kept.value, -LARGEST, LARGEST)
    value = np.where(np.isfinite(kept.value), value, np.nan)
    if smooth is None:
        average = smoothed(kept)
    else:
        average = ema(kept.value, 1 - smooth) if smooth > 0 else None
    reduced = _reduced(kept.step, value)
    if average is not None:
        # A bucket is summarised by the average at its last point.
        ends = np.searchsorted(kept.step, reduced.last)
        average = np.clip(average[ends], -LARGEST, LARGEST)
        average = np.where(np.isnan(reduced.mean), np.nan, average)
    return Curve(kept, reduced, average)


def _reduced(step: Ints, value: Floats) -> Buckets:
    if len(step) <= 2 * _BUCKETS:
        return points(step, value)
    return bucket(step, value, uniform_edges(int(step[0]), int(step[-1]), _BUCKETS))


def draw_curve(ax: Axes, curve: Curve, style: dict[str, Any], faint: float = 0.25) -> Line2D:
    """Draw a curve, and return the artist for a legend.

    The raw values lie faint behind the average, as a line or, where several points share a
    bucket, as the band between their extremes. Few points get markers.
    """
    b, x = curve.buckets, curve.x
    colour = style["color"]
    if not b.exact:
        ax.fill_between(x, b.low, b.high, color=colour, alpha=faint, linewidth=0)
    elif curve.smooth is not None:
        ax.plot(x, b.mean, color=colour, alpha=faint, linewidth=0.8)
    main = b.mean if curve.smooth is None else curve.smooth
    few = np.isfinite(curve.series.value).sum() <= 40
    marks: dict[str, Any] = (
        {"marker": "o", "markersize": 3.5} if few and curve.smooth is None else {}
    )
    (line,) = ax.plot(x, main, linewidth=1.6, **style, **marks)
    _lone_points(ax, x, main, colour)
    _mark_gaps(ax, b, colour)
    return line


def _lone_points(ax: Axes, x: Floats, y: Floats, colour: object) -> None:
    # Between two gaps a line of one point would be invisible.
    good = np.concatenate([[False], np.isfinite(y), [False]])
    lone = np.flatnonzero(good[1:-1] & ~good[:-2] & ~good[2:])
    if len(lone):
        ax.plot(x[lone], y[lone], ".", color=colour, markersize=4)


def _mark_gaps(ax: Axes, buckets: Buckets, colour: object) -> None:
    bad = np.flatnonzero(buckets.bad)
    if len(bad):
        # A cross on the axis for each place with NaN or infinity, at most a few dozen of them.
        shown = bad[:: max(1, len(bad) // 40)]
        ax.plot(
            buckets.first[shown], np.zeros(len(shown)), "x", color=colour, markersize=5,
            markeredgewidth=1.2, transform=ax.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip


def finish_axes(ax: Axes, curves: Sequence[Curve], log_y: bool | None = None) -> None:
    """Scale both axes to the curves and label their ticks.

    Parameters
    ----------
    ax : Axes
    curves : sequence of Curve
    log_y : bool, optional
        None takes a logarithmic axis where one of the curves wants it and all can have it.
    """
    log = log_y
    if log is None:
        log = any(wants_log(c.series) for c in curves) and _all_positive(curves)
    value = np.concatenate([np.concatenate([c.buckets.low, c.buckets.high]) for c in curves])
    value = value[np.isfinite(value) & ((value > 0) if log else True)]
    if log and len(value):
        ax.set_yscale("log")
        _log_ticks(ax, value)
    else:
        _linear_ticks(ax, value, curves[0].series.role.name == "learning-rate")
    step_axis(ax, (c.buckets for c in curves))


def widen(ax: Axes, value: Floats) -> None:
    """Make room on a linear axis for more values.

    Parameters
    ----------
    ax : Axes
    value : ndarray of shape (n,)
        What is not finite needs none.
    """
    good = np.clip(value[np.isfinite(value)], -LARGEST, LARGEST)
    if len(good):
        low, high = ax.get_ylim()
        own_low, own_high = _range(good)
        ax.set_ylim(min(low, own_low), max(high, own_high))


def _all_positive(curves: Sequence[Curve]) -> bool:
    return all(len(c.series.finite) == 0 or c.series.finite.value.min() > 0 for c in curves)


def _linear_ticks(ax: Axes, value: Floats, from_zero: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = _range(np.append(value, 0.0) if from_zero else value)
    ax.set_ylim(low, high)
    if not len(value):
        ax.set_yticks([])
        put(ax, 0.5, 0.5, "no finite value", ha="center", va="center", fontsize=SMALL, color=SOFT)
        return
    if len(value) and value.max() > high:
        above = f"up to {words.number(float(value.max()))} "
        put(ax, 1.0, 0.97, above, ha="right", va="top", fontsize=SMALL, color=SOFT)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, min_n_ticks=2))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: words.number(v)))


def _range(value: Floats) -> tuple[float, float]:
    """Where the values lie; a few extremes that would flatten all others are cut off."""
    if not len(value):
        return 0.0, 1.0
    low, high = float(value.min()), float(value.max())
    inner_low, inner_high = (float(q) for q in np.quantile(value, (0.01, 0.99)))
    if len(value) > 200 and high / 8 - low / 8 > inner_high - inner_low > 0:
        low, high = inner_low, inner_high
    pad = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return low - pad, high + pad


def _log_ticks(ax: Axes, value: Floats) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    # In logarithms: a range of 1e-300 to 1e300 has no quotient.
    low, high = math.log10(value.min()), math.log10(value.max())
    decades = high - low
    pad = max(0.05 * decades, 0.02)
    ax.set_ylim(10.0 ** max(low - pad, -160), 10.0 ** min(high + pad, 160))
    ax.yaxis.set_major_locator(
        LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,), numticks=6)
    )
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: words.number(v)))


def step_axis(ax: Axes, parts: Iterable[Buckets]) -> None:
    """Scale the axis of steps to some buckets, with thin spaces between thousands."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    held = [b for b in parts if len(b)]
    low, high = (float(min(b.first[0] for b in held)), float(max(b.last[-1] for b in held)))
    pad = 0.015 * (high - low) or 1.0
    ax.set_xlim(low - pad, high + pad)
    ticks = int(min(max(ax.get_window_extent().width // _TICK, 2), 6))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=ticks, integer=True))
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda v, _: words.step(round(v)) if low >= 0 <= v or v >= low else "")
    )


def best(series: Series) -> tuple[float, int] | None:
    """Best finite value and its step; None without a direction or a finite value.

    Parameters
    ----------
    series : Series
    """
    kept, direction = series.finite, series.role.direction
    if not len(kept) or not direction:
        return None
    at = int(np.argmax(kept.value) if direction == "max" else np.argmin(kept.value))
    return float(kept.value[at]), int(kept.step[at])


def summary(series: Series) -> str:
    """Latest and best value: ``last 0.63 · best 0.628 at 5 900``."""
    kept = series.effective
    if not len(kept):
        return ""
    text = f"last {words.number(float(kept.value[-1]))}"
    if found := best(series):
        text += f" · best {words.number(found[0])} at {words.step(found[1])}"
    return text


def named(series: Series) -> str:
    """Metric, unit and split: ``mpjpe (mm), val``."""
    unit = f" ({series.unit})" if series.unit else ""
    return f"{series.metric}{unit}, {series.split}"


def between(x: Floats, curve: Curve) -> Floats:
    """Values of a curve at other steps, NaN outside of it.

    Parameters
    ----------
    x : ndarray of shape (n,)
    curve : Curve

    Returns
    -------
    ndarray of shape (n,)
    """
    y = curve.buckets.mean if curve.smooth is None else curve.smooth
    good: NDArray[np.bool_] = np.isfinite(y)
    if not good.any():
        return np.full(len(x), np.nan)
    return np.interp(x, curve.x[good], y[good], left=np.nan, right=np.nan)
