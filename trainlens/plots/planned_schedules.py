"""What the header of a log planned against what was logged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.detect.plans import Compared, compare, logged, plans
from trainlens.plots._lines import draw_curve, finish_axes, make_curve, widen
from trainlens.plots._marks import shade
from trainlens.plots._panels import panels
from trainlens.plots._text import put
from trainlens.plots.base import (
    COLOURS,
    INK,
    SMALL,
    SOFT,
    RunOrRuns,
    axes_or_new,
    head,
    nothing,
    plot,
    single,
)
from trainlens.rules.base import Finding
from trainlens.run import Floats, Run
from trainlens.stats.planned import PlanError, parse

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 4
_POINTS = 4000
"""Points of a plan that are drawn."""


def compared(run: Run) -> list[Compared]:
    """Planned fields that were logged; what leaves its plan first, the farthest off first.

    Parameters
    ----------
    run : Run
        Plans that cannot be read are left out, as are those whose factor is not in the log; the
        rule ``plan-deviation`` tells of them.
    """
    held = [one for field, spec in plans(run) for one in _of_field(run, field, spec)]
    return sorted(held, key=lambda c: (c.found.first is None, -c.found.size))


def _of_field(run: Run, field: str, spec: object) -> Iterator[Compared]:
    try:
        plan = parse(spec)
        for series, group in logged(run, field):
            one = compare(run, series, group, plan)
            if one is not None and not (one.missing and one.found.first is not None):
                yield one
    except PlanError:
        return


@plot(
    "planned-schedules",
    title="Planned and logged",
    applies=lambda run: bool(compared(run)),
)
def planned_schedules(
    run_or_runs: RunOrRuns, ax: Axes | None = None, findings: Sequence[Finding] = ()
) -> Axes:
    """Schedules that the header of the log plans, dashed, against what was logged, solid.

    What lies between them is shaded, and the first step that is off the plan is marked. The rule
    ``plan-deviation`` judges by the same figures.

    Parameters
    ----------
    run_or_runs : Run, or a sequence of one
    ax : Axes, optional
        Its place is divided among up to four fields; None makes a new sheet.
    findings : sequence of Finding
        Deviations are shaded with their number.

    Returns
    -------
    Axes
        The empty axes that the panels lie in.
    """
    held = compared(single(run_or_runs))[:_MOST]
    if not held:
        why = "no planned schedule of a logged value in the header of this log"
        return nothing(axes_or_new(ax), "Planned and logged", why)
    ax, parts = panels(ax, len(held))
    for part, one in zip(parts, held, strict=False):
        _draw(part, one)
        shade(part, findings, [one.series], only=lambda f: f.rule == "plan-deviation")
    return ax


def _draw(ax: Axes, one: Compared) -> None:
    curve = make_curve(one.series, smooth=0.0)
    draw_curve(ax, curve, {"color": COLOURS[0]})
    finish_axes(ax, [curve], log_y=False)
    step, planned = _thinned(one)
    widen(ax, planned)
    ax.plot(step, planned, color=INK, linewidth=1.1, dashes=(5, 3))
    at = one.found.first
    if at is None:
        head(ax, one.series.metric, "as planned", COLOURS[2])
        _name(ax)
        return
    _between(ax, one, at)
    said = f"off its plan from {words.step(int(one.series.step[at]))}"
    head(ax, one.series.metric, f"{said} · {_by_how_much(one)}", COLOURS[1])
    _name(ax)


def _thinned(one: Compared) -> tuple[Floats, Floats]:
    at = np.unique(np.linspace(0, len(one.planned) - 1, _POINTS).round().astype(np.intp))
    return one.series.step[at].astype(np.float64), one.planned[at]


def _between(ax: Axes, one: Compared, at: int) -> None:
    """Shade what lies between plan and log, and mark the first point that is off."""
    step = one.series.step
    some = at + np.unique(np.linspace(0, len(step) - 1 - at, _POINTS).round().astype(np.intp))
    ax.fill_between(
        step[some], one.planned[some], one.series.value[some], color=COLOURS[1], alpha=0.16,
        linewidth=0,
    )  # fmt: skip
    ax.plot([step[at]], [one.series.value[at]], "o", color="white", markersize=7,
            markeredgecolor=COLOURS[1], markeredgewidth=1.8, zorder=3)  # fmt: skip


def _by_how_much(one: Compared) -> str:
    if one.found.factor is not None:
        return f"{words.number(one.found.factor, 3)} times the plan"
    return f"by up to {words.percent(min(one.found.size, 1e6), 2)} of its peak"


def _name(ax: Axes) -> None:
    put(ax, 1.0, 0.97, "plan dashed ", ha="right", va="top", fontsize=SMALL, color=SOFT)
