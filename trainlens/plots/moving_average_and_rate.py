"""How fast the loss falls: its moving average and the change of that average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.plots._lines import (
    draw_curve,
    finish_axes,
    make_curve,
    smoothed,
    step_axis,
    summary,
)
from trainlens.plots.base import (
    BOTTOM,
    COLOURS,
    DPI,
    SOFT,
    TOP,
    RunOrRuns,
    axes_or_new,
    head,
    nothing,
    plot,
    single,
)
from trainlens.rules.base import Finding
from trainlens.run import Floats, Run, Series
from trainlens.stats.resample import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PIECES = 40
"""Stretches of the run, each with its own rate of change."""
_TALL = 2.2
"""Inches of axes that two can share."""


def _loss(run: Run) -> Series | None:
    series = run.main("loss", "train") or run.main("loss")
    if series is None or len(series.finite) < 2 * _PIECES:
        return None
    return series.finite


def change(series: Series, pieces: int = _PIECES) -> tuple[Floats, Floats]:
    """Relative change of the moving average of a series over equal stretches of its steps.

    Parameters
    ----------
    series : Series
        Finite, steps ascending, at least 60 points.
    pieces : int

    Returns
    -------
    edge : ndarray of shape (pieces + 1,)
        Steps.
    change : ndarray of shape (pieces,)
        Share of the average at the beginning of the stretch; negative while the loss falls. NaN
        where that average is 0.

    Raises
    ------
    ValueError
        Too few points for an average.
    """
    average = smoothed(series)
    if average is None:
        raise ValueError(f"{len(series)} points are too few for a moving average")
    edge = np.linspace(float(series.step[0]), float(series.step[-1]), pieces + 1)
    level = np.interp(edge, series.step, average)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = np.diff(level) / np.abs(level[:-1])
    return edge, np.where(np.isfinite(share), share, np.nan)


@plot(
    "moving-average-and-rate",
    title="How fast the loss falls",
    applies=lambda run: _loss(run) is not None,
)
def moving_average_and_rate(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """The moving average of the loss, and its change in each fortieth of the run, in percent.

    Bars below zero are progress. The figure at the right is the change over the last quarter. In
    a place of less than 2.2 inches the bars stand alone.

    Parameters
    ----------
    run_or_runs : Run, or a sequence of one
    ax : Axes, optional
        None draws into a new figure.
    findings : sequence of Finding
        Not shown here.

    Returns
    -------
    Axes
    """
    ax, run = axes_or_new(ax, height=4.6), single(run_or_runs)
    series = _loss(run)
    if series is None:
        return nothing(ax, "Change of the loss", f"fewer than {2 * _PIECES} values of a loss")
    _average(ax, series)
    edge, share = change(series)
    percent = 100 * share
    limit = _limit(percent)
    drawn = np.clip(percent, -limit, limit)
    for colour, side in ((COLOURS[2], drawn < 0), (COLOURS[1], drawn > 0)):
        ax.stairs(np.where(side, drawn, 0.0), edge, baseline=0.0, fill=True, color=colour)
    ax.axhline(0, color=SOFT, linewidth=0.8)
    step_axis(ax, [points(series.step, series.value)])
    _percent_axis(ax, limit)
    told = _last_quarter(series)
    if (np.abs(percent) > limit).any():
        told = f"bars cut · {told}"
    head(ax, f"Change of {series.metric}", told)
    return ax


def _average(ax: Axes, series: Series) -> None:
    """Draw the moving average in the upper half, where there is room for two."""
    figure, box = ax.figure.get_figure(root=True), ax.get_position()
    inches = ax.get_window_extent().height / DPI
    if inches < _TALL:
        return
    between = (TOP + BOTTOM) / inches * box.height
    upper = 0.58 * (box.height - between)
    ax.set_position((box.x0, box.y0, box.width, box.height - between - upper))
    above = axes_or_new(figure.add_axes((box.x0, box.y1 - upper, box.width, upper)))
    curve = make_curve(series)
    draw_curve(above, curve, {"color": COLOURS[0]})
    finish_axes(above, [curve])
    head(above, f"Moving average of {series.metric}", summary(series), COLOURS[0])


def _last_quarter(series: Series) -> str:
    """Change over the last quarter of the steps, as medians of its two ends."""
    edge = np.linspace(float(series.step[0]), float(series.step[-1]), 9)
    at = np.searchsorted(series.step, edge[5:])
    before, after = series.value[at[0] : at[1]], series.value[at[2] :]
    if not len(before) or not len(after) or np.median(before) <= 0:
        return ""
    ratio = float(np.median(after) / np.median(before))
    if ratio > 10:
        return f"last quarter times {words.number(ratio, 3)}"
    return f"last quarter {words.percent(ratio - 1, signed=True)}"


def _limit(percent: Floats) -> float:
    size = np.abs(percent[np.isfinite(percent)])
    # The fall at the very beginning, or a blow-up, must not flatten the rest.
    usual = float(np.quantile(size, 0.9)) if len(size) else 0.0
    return min(2.5 * usual or 1.0, float(size.max()) * 1.05 or 1.0, 1e6) if len(size) else 1.0


def _percent_axis(ax: Axes, limit: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.set_ylim(-1.08 * limit, 1.08 * limit)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{words.number(v, 3)} %"))
