"""Advice on values that are no numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trainlens import words
from trainlens.prescribe.base import (
    EXCLUDED,
    LIKELY,
    Advice,
    Case,
    Expectation,
    Hypothesis,
    Remedy,
    advises,
)
from trainlens.prescribe.expecting import NOT_LOGGED, all_finite, expect
from trainlens.prescribe.moments import (
    SKIP_BAD,
    ago,
    broke_first,
    clip,
    gradient,
    overflow,
    rate_jump,
    resumed,
    spoken,
    too_early,
)
from trainlens.prescribe.remedies import go_back, scaled_lr
from trainlens.rules.base import Finding
from trainlens.run import Series
from trainlens.stats.noise import median


@advises("non-finite")
def _non_finite(case: Case, finding: Finding) -> Advice:
    series = case.run.series.get((finding.metric, finding.split))
    step = finding.first_step or 0
    if series is None:
        return _advice(case, finding, _open(finding), (*_smaller(case, step), *_last(step)))
    first = _after_another(case, series, step, _said(finding))
    if first is not None:
        return _advice(case, finding, (first,), (SKIP_BAD,))
    # What is not finite has no gradient that is: the norm of the same step tells nothing.
    told = gradient(case, series, step, step - 1)
    quiet = told is not None and told.weight <= EXCLUDED
    others = _alone(finding) if quiet else _open(finding)[1 if told is not None else 0 :]
    before = _before(case, series, step, _said(finding))
    causes = tuple(c for c in (*before, told, too_early(case, step, 0.05), *others) if c)
    smaller = () if quiet else _smaller(case, step)
    return _advice(case, finding, causes, (*smaller, *_last(step)))


def _said(finding: Finding) -> str:
    return f"{finding.metric or 'the value'} was"


def _before(case: Case, series: Series, step: int, what: str) -> tuple[Hypothesis | None, ...]:
    """What happened in the steps before."""
    return (
        _breaks_others(case, series, step),
        broke_first(case, series, step, what),
        overflow(case, step, after=_reach(series, step)),
        rate_jump(case, series, step),
        resumed(series, step),
    )


def _open(finding: Finding) -> tuple[Hypothesis, ...]:
    """What it may be where the log says no more."""
    return (
        Hypothesis("the update before it was too large (learning rate, no clipping)", 0.5),
        _NUMBERS,
        _sample(finding),
    )


def _alone(finding: Finding) -> tuple[Hypothesis, ...]:
    """What is left where nothing came before it: the batch, and what is computed from it."""
    sample = _sample(finding)
    new = sample.because or "nothing but the batch was new at that step"
    return replace(sample, weight=max(sample.weight, 0.6), because=new), _NUMBERS


_NUMBERS = Hypothesis(
    "an overflow in half precision, or a division by zero or log of zero in a loss term", 0.45
)


def _smaller(case: Case, step: int) -> tuple[Remedy, ...]:
    """Smaller steps."""
    return clip(case, step), scaled_lr(case.run, 0.3, "lower")


def _advice(
    case: Case, finding: Finding, causes: tuple[Hypothesis, ...], do: tuple[Remedy, ...]
) -> Advice:
    return Advice(
        causes=causes,
        do=do,
        verify="the value is finite to the end, but for updates that are skipped",
        expect=_finite_again(case, finding),
        unmeasured=NOT_LOGGED,
    )


def _after_another(case: Case, series: Series, step: int, what: str) -> Hypothesis | None:
    """Another series of the same run that broke before: what helps is what helps that one."""
    told = broke_first(case, series, step, what)
    earlier = [f for f in case.faults("non-finite") if (f.first_step or 0) < step]
    if told is None or told.weight < LIKELY or not earlier:
        return None
    return replace(told, do=tuple(r for r in told.do if "resume.before_step" not in r[1]))


def _last(step: int) -> tuple[Remedy, ...]:
    """To skip, and to find out; the latter is no setting: the first bad value ends a training."""
    find: Remedy = (
        f"to name the first bad tensor, rerun the steps just before {words.step(step)} with "
        "anomaly detection on, for these steps alone (debug.detect_anomaly)",
        {},
    )
    return SKIP_BAD, find


def _finite_again(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """No NaN or infinity; in a series of the training one per cent, of updates that are skipped."""
    series = case.run.series.get((finding.metric, finding.split))
    few = 0
    if series is not None and series.split == "train":
        # Never more than half of what there is, or the present run would do as it is.
        few = min(len(series) // 100, int((~np.isfinite(series.effective.value)).sum()) // 2)
    return expect(finding, "<=", float(few), "nonfinite") if few else all_finite(finding)


def _reach(series: Series, step: int) -> int:
    """Steps behind an event that still tell about it: two points of the series."""
    later = series.effective.step
    at = int(np.searchsorted(later, step, "right"))
    return int(later[min(at + 1, len(later) - 1)]) - step if len(later) else 0


def _sample(finding: Finding) -> Hypothesis:
    text = "a broken sample in the batch of that step"
    back = finding.evidence.get("recovered_step")
    if back is None:
        return Hypothesis(text, 0.35)
    said = f"it was finite again from step {words.step(int(back))} on"
    look_at: Remedy = (f"look at the batch of {words.steps(finding.first_step, None)}", {})
    return Hypothesis(text, 0.6, said, (look_at,))


def _breaks_others(case: Case, series: Series, step: int) -> Hypothesis | None:
    """A measure or loss that collapsed after this series had become NaN."""
    if series.role.name == "loss":
        return None
    for other in case.run.training_series:
        if not other.role.direction or (other.metric, other.split) == (series.metric, series.split):
            continue
        at = collapsed_after(other, step)
        if at is not None:
            said = f"{spoken(series)} was NaN from step {words.step(step)} on, "
            said += f"{ago(step, at)} {spoken(other)} collapsed"
            text = f"what is computed from {spoken(series)} breaks with it"
            return Hypothesis(text, 0.93, said, (go_back(step), SKIP_BAD))
    return None


def collapsed_after(series: Series, step: int) -> int | None:
    """Step at which a series left its level for the worse soon after a step, None if it did not.

    Below the worst of the 50 values before by more than their spread, and not back by the end.
    """
    held = series.finite
    at = int(np.searchsorted(held.step, step))
    before, after = held.value[max(0, at - 50) : at], held.value[at : at + 100]
    if len(before) < 5 or len(after) < 2:
        return None
    sign = 1.0 if series.role.direction == "max" else -1.0
    worst, spread = float(np.min(sign * before)), float(np.ptp(before))
    limit = worst - max(spread, 1e-3 * abs(median(before)))
    low = sign * after < limit
    if not low.any() or not sign * median(held.value[-max(2, len(after) // 4) :]) < limit:
        return None
    return int(held.step[at + int(np.argmax(low))])
