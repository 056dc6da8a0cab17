"""The learning rate over a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainlens import words
from trainlens.plots._lines import draw_curve, finish_axes, make_curve
from trainlens.plots._marks import shade
from trainlens.plots._text import legend
from trainlens.plots.base import (
    FONT,
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

# Rates of parameter groups that one plot shows.
_MOST = 4


def _rates(run: Run) -> tuple[Series, ...]:
    return run.with_role("learning-rate")[:_MOST]


@plot("learning-rate", title="Learning rate", applies=lambda run: bool(_rates(run)))
def learning_rate(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """Learning rate: of each parameter group of one run, or the main one of several runs.

    Parameters
    ----------
    run_or_runs : Run or sequence of Run
    ax : Axes, optional
        None draws into a new figure.
    findings : sequence of Finding
        Faults of the rate are shaded; only with a single run.

    Returns
    -------
    Axes
    """
    ax, runs = axes_or_new(ax), as_runs(run_or_runs)
    if len(runs) == 1:
        held = [(i, s.metric, s) for i, s in enumerate(_rates(runs[0]))]
    else:
        held = [(i, run.name, s) for i, run in enumerate(runs) for s in _rates(run)[:1]]
    if not held:
        return nothing(ax, "Learning rate", "no learning rate in this log")
    # A schedule is exact: its average would only blur its steps.
    curves = [make_curve(s, smooth=0.0) for _, _, s in held]
    lines = [draw_curve(ax, c, line_style(i)) for c, (i, _, _) in zip(curves, held, strict=True)]
    finish_axes(ax, curves, log_y=False)
    if len(held) == 1:
        head(ax, held[0][2].metric, _ends(held[0][2]), line_style(held[0][0])["color"])
    else:
        head(ax, "Learning rate")
        legend(ax, lines, [name for _, name, _ in held], 28, loc="upper right", fontsize=FONT - 1)
    if len(runs) == 1:
        shade(ax, findings, [s for _, _, s in held])
    return ax


def _ends(series: Series) -> str:
    kept = series.finite.value
    if not len(kept):
        return ""
    return f"peak {words.number(float(kept.max()))} · last {words.number(float(kept[-1]))}"
