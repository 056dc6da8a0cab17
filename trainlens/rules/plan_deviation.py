"""The rule ``plan-deviation``: a logged value leaves the schedule that the header plans."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens import words
from trainlens.detect.plans import Compared, compare, logged, plans
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run
from trainlens.stats.planned import PlanError, parse


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
    groups (``lr/backbone``) as constant multiples of it. A plan that names a series which
    multiplies it (``times``, such as the factor of an adaptive manager) is multiplied by its last
    logged value. A deviation is two consecutive points that differ by more than the rounding of
    the log, one step of the schedule and `tolerance` (a share of the planned value). It is a
    warning from the share `serious` of the largest planned value on, else an information.

    What to do: look for a second scheduler, a value set by hand, a resume with another number of
    steps; if the log is right, correct the plan.

    Settings
    --------
    tolerance : share of the planned value
        That is no deviation.
    serious : share of the largest planned value
        A deviation from which on it is a warning.
    """
    held = list(plans(run))
    if not held:
        yield skip("no planned schedules in the header of this log")
    for field, spec in held:
        yield from _judge(run, field, spec, tolerance, serious)


def _judge(
    run: Run, field: str, spec: object, tolerance: float, serious: float
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
        try:
            one = compare(run, series, group, plan, tolerance)
        except PlanError as error:
            yield inconclusive(f"cannot tell: {error}", series)
            continue
        none = "cannot tell: no finite value"
        yield inconclusive(none, series) if one is None else _told(one, serious)


def _told(one: Compared, serious: float) -> Finding:
    series, found = one.series, one.found
    evidence: dict[str, float] = {"points": len(series), "points_off": found.count}
    without = f"{one.missing[:80]}, which multiplies the plan, is not in this log"
    if found.first is None:
        where = f"but at {words.plural(found.count, 'point')}"
        if not found.count:
            where = f"at all of {words.plural(len(series), 'point')}"
        said = f"{series.metric} follows its plan {where}."
        more = f" Compared without it: {without}." if one.missing else ""
        return passed(said + more, series, evidence=evidence)
    if one.missing:
        step = words.step(int(series.step[found.first]))
        return inconclusive(
            f"cannot tell: {series.metric} leaves its plan at step {step}, but {without}", series
        )
    return _deviates(one, found.first, evidence, serious)


def _deviates(one: Compared, at: int, evidence: dict[str, float], serious: float) -> Finding:
    series, found = one.series, one.found
    step, end = int(series.step[at]), int(series.step[found.last])
    planned, value = float(one.planned[at]), float(series.value[at])
    said = (
        f"{series.metric} leaves its plan at step {words.step(step)}: planned "
        f"{words.number(planned)}, logged {words.number(value)}"
    )
    if found.factor is not None:
        said += f", {words.number(found.factor, 3)} times the plan from there on."
    elif found.last == len(series) - 1:
        said += "; it is off the plan to the end of the log."
    else:
        said += (
            f"; {words.plural(found.count, 'point')} are off, the last at step {words.step(end)}."
        )
    return fail(
        said,
        series,
        first_step=step,
        last_step=max(end, step),
        evidence=evidence
        | {"planned": planned, "logged": value, "largest_share": min(found.size, 1e12)},
        severity="warning" if found.size >= serious else "info",
        confidence=0.97,
    )
