"""What the header of a log planned against what was logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
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
from trainlens.rules.plan_deviation import logged, planned_values
from trainlens.run import Floats, Run, Series
from trainlens.stats.deviation import Deviation, deviation
from trainlens.stats.planned import PlanError, parse

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST, _FIELDS = 4, 50
_POINTS = 4000
"""Points of a plan that are drawn."""


@dataclass(frozen=True, eq=False)
class Compared:
    """A logged value beside its plan.

    Parameters
    ----------
    series : Series
        Finite, with points.
    planned : ndarray of shape (n,)
        At its steps.
    found : Deviation
    """

    series: Series
    planned: Floats
    found: Deviation


def compared(run: Run) -> list[Compared]:
    """Planned fields that were logged; what leaves its plan first, the farthest off first.

    Parameters
    ----------
    run : Run
        Plans that cannot be read are left out; the rule ``plan-deviation`` tells of them.
    """
    plans = run.config.get("schedules")
    if not isinstance(plans, Mapping):
        return []
    total = plans.get("total_steps")
    whole = total if isinstance(total, int | float) and total > 0 else None
    held = []
    for field, spec in list(plans.items())[:_FIELDS]:
        if field != "total_steps":
            held += _of_field(run, str(field), spec, whole)
    return sorted(held, key=lambda c: (c.found.first is None, -c.found.size))


def _of_field(run: Run, field: str, spec: object, total: float | None) -> list[Compared]:
    held = []
    try:
        plan = parse(spec)
        for series, group in logged(run, field):
            if len(curve := series.finite):
                values = planned_values(run, curve, group, plan, total)
                found = deviation(curve.step, curve.value, values)
                held.append(Compared(curve, values, found))
    except PlanError:
        return held
    return held


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
