"""What was expected of a run, held against what it shows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from trainlens import words
from trainlens.comparison.axis import placed
from trainlens.comparison.endings import gone
from trainlens.comparison.failed import list_of
from trainlens.comparison.model import Arm, Failure
from trainlens.expectation import Expectation, Measured, measure
from trainlens.expectation.statement import GAP
from trainlens.run import Run, Series

STATUSES = ("met", "missed", "cannot-judge")


@dataclass(frozen=True)
class Judged:
    """An expectation and what became of it.

    Parameters
    ----------
    expectation : Expectation
    candidate : str
        Name of the arm.
    baseline : str
        Empty without one.
    status : str
        One of `STATUSES`.
    actual, before : float
        The number of the candidate and of the baseline, NaN where there is none; of several runs
        the mean over them, of several series (a pattern) the one that is farthest off.
    low, high : float
        What is accepted; infinite where it is open, NaN where it cannot be known.
    unit : str
    because : str
        One sentence.
    """

    expectation: Expectation
    candidate: str
    baseline: str
    status: str
    actual: float
    before: float
    low: float
    high: float
    unit: str
    because: str


def judge(
    expectations: Iterable[Expectation], candidate: Arm, baseline: Arm | None = None
) -> tuple[Judged, ...]:
    """Hold expectations against an arm.

    Where the metric of a run is not finite to the end of its log, from before the last place that
    an expectation asks of, it is missed: its finite points are not judged.

    Parameters
    ----------
    expectations : iterable of Expectation
    candidate : Arm
        Of several runs the mean over them counts.
    baseline : Arm, optional
        For what is expected relative to it, and to show what was before.

    Returns
    -------
    tuple of Judged, in order
    """
    return tuple(_judged(one, candidate, baseline) for one in expectations)


def _judged(asked: Expectation, candidate: Arm, baseline: Arm | None) -> Judged:
    now = _measured(candidate, asked)
    then = _measured(baseline, asked) if baseline is not None else []
    cases = [_case(asked, candidate, baseline, one, _partner(one, then)) for one in now]
    return max(cases, key=lambda case: (_GRAVITY[case.status], _distance(case)))


_COUNTS = ("nonfinite", "count")
"""Statistics that count points, numbers or not."""
_GRAVITY = {"met": 0, "cannot-judge": 1, "missed": 2}


def _distance(case: Judged) -> float:
    away = max(case.low - case.actual, case.actual - case.high)
    return away if math.isfinite(away) else -math.inf


def _measured(arm: Arm, asked: Expectation) -> list[Measured]:
    """What the runs of an arm show: for each series the mean over the runs."""
    found = [measure(run, asked) for run in arm.runs]
    if len(found) == 1:
        return list(found[0])
    groups: dict[tuple[str, str], list[Measured]] = {}
    for held in found:
        for one in held:
            key = (one.series.metric, one.series.split) if one.series is not None else ("", "")
            groups.setdefault(key, []).append(one)
    return [_pooled(held, len(arm.runs)) for held in groups.values()]


def _pooled(held: list[Measured], runs: int) -> Measured:
    first = next((one for one in held if one.why), held[0])
    # What a training reported once has no series in the others: they reported nothing.
    reports = first.series is not None and first.series.role.name == "anomaly"
    if first.why or (len(held) < runs and not reports):
        why = first.why or f"only {len(held)} of {runs} runs have it"
        return Measured(math.nan, 0, first.series, all(m.complete for m in held), why)
    value = float(np.mean([one.value for one in held]))
    points = sum(one.points for one in held)
    return Measured(value, points, held[0].series, all(m.complete for m in held))


def _lost(asked: Expectation, arm: Arm, series: Series | None) -> list[str]:
    """How runs of an arm failed before the last place that an expectation asks of."""
    if series is None or asked.stat in _COUNTS:
        return []
    told = []
    for run in arm.runs:
        # A gap is no series of the log: it ends as what it is made of does.
        held = series if asked.split == GAP else run.series.get((series.metric, series.split))
        failure = gone(held) if held is not None else None
        if held is not None and failure is not None and _concerns(asked, run, held, failure):
            told.append(f"{run.name} is {failure.told}")
    return told


def _concerns(asked: Expectation, run: Run, held: Series, failure: Failure) -> bool:
    """Whether a failure lies before the last place that an expectation asks of."""
    last = asked.at if asked.at is not None else asked.last
    if last is None:
        return True
    if asked.axis == "step":
        return failure.step <= last
    known = placed(run, replace(held.effective, value=np.zeros(len(held.effective))), asked.axis)
    at = known.at[known.step >= failure.step]
    return bool(len(at)) and float(at[0]) <= last


def _partner(one: Measured, held: list[Measured]) -> Measured | None:
    """The same series of the other arm."""
    if one.series is None:
        return held[0] if len(held) == 1 else None
    same = (m for m in held if m.series is not None and m.series.metric == one.series.metric
            and m.series.split == one.series.split)  # fmt: skip
    return next(same, held[0] if len(held) == 1 else None)


def _case(
    asked: Expectation, candidate: Arm, baseline: Arm | None, now: Measured, then: Measured | None
) -> Judged:
    before = then.value if then is not None and not then.why else math.nan
    why = _why_not(asked, now, then, baseline)
    low, high = (math.nan, math.nan)
    status = "cannot-judge"
    if not (asked.needs_baseline and math.isnan(before)):
        low, high = asked.limits(before if asked.needs_baseline else None)
    if not why:
        met = asked.met(now.value, before if asked.needs_baseline else None)
        status = "met" if met else "missed"
        why = _found(asked, now)
    actual = now.value
    if lost := _lost(asked, candidate, now.series):
        status, actual, why = "missed", math.nan, list_of(lost)
    unit = asked.unit or (now.series.unit if now.series is not None else "")
    name = baseline.name if baseline is not None else ""
    return Judged(asked, candidate.name, name, status, actual, before, low, high, unit, why)


def _why_not(asked: Expectation, now: Measured, then: Measured | None, baseline: Arm | None) -> str:
    if now.why:
        return now.why
    if not now.complete and not _certain(asked, now):
        return "the log does not reach that far yet"
    if asked.needs_baseline and baseline is None:
        return "there is no baseline to compare with"
    if asked.needs_baseline and (then is None or then.why):
        return (
            f"the baseline has no such number: {then.why if then is not None else 'no such series'}"
        )
    if asked.needs_baseline and baseline is not None and then is not None:
        lost = _lost(asked, baseline, then.series)
        return f"the baseline has no such number: {list_of(lost)}" if lost else ""
    return ""


def _certain(asked: Expectation, now: Measured) -> bool:
    """Whether a log that goes on cannot undo it: a best value that is below its limit stays so."""
    if asked.needs_baseline or asked.stat not in ("min", "max") or asked.at is not None:
        return False
    return asked.met(now.value) and asked.op in (
        ("<", "<=") if asked.stat == "min" else (">", ">=")
    )


def _found(asked: Expectation, now: Measured) -> str:
    unit = asked.unit or (now.series.unit if now.series is not None else "")
    of = f" (of {words.plural(now.points, 'point')})" if now.points > 1 else ""
    return f"it is {words.with_unit(now.value, unit)}{of}"
