"""One metric of several runs over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainlens.plots._legends import name_lines, room
from trainlens.plots._lines import draw_curve, finish_axes, make_curve, named, summary
from trainlens.plots.base import (
    DASHES,
    RunOrRuns,
    as_runs,
    axes_or_new,
    head,
    line_style,
    nothing,
    plot,
)
from trainlens.rules.base import Finding
from trainlens.run import Run, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Key = tuple[str, str]


def shared_keys(runs: Sequence[Run], least: int = 2) -> list[Key]:
    """Losses and quality metrics that several runs have, the most telling first.

    Parameters
    ----------
    runs : sequence of Run
    least : int
        Runs that must have it.

    Returns
    -------
    list of (metric, split)
    """
    count: dict[Key, int] = {}
    rank: dict[Key, tuple[bool, bool, int]] = {}
    for run in runs:
        for key, series in run.series.items():
            role = series.role
            if role.name in ("loss", "metric") and len(series):
                count[key] = count.get(key, 0) + 1
                # What was held out tells more than what was trained on, a measure of quality
                # more than a loss.
                rank[key] = (series.split == "train", role.name == "loss", -role.priority)
    return sorted((k for k, n in count.items() if n >= least), key=lambda k: (-count[k], rank[k]))


@plot("metric-overlay", title="A metric of several runs", several=True)
def metric_overlay(
    run_or_runs: RunOrRuns,
    ax: Axes | None = None,
    findings: Sequence[Finding] = (),
    *,
    metric: str | None = None,
    split: str | None = None,
    smooth: float | None = None,
    log_y: bool | None = None,
) -> Axes:
    """Any metric of several runs, with the band between extremes where points share a pixel.

    Parameters
    ----------
    run_or_runs : Run or sequence of Run
        A run keeps the colour of its place in the sequence.
    ax : Axes, optional
        None draws into a new figure.
    findings : sequence of Finding
        Not shown here.
    metric : str, optional
        None takes the most telling one that most runs have.
    split : str, optional
        None shows every split, the first solid, further ones dashed.
    smooth : float in [0, 1), optional
        Weight of the past in the moving average over points (TensorBoard's slider), 0 for none;
        None takes the time-weighted default.
    log_y : bool, optional
        None decides by the range of the values.

    Returns
    -------
    Axes
    """
    runs = as_runs(run_or_runs)
    if metric is None:
        keys = shared_keys(runs, least=1)
        metric, split = keys[0] if keys else ("metric", split)
    held = _held(runs, metric, split)
    ax = axes_or_new(ax, 9.0, 4.0, room(len(held)))
    if not held:
        return nothing(ax, metric, "no run has it")
    curves = [make_curve(s, smooth) for _, s in held]
    faint = 0.25 if len(held) < 4 else 0.10
    splits = sorted({s.split for _, s in held}, key=lambda s: (s != "train", s))
    lines = [
        draw_curve(ax, curve, _style(i, s, splits, len(runs)), faint)
        for curve, (i, s) in zip(curves, held, strict=True)
    ]
    finish_axes(ax, curves, log_y)
    first = held[0][1]
    if len(held) == 1:
        head(ax, named(first), summary(first), _style(held[0][0], first, splits, 1)["color"])
        return ax
    unit = f" ({first.unit})" if first.unit else ""
    head(ax, named(first) if len(splits) == 1 else f"{metric}{unit}")
    names = [_label(runs, i, s, splits) for i, s in held]
    name_lines(ax, lines, names, below=True)
    return ax


def _held(runs: Sequence[Run], metric: str, split: str | None) -> list[tuple[int, Series]]:
    return [
        (i, s)
        for i, run in enumerate(runs)
        for (m, p), s in run.series.items()
        if m == metric and split in (None, p) and len(s)
    ]


def _style(run: int, series: Series, splits: Sequence[str], runs: int) -> dict[str, Any]:
    place = splits.index(series.split)
    if runs == 1:
        return line_style(place)
    style = line_style(run)
    if place:
        style["dashes"] = DASHES[1 + (place - 1) % 3]
    return style


def _label(runs: Sequence[Run], run: int, series: Series, splits: Sequence[str]) -> str:
    if len(runs) == 1:
        return series.split
    return runs[run].name if len(splits) == 1 else f"{runs[run].name}, {series.split}"
