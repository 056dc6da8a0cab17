"""Advice on learning rates and other planned values."""

from __future__ import annotations

import math

import numpy as np

from trainlens import words
from trainlens.detect.rates import follows_loss, schedule_of
from trainlens.prescribe.base import (
    LIKELY,
    Advice,
    Case,
    Expectation,
    Hypothesis,
    Remedy,
    advises,
)
from trainlens.prescribe.expecting import (
    NOT_LOGGED,
    all_finite,
    ends_better,
    expect,
    series_of,
)
from trainlens.prescribe.remedies import CLIP, PATIENCE, WAIT, horizon, rounded, scaled_lr, warmup
from trainlens.rules.base import Finding


@advises("premature-lr-decay")
def _premature(case: Case, finding: Finding) -> Advice:
    place = finding.evidence.get("place")
    share = f"at {words.percent(place, 2)} of the run" if place is not None else "early"
    impatient = "the plateau schedule has too little patience for the noise of what it watches"
    causes: tuple[Hypothesis | str, ...] = (
        f"the schedule was given fewer steps than are trained: it is spent {share}",
        impatient,
        "the schedule counts epochs or micro-batches where it should count updates",
    )
    remedies = [horizon(case.run), PATIENCE]
    series = case.run.main("learning-rate")
    if follows_loss(case.run):
        causes = (Hypothesis(impatient, LIKELY, "the rate follows the loss, not a plan"),)
        remedies = [WAIT]
    elif series is not None and schedule_of(series).family in ("step", "unknown"):
        remedies.reverse()
    return Advice(
        causes=causes,
        do=tuple(remedies),
        verify="the learning rate stays above 10 % of its peak for 60 % of the planned steps, and "
        "the loss falls on",
        expect=_decays_later(case, finding),
        unmeasured=NOT_LOGGED,
    )


def _decays_later(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    rate = series_of(case, finding)
    peak, steps = finding.evidence.get("peak"), finding.evidence.get("steps")
    if rate is None or peak is None or steps is None:
        return ()
    # At a step that this run has too: it may have been stopped early.
    logged = rate.finite.step
    later = logged[logged >= (finding.first_step or 0)]
    at = int(later[np.argmin(np.abs(later - 0.6 * steps))]) if len(later) else int(logged[-1])
    return (
        *expect(rate, ">=", peak / 10, at=at),
        *ends_better(case.run.main("loss", "train"), 0.01),
    )


@advises("missing-warmup")
def _missing(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the optimizer takes full steps before its moments are known",
            "the peak learning rate is too high for a model fresh from its initialisation",
            "no gradient clipping",
        ),
        do=(warmup(case.run), CLIP, scaled_lr(case.run, 0.5, "lower")),
        verify="the loss falls from the first steps on, and no value is non-finite",
        expect=_warms_up(case, finding),
        unmeasured=NOT_LOGGED,
    )


def _warms_up(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """A first rate of a tenth of the peak at most, and a loss that starts without trouble."""
    rate = series_of(case, finding)
    if rate is None:
        return ()
    return (
        *expect(rate, "<=", float(rate.finite.value.max()) / 10, "first"),
        *all_finite(case.run.main("loss", "train")),
    )


@advises("lr-jump")
def _jump(case: Case, finding: Finding) -> Advice:
    at = finding.last_step or finding.first_step or 0
    before, after = (finding.evidence.get(k) for k in ("peak_before", "after"))
    cap: tuple[Remedy, ...] = ()
    if before and after and after > before:
        limit = rounded(before)
        cap = (
            (
                f"keep the learning rate at or below {words.number(limit)}, its peak before",
                {"optimizer.lr": limit},
            ),
        )
    return Advice(
        causes=(
            "the scheduler was built anew on resuming, or its state was not loaded",
            "the learning rate was set by hand, or by a second scheduler",
            "the resumed run has another number of steps or another batch size",
        ),
        do=(
            (
                "load the state of the scheduler with that of the optimizer",
                {"resume.scheduler": True},
            ),
            *cap,
            (f"look at what the script does at step {words.step(at)}", {}),
        ),
        verify=f"the learning rate goes on without a jump past step {words.step(at)}",
        expect=_goes_on(finding),
        unmeasured=NOT_LOGGED,
    )


def _goes_on(finding: Finding) -> tuple[Expectation, ...]:
    """At the step of the jump the rate is what it was before, or on its way down from there."""
    before, after = finding.evidence.get("before"), finding.evidence.get("after")
    at = finding.last_step
    if before is None or after is None or at is None:
        return ()
    middle = math.sqrt(max(before, 0.0)) * math.sqrt(max(after, 0.0))
    return expect(finding, "<" if after > before else ">", middle, at=at)


@advises("plan-deviation")
def _deviation(case: Case, finding: Finding) -> Advice:
    at = finding.first_step or 0
    total = case.run.config.get("total_steps")
    same: tuple[Remedy, ...] = ()
    if isinstance(total, int) and not isinstance(total, bool):
        text = f"give the schedule the planned {words.step(total)} steps"
        same = ((text, {"scheduler.total_steps": total}),)
    return Advice(
        causes=(
            "another scheduler, a callback or a person sets the value as well",
            "the run was resumed with another number of steps, or without the scheduler's state",
            "the plan in the header is not the one that was run",
        ),
        do=(
            *same,
            (f"look at what sets {finding.metric or 'it'} from step {words.step(at)} on", {}),
            ("if the log is right, correct the plan in the header", {}),
        ),
        verify="every logged value lies on the plan",
        expect=expect(finding, "about", finding.evidence.get("planned"), at=at, rtol=0.01),
        unmeasured=NOT_LOGGED,
    )
