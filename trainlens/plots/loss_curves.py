"""Training loss of one or several runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainlens.plots._legends import name_lines, room
from trainlens.plots._lines import (
    Curve,
    draw_curve,
    finish_axes,
    make_curve,
    named,
    scatter,
    summary,
)
from trainlens.plots._marks import attempt_lines, phase_ticks, shade
from trainlens.plots.base import (
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
    from matplotlib.lines import Line2D


def training_loss(run: Run) -> Series | None:
    """The main training loss of a run, else its main loss of any split."""
    return run.main("loss", "train") or run.main("loss")


@plot(
    "loss-curves",
    title="Training loss",
    applies=lambda run: training_loss(run) is not None,
    several=True,
)
def loss_curves(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """Training loss: the average in front of the raw values, one colour a run.

    Of up to three runs, a band around the average holds two of three points (1.4826 times the
    median absolute deviation).

    Parameters
    ----------
    run_or_runs : Run or sequence of Run
        A run keeps the colour of its place in the sequence.
    ax : Axes, optional
        None draws into a new figure.
    findings : sequence of Finding
        Faults of this loss are shaded; only with a single run.

    Returns
    -------
    Axes
    """
    runs, below = as_runs(run_or_runs), ax is None
    held = [(i, run, s) for i, run in enumerate(runs) if (s := training_loss(run)) is not None]
    ax = axes_or_new(ax, below=room(len(held)))
    if not held:
        return nothing(ax, "Training loss", "no loss in this log")
    curves = [make_curve(s) for _, _, s in held]
    faint = 0.25 if len(held) < 4 else 0.12
    lines = [
        draw_curve(ax, c, line_style(i), faint) for c, (i, _, _) in zip(curves, held, strict=True)
    ]
    if len(held) < 4:
        for curve, line in zip(curves, lines, strict=True):
            _band(ax, curve, line)
    finish_axes(ax, curves)
    if len(runs) == 1:
        run, series = held[0][1:]
        head(ax, named(series), summary(series), line_style(0)["color"])
        shade(ax, findings, [series], phase_ticks(ax, run))
        attempt_lines(ax, series)
    else:
        names = {named(s) for _, _, s in held}
        head(ax, names.pop() if len(names) == 1 else "Training loss")
        name_lines(ax, lines, [run.name for _, run, _ in held], below)
    return ax


def _band(ax: Axes, curve: Curve, line: Line2D) -> None:
    found = scatter(curve)
    if found is not None:
        ax.fill_between(curve.x, *found, color=line.get_color(), alpha=0.16, linewidth=0)
