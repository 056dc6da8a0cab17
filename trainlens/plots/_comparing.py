"""What the pictures of a comparison share: their registry, curves along an axis, arms and axes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from trainlens import words
from trainlens.comparison.axis import Placed
from trainlens.comparison.course import courses
from trainlens.comparison.model import Arm, Comparison, Key, Row
from trainlens.plots._lines import LARGEST
from trainlens.plots._text import legend
from trainlens.plots.base import COLOURS, DASHES, DPI, FONT, RULE, SOFT, available, head
from trainlens.run import Floats
from trainlens.stats.ema import time_weighted_ema
from trainlens.stats.noise import MAD_TO_SIGMA, second_difference_noise
from trainlens.stats.rolling import rolling_median

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 8
"""Candidates that a picture shows; more lines cannot be told apart."""
NAMED = 3
"""Arms whose names stand in the head."""
_PLACES = 800
_FEW = 60
_HALF_LIFE = 0.02
"""Of the average, as a share of the range of the axis."""
VERDICT_COLOURS = {"better": "#1a7f37", "worse": "#b3261e"}
UNITS = {"step": "step", "epoch": "epoch", "time": "time since the start", "samples": "samples"}


class Draw(Protocol):
    """What a picture of a comparison is."""

    def __call__(
        self, comparison: Comparison, key: Key | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw one metric into `ax` or a new figure; None takes the most telling metric."""


@dataclass(frozen=True)
class ComparisonPlot:
    """A registered picture of a comparison.

    Parameters
    ----------
    name, title : str
    draw : Draw
    applies : callable
        Whether a comparison has what it shows of a metric.
    """

    name: str
    title: str
    draw: Draw
    applies: Callable[[Comparison, Key], bool]

    @property
    def about(self) -> str:
        """First paragraph of the docstring."""
        return (inspect.getdoc(self.draw) or self.title).split("\n\n")[0]


AnyDraw = TypeVar("AnyDraw", bound=Draw)
_registry: dict[str, ComparisonPlot] = {}


def comparison_plot(
    name: str, *, title: str, applies: Callable[[Comparison, Key], bool]
) -> Callable[[AnyDraw], AnyDraw]:
    """Register a picture of a comparison under a name."""

    def register(draw: AnyDraw) -> AnyDraw:
        _registry[name] = ComparisonPlot(name, title, draw, applies)
        return draw

    return register


def comparison_plots() -> Mapping[str, ComparisonPlot]:
    """Every picture of a comparison by name; they lie in the folder of the other plots."""
    available()
    return dict(sorted(_registry.items()))


def rows_of(comparison: Comparison, key: Key) -> list[Row]:
    """The rows of a metric, in the order of the candidates."""
    return [row for row in comparison.rows if row.key == key]


def chosen(comparison: Comparison, key: Key | None) -> Key:
    """`key`, or the most telling metric of a comparison.

    Raises
    ------
    ValueError
        The comparison has no metric, or not this one.
    """
    held = list(dict.fromkeys(row.key for row in comparison.rows))
    if key is None and held:
        return held[0]
    if key not in held or key is None:
        raise ValueError(f"no metric {key} in this comparison")
    return key


def shown_arms(comparison: Comparison, key: Key) -> list[tuple[int, Arm]]:
    """The baseline and up to `MOST` candidates that have a metric, with their places."""
    held = [
        (i, arm) for i, arm in enumerate(comparison.arms) if any(key in r.series for r in arm.runs)
    ]
    if len(held) <= MOST + 1:
        return held
    first = {row.candidate: row for row in rows_of(comparison, key)}
    telling = sorted(held[1:], key=lambda pair: _dull(first.get(pair[1].name)))[:MOST]
    return held[:1] + sorted(telling, key=lambda pair: pair[0])


def _dull(row: Row | None) -> tuple[bool, float]:
    """Sorts what differs most, and most surely, to the front."""
    if row is None or row.difference is None:
        return True, 0.0
    return row.verdict not in VERDICT_COLOURS, -abs(row.difference.mean)


