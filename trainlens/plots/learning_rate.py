"""The learning rate over a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.detect.rates import schedule_of
from trainlens.plots._legends import name_lines, room
from trainlens.plots._lines import draw_curve, finish_axes, make_curve
from trainlens.plots._marks import shade
from trainlens.plots._schedule import fitted, named
from trainlens.plots.base import (
    INK,
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
    """Rates of a run, each course once: a group at the base rate only hides it."""
    kept: list[Series] = []
    for series in run.with_role("learning-rate"):
        if not any(_same(series, other) for other in kept):
            kept.append(series)
        if len(kept) == _MOST:
            break
    return tuple(kept)


def _same(a: Series, b: Series) -> bool:
    return np.array_equal(a.step, b.step) and np.array_equal(a.value, b.value, equal_nan=True)


@plot(
    "learning-rate",
    title="Learning rate",
    applies=lambda run: bool(_rates(run)),
    several=True,
)
def learning_rate(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """Learning rate of each group of one run, or of several runs, and the schedule it follows.

    The schedule of the main rate of a single run is recognised from its values, drawn as a thin
    dashed curve over them, and named at the right.

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
    runs, below = as_runs(run_or_runs), ax is None
    if len(runs) == 1:
        held = [(i, s.metric, s) for i, s in enumerate(_rates(runs[0]))]
    else:
        held = [(i, run.name, s) for i, run in enumerate(runs) for s in _rates(run)[:1]]
    ax = axes_or_new(ax, below=room(len(held)))
    if not held:
        return nothing(ax, "Learning rate", "no learning rate in this log")
    # A schedule is exact: its average would only blur its steps.
    curves = [make_curve(s, smooth=0.0) for _, _, s in held]
    lines = [draw_curve(ax, c, line_style(i)) for c, (i, _, _) in zip(curves, held, strict=True)]
    finish_axes(ax, curves, log_y=False)
    told = _schedule(ax, held[0][2]) if len(runs) == 1 else ""
    colour = line_style(held[0][0])["color"]
    head(ax, held[0][1] if len(held) == len(runs) == 1 else "Learning rate", told, colour)
    name_lines(ax, lines, [name for _, name, _ in held], below)
    if len(runs) == 1:
        shade(ax, findings, [s for _, _, s in held])
    return ax


def _schedule(ax: Axes, series: Series) -> str:
    """Draw the recognised schedule of a rate over it, and name it."""
    kept = series.finite
    if len(kept) < 3:
        return f"last {words.number(float(kept.value[-1]))}" if len(kept) else ""
    found = schedule_of(series)
    curve = fitted(found, kept)
    if curve is not None:
        ax.plot(*curve, color=INK, linewidth=0.9, dashes=(5, 4))
    told = named(found, int(kept.step[-1]))
    if found.family == "unknown":
        peak, last = (words.number(float(v), 3) for v in (kept.value.max(), kept.value[-1]))
        told += f" · peak {peak} · last {last}"
    return told
