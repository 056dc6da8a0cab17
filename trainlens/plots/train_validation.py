"""Training and validation of the same metric, and the gap between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.plots._lines import (
    Curve,
    best,
    between,
    draw_curve,
    finish_axes,
    make_curve,
)
from trainlens.plots._marks import phase_ticks, shade
from trainlens.plots.base import (
    COLOURS,
    RunOrRuns,
    axes_or_new,
    head,
    nothing,
    plot,
    single,
)
from trainlens.rules.base import Finding
from trainlens.run import Run, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def pair(run: Run) -> tuple[Series, Series] | None:
    """The most telling metric that a run has for training and for another split."""
    for role in ("loss", "metric"):
        for watched in run.with_role(role):
            train = run.series.get((watched.metric, "train"))
            if watched.split != "train" and train is not None and len(train):
                return train, watched
    return None


@plot(
    "train-validation",
    title="Training and validation",
    applies=lambda run: pair(run) is not None,
)
def train_validation(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """Training and validation of one metric, their gap shaded, the best validation marked.

    Parameters
    ----------
    run_or_runs : Run, or a sequence of one
    ax : Axes, optional
        None draws into a new figure.
    findings : sequence of Finding
        Faults of either series are shaded.

    Returns
    -------
    Axes
    """
    ax, run = axes_or_new(ax), single(run_or_runs)
    found = pair(run)
    if found is None:
        return nothing(ax, "Training and validation", "no metric that both splits have")
    train, watched = found
    curves = [make_curve(train), make_curve(watched)]
    for curve, colour in zip(curves, COLOURS, strict=False):
        draw_curve(ax, curve, {"color": colour})
    _shade_gap(ax, *curves)
    finish_axes(ax, curves)
    unit = f" ({train.unit})" if train.unit else ""
    keys = list(zip((train.split, watched.split), COLOURS, strict=False))
    head(ax, f"{train.metric}{unit}", _mark_best(ax, watched), COLOURS[1], keys)
    shade(ax, findings, found, phase_ticks(ax, run))
    return ax


def _shade_gap(ax: Axes, train: Curve, watched: Curve) -> None:
    x = watched.x
    upper = watched.buckets.mean if watched.smooth is None else watched.smooth
    lower = between(x, train)
    both = np.isfinite(upper) & np.isfinite(lower)
    if both.sum() > 1:
        ax.fill_between(x, lower, upper, where=both, color=COLOURS[1], alpha=0.10, linewidth=0)


def _mark_best(ax: Axes, watched: Series) -> str:
    found = best(watched)
    if found is None:
        return ""
    value, step = found
    if abs(value) < 1e150:
        ax.plot([step], [value], "o", color="white", markersize=8, markeredgecolor=COLOURS[1],
                markeredgewidth=2)  # fmt: skip
    last = words.number(float(watched.effective.value[-1]))
    return f"last {last} · best {words.number(value)} at {words.step(step)}"