def arm_style(place: int) -> dict[str, Any]:
    """Colour and dashes of an arm: those of the place among the arms."""
    style: dict[str, Any] = {"color": COLOURS[place % len(COLOURS)]}
    if dashes := DASHES[place // len(COLOURS) % len(DASHES)]:
        style["dashes"] = dashes
    return style


def title_of(comparison: Comparison, key: Key) -> str:
    """Metric, unit and split: ``mpjpe (mm), val``."""
    unit = next((row.unit for row in rows_of(comparison, key) if row.unit), "")
    return f"{key[0]}{f' ({unit})' if unit else ''}, {key[1]}"


def verdict_of(row: Row) -> str:
    """Verdict of a row in the head of a picture."""
    return {"cannot-judge": "cannot judge"}.get(row.verdict, row.verdict)


@dataclass(frozen=True, eq=False)
class Outline:
    """A curve as it is drawn.

    Parameters
    ----------
    at, main : ndarray of float64, shape (n,)
        Places, and values: averaged where there are many.
    noise : ndarray of float64, shape (n,)
        Standard deviation of single points around `main` there, robust; NaN unknown.
    raw_at, raw : ndarray of float64, shape (m,)
        The points themselves, or the means of neighbours; empty where `main` is the points.
    """

    at: Floats
    main: Floats
    noise: Floats
    raw_at: Floats
    raw: Floats


def outline(held: Placed) -> Outline:
    """Average and noise of a curve, both reduced to what a picture can show.

    Parameters
    ----------
    held : Placed
        Not empty.
    """
    at, value = held.at, np.clip(held.value, -LARGEST, LARGEST)
    if len(value) < _FEW:
        noise = np.full(len(value), second_difference_noise(value))
        return Outline(at, value, noise, np.empty(0), np.empty(0))
    main = time_weighted_ema(value, at - at[0], _HALF_LIFE * float(at[-1] - at[0]))
    away = np.abs(value - main)
    start = np.unique(np.linspace(0, len(at), _PLACES + 1).astype(int)[:-1])
    count = np.diff(np.append(start, len(at)))
    mean = [np.add.reduceat(part, start) / count for part in (at, value, away)]
    ends = np.append(start[1:], len(at)) - 1
    # Means of absolute deviations are 0.8 sigma of normal noise, their medians 0.67 sigma.
    factor = MAD_TO_SIGMA if len(start) == len(at) else math.sqrt(math.pi / 2)
    noise = factor * rolling_median(mean[2], max(5, len(start) // 10 | 1))
    return Outline(at[ends], main[ends], noise, mean[0], mean[1])


def draw_outline(ax: Axes, held: Outline, style: dict[str, Any], *, band: bool, raw: bool) -> Any:
    """Draw a curve, its points faint behind it and its noise as a band; the artist for a legend."""
    colour = style["color"]
    if band and np.isfinite(held.noise).any():
        low, high = held.main - held.noise, held.main + held.noise
        ax.fill_between(held.at, low, high, color=colour, alpha=0.13, linewidth=0)
    if raw and len(held.raw):
        ax.plot(held.raw_at, held.raw, color=colour, alpha=0.25, linewidth=0.7)
    marks: dict[str, Any] = (
        {} if len(held.raw) or len(held.at) > 40 else {"marker": "o", "markersize": 3.5}
    )
    (line,) = ax.plot(held.at, held.main, linewidth=1.6, **style, **marks)
    return line


def shown_range(held: Sequence[Outline]) -> Floats:
    """Values that the axis must hold: the curves and their points."""
    parts = [part for one in held for part in (one.main, one.raw)]
    return np.concatenate(parts) if parts else np.empty(0)


def scale_values(ax: Axes, value: Floats, zero: bool = False) -> None:
    """Scale the axis of values; a few extremes that would flatten all others are cut off."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    finite = value[np.isfinite(value)]
    if zero:
        finite = np.append(finite, 0.0)
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if len(finite) > 100:
        inner = [float(q) for q in np.quantile(finite, (0.01, 0.99))]
        if high / 6 - low / 6 > inner[1] - inner[0] > 0:
            low, high = inner
    pad = 0.07 * (high - low) or 0.05 * abs(high) or 0.5
    ax.set_ylim(low - pad, high + pad)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, min_n_ticks=2))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: words.number(v)))


def scale_places(ax: Axes, by: str, places: Iterable[Floats]) -> None:
    """Scale the axis of steps, epochs, times or samples, and name it unless it is steps."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    held = [p for p in places if len(p)]
    low = min((float(p.min()) for p in held), default=0.0)
    high = max((float(p.max()) for p in held), default=1.0)
    pad = 0.015 * (high - low) or 1.0
    ax.set_xlim(low - pad, high + pad)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=by != "epoch"))
    # Nothing was logged before the start, however wide the margin.
    first = min(low, 0.0)
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda v, _: told_place(v, by) if v >= first else "")
    )
    if by != "step":
        ax.set_xlabel(UNITS[by], fontsize=FONT - 1, color=SOFT, loc="right", labelpad=1)


