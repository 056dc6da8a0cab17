"""The rule ``plan-deviation``: a logged value leaves the schedule that the header plans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from trainlens import words
from trainlens.detect.rates import planned_total
from trainlens.roles import normalise, role_of
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.deviation import Deviation, deviation
from trainlens.stats.planned import PlanError, Planned, parse

_MOST_FIELDS, _MOST_GROUPS = 50, 8


@rule(
    "plan-deviation",
    severity="warning",
    about="optimizer",
    source="the formulas of trainlens.stats.planned; tolerance is the rounding of the log and "
    "a step more or less",
)
def plan_deviation(run: Run, *, tolerance: float = 0.0, serious: float = 0.05) -> Iterator[Finding]:
    """A logged value leaves the schedule that the header of the log plans for it.

    The header of a native log may hold planned schedules by field (`trainlens.schema`): learning
    rate, dropout, loss weights, anything that is logged under the field's name, and parameter
    groups (``lr/backbone``) as constant multiples of it. A deviation is two consecutive points
    that differ by more than the rounding of the log, one step of the schedule and `tolerance`
    (a share of the planned value). It is a warning from the share `serious` of the largest planned
    value on, else an information.

    What to do: look for a second scheduler, a value set by hand, a resume with another number of
    steps; if the log is right, correct the plan.
    """
    plans = run.config.get("schedules")
    if not isinstance(plans, Mapping) or not plans:
        yield skip("no planned schedules in the header of this log")
        return
    for field, spec in list(plans.items())[:_MOST_FIELDS]:
        if field != "total_steps":
            yield from _judge(run, str(field), spec, plans.get("total_steps"), tolerance, serious)


def _judge(
    run: Run, field: str, spec: object, total: object, tolerance: float, serious: float
) -> Iterator[Finding]:
    try:
        plan = parse(spec)
    except PlanError as error:
        yield inconclusive(f"cannot tell: the plan of {field[:80]} cannot be read: {error}")
        return
    found = logged(run, field)
    if not found:
        yield skip(f"{field[:80]} is planned, but not in this log")
    for series, group in found:
        whole = total if isinstance(total, int | float) and total > 0 else None
        try:
            yield _compared(run, series, group, plan, whole, tolerance, serious)
        except PlanError as error:
            yield inconclusive(f"cannot tell: {error}", series)


def logged(run: Run, field: str) -> list[tuple[Series, str | None]]:
    """Series of a planned field, and those of its parameter groups with the name of the group."""
    wanted, own, groups = normalise(field), [], []
    for series in run.series.values():
        name = normalise(series.metric)
        if not len(series) or series.split not in ("train", ""):
            continue
        if field in (series.metric, series.name) or name == wanted:
            own.append((series, None))
        elif series.metric.startswith(field) and series.metric[len(field)] in "/_-.":
            groups.append((series, series.metric[len(field) + 1 :]))
    if not own and not groups and role_of(field).name == "learning-rate":
        rate = run.main("learning-rate")
        own = [(rate, None)] if rate is not None else []
    return [*own[:1], *groups[:_MOST_GROUPS]]


def _compared(
    run: Run,
    series: Series,
    group: str | None,
    plan: Planned,
    total: float | None,
    tolerance: float,
    serious: float,
) -> Finding:
    curve = series.finite
    if not len(curve):
        return inconclusive("cannot tell: no finite value", series)
    values = planned_values(run, curve, group, plan, total)
    found = deviation(curve.step, curve.value, values, tolerance)
    evidence: dict[str, float] = {"points": len(curve), "points_off": found.count}
    if found.first is None:
        return passed(
            f"{series.metric} follows its plan at all of {words.plural(len(curve), 'point')}."
            if not found.count
            else f"{series.metric} follows its plan but at {words.plural(found.count, 'point')}.",
            series,
            evidence=evidence,
        )
    return _deviates(series, curve, values, found, evidence, serious)


def planned_values(
    run: Run, curve: Series, group: str | None, plan: Planned, total: float | None
) -> Floats:
    """What a series was planned to be at its steps.

    Parameters
    ----------
    run : Run
    curve : Series
        Finite, with points.
    group : str or None
        Name of a parameter group, whose values are a multiple of the plan.
    plan : Planned
    total : float or None
        Steps that all plans of the log share.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    PlanError
        Nothing says how many steps the training has.
    """
    values = plan.value(curve.step, plan.total or total or planned_total(run, curve))
    return values if group is None else values * _ratio(plan, group, curve, values)


def _ratio(plan: Planned, group: str, curve: Series, values: Floats) -> float:
    """Factor of a parameter group: planned, else what the first tenth of the log shows."""
    if plan.ratios and group in plan.ratios:
        return plan.ratios[group]
    some = np.flatnonzero(values[: max(5, len(values) // 10)] > 1e-3 * float(values.max()))
    if not len(some):
        return 1.0
    with np.errstate(over="ignore"):
        ratio = float(np.median(curve.value[some] / values[some]))
    return ratio if np.isfinite(ratio) else 1.0


def _deviates(
    series: Series,
    curve: Series,
    values: Floats,
    found: Deviation,
    evidence: dict[str, float],
    serious: float,
) -> Finding:
    at = found.first if found.first is not None else 0
    step, end = int(curve.step[at]), int(curve.step[found.last])
    said = (
        f"{series.metric} leaves its plan at step {words.step(step)}: planned "
        f"{words.number(float(values[at]))}, logged {words.number(float(curve.value[at]))}"
    )
    if found.factor is not None:
        said += f", {words.number(found.factor, 3)} times the plan from there on."
    elif found.last == len(curve) - 1:
        said += "; it is off the plan to the end of the log."
    else:
        said += (
            f"; {words.plural(found.count, 'point')} are off, the last at step {words.step(end)}."
        )
    evidence |= {
        "planned": float(values[at]),
        "logged": float(curve.value[at]),
        "largest_share": min(found.size, 1e12),
    }
    return fail(
        said,
        series,
        first_step=step,
        last_step=max(end, step),
        evidence=evidence,
        severity="warning" if found.size >= serious else "info",
        confidence=0.97,
    )
