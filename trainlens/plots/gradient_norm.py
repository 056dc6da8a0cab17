"""The norm of the gradient over a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.detect.layers import gradient_norm as whole_norm
from trainlens.plots._legends import name_lines, room
from trainlens.plots._lines import draw_curve, finish_axes, make_curve
from trainlens.plots._marks import attempt_lines, shade
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
from trainlens.run import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@plot(
    "gradient-norm",
    title="Gradient norm",
    applies=lambda run: run.main("gradient-norm") is not None,
    several=True,
)
def gradient_norm(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """Norm of the gradient before clipping, logarithmic where it spans decades.

    Where only the norms of layers are logged, the norm over all of them.

    Parameters
    ----------
    run_or_runs : Run or sequence of Run
    ax : Axes, optional
        None draws into a new figure.
    findings : sequence of Finding
        Faults of the norm are shaded; only with a single run.

    Returns
    -------
    Axes
    """
    runs, below = as_runs(run_or_runs), ax is None
    held = [(i, r, s) for i, r in enumerate(runs) if (s := whole_norm(r)) is not None]
    ax = axes_or_new(ax, below=room(len(held)))
    if not held:
        return nothing(ax, "Gradient norm", "no gradient norm in this log")
    curves = [make_curve(s) for _, _, s in held]
    lines = [draw_curve(ax, c, line_style(i)) for c, (i, _, _) in zip(curves, held, strict=True)]
    finish_axes(ax, curves)
    if len(runs) == 1:
        series = held[0][2]
        head(ax, series.metric, _levels(series), line_style(0)["color"])
        shade(ax, findings, [series])
        attempt_lines(ax, series)
    else:
        head(ax, "Gradient norm")
        name_lines(ax, lines, [run.name for _, run, _ in held], below)
    return ax


def _levels(series: Series) -> str:
    kept = series.finite.value
    if not len(kept):
        return ""
    middle, top = words.number(float(np.median(kept))), words.number(float(kept.max()))
    return f"median {middle} · highest {top}"