def scale_strips(
    ax: Axes, x: tuple[float, float], y: tuple[float, float], tell: Callable[[float], str]
) -> None:
    """Scale axes on which arms are strips above each other, and values lie along them."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.set_xlim(*x)
    ax.set_ylim(*y)
    ax.grid(visible=False)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: tell(v)))


def told_place(at: float, by: str) -> str:
    """A place on the axis in words: ``12 000``, ``2.5``, ``1 h 20 min``."""
    if by == "time":
        return words.duration(at) if at >= 0 else ""
    return words.number(at) if by == "epoch" else words.step(round(at))


def named_head(ax: Axes, title: str, names: Sequence[tuple[str, str]], right: str = "",
               colour: str = SOFT) -> None:  # fmt: skip
    """The head of a picture, with the names of the arms and what is at the right if they fit."""
    letters = int(ax.get_window_extent().width / (FONT * DPI / 72 * 0.6))
    keys = [(name, own) for name, own in names] if len(names) <= NAMED else []
    used = len(title) + sum(min(len(name), 20) + 2 for name, _ in keys)
    if used > letters:
        keys, used = [], len(title)
    short = right.rpartition(": ")[2]
    right = next((text for text in (right, short) if used + len(text) + 3 <= letters), "")
    head(ax, title, right, colour, keys)


def name_below(ax: Axes, lines: Sequence[Any], names: Sequence[str]) -> None:
    """Names of many arms under the axes, in a figure of its own that has room for them."""
    if len(names) <= NAMED:
        return
    figure = ax.get_figure(root=True)
    rows = -(-len(names) // 3)
    if figure is not None and len(figure.axes) == 1:
        width, height = figure.get_size_inches()
        extra = 0.24 * rows + 0.1
        box = ax.get_position()
        figure.set_size_inches(width, height + extra)
        ax.set_position((box.x0, (box.y0 * height + extra) / (height + extra), box.width,
                         box.height * height / (height + extra)))  # fmt: skip
        legend(ax, lines, names, 34, loc="upper left", bbox_to_anchor=(0, -0.09), ncols=3,
               fontsize=FONT - 1, handlelength=2.2, borderaxespad=0)  # fmt: skip


def mark_places(ax: Axes, places: Iterable[float]) -> None:
    """A thin line at each chosen place."""
    for at in list(places)[:12]:
        ax.axvline(at, color=RULE, linewidth=1.0, zorder=0.5)


def points_of(comparison: Comparison, arm: Arm, key: Key) -> list[Placed]:
    """Points of each run of an arm along the axis of a comparison."""
    return courses(arm, key, comparison.by)


def told_difference(row: Row) -> str:
    """Mean difference, interval and verdict in one line."""
    found = row.difference
    if found is None:
        return verdict_of(row)
    low, high = (words.signed(v, 3) for v in (found.interval.low, found.interval.high))
    return f"{words.signed(found.mean, 3)} ({low} to {high}): {verdict_of(row)}"
