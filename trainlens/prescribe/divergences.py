"""Advice on losses that rise and gradients that explode."""

from __future__ import annotations

import numpy as np

from trainlens import words
from trainlens.detect.layers import gradient_norm
from trainlens.prescribe.base import (
    LIKELY,
    Advice,
    Case,
    Expectation,
    Hypothesis,
    Remedy,
    advises,
)
from trainlens.prescribe.coverages import few_valid
from trainlens.prescribe.expecting import (
    NOT_LOGGED,
    expect,
    norm_is,
    series_of,
    stays_below,
)
from trainlens.prescribe.moments import (
    LIMITS,
    clip,
    cut,
    gradient,
    moments,
    too_early,
)
from trainlens.prescribe.remedies import (
    go_back,
    scaled_lr,
    warmup,
)
from trainlens.prescribe.signs import look, rate
from trainlens.rules.base import Finding
from trainlens.run import Series

Causes = tuple[Hypothesis | str, ...]


@advises("divergence")
def _divergence(case: Case, finding: Finding) -> Advice:
    at = finding.first_step or 0
    series = series_of(case, finding)
    causes: Causes = (
        _too_high(case, at),
        too_early(case, at, 0.1) or Hypothesis("no or too little warmup or gradient clipping"),
        Hypothesis("the data changed (a new shard, a new curriculum stage)", 0.3),
    )
    if series is not None:
        causes = (
            *moments(case, series, at, f"{finding.metric} rose", _long(series)),
            *_grown(case, series, at),
            *causes,
        )
    level = finding.evidence.get("baseline")
    return Advice(
        causes=causes,
        do=(go_back(at), scaled_lr(case.run, 0.3, "lower"), clip(case, at), warmup(case.run)),
        verify=f"the loss stays below its value at step {words.step(at)} past that step",
        expect=_stays_as_low(finding, level),
        unmeasured=NOT_LOGGED,
    )


def _grown(case: Case, series: Series, step: int) -> Causes:
    """Gradients that rose before a divergence; that they did not excludes nothing slow."""
    told = gradient(case, series, step, step)
    if told is not None and told.weight > 0.5:
        return (told,)
    return ()


def _long(series: Series) -> int:
    """Points before a slow divergence in which its cause may lie: a tenth of the run."""
    return max(20, len(series) // 10)


def _too_high(case: Case, step: int) -> Hypothesis:
    text = "the learning rate is too high for this stage of training"
    held = rate.rate_of(case.run)
    now = look.value_at(held, step) if held is not None else None
    if held is None or now is None:
        return Hypothesis(text, 0.5)
    peak = float(held.value.max())
    if peak > 0 and now < 0.1 * peak:
        said = f"it was down to {words.percent(now / peak, 2)} of its peak {words.number(peak)}"
        return Hypothesis("not the height of the learning rate", 0.1, said)
    return Hypothesis(text, 0.52, f"it was {words.number(now)} there")


def _stays_as_low(finding: Finding, level: float | None) -> tuple[Expectation, ...]:
    if level is None or not finding.metric or not np.isfinite(level):
        return ()
    margin = 1.1 * level if level > 0 else 0.9 * level if level < 0 else 0.0
    if (peak := finding.evidence.get("peak")) is not None:
        margin = min(margin, level / 2 + peak / 2)  # it may have risen by less
    first, last = finding.first_step, finding.last_step
    return expect(finding, "<", margin, "median", first=first, last=last)


@advises("loss-spike")
def _loss_spike(case: Case, finding: Finding) -> Advice:
    first, last = finding.first_step or 0, finding.last_step or finding.first_step or 0
    series = series_of(case, finding)
    if lost := _start_of_the_end(case, finding):
        return Advice(
            causes=(lost,),
            verify="no rise of this size within the same steps of the next run",
            expect=_half(finding, first, last),
            unmeasured=NOT_LOGGED,
        )
    told = gradient(case, series, first, last) if series is not None else None
    before = told is not None and told.weight > 0.5
    few = few_valid(case, first, last)
    causes: Causes = (
        few or _batch(told, first, last),
        told
        or Hypothesis("a learning rate near the edge of stability", 0.42, do=(clip(case, first),)),
        Hypothesis(
            "stale second moments of the optimizer after a quiet stretch",
            0.3 if told is None or before else 0.1,
            do=(("let the second moments forget sooner", {"optimizer.beta2": 0.95}),),
        ),
    )
    if series is not None:
        causes = (*moments(case, series, first, "the spike"), *causes)
    return Advice(
        causes=causes,
        do=() if few is not None and few.weight >= LIKELY else _whatever(case, first, last),
        verify="no rise of this size within the same steps of the next run",
        expect=_half(finding, first, last),
        unmeasured=NOT_LOGGED,
    )


def _whatever(case: Case, first: int, last: int) -> tuple[Remedy, ...]:
    """What helps against a spike of any cause."""
    return (
        clip(case, first),
        (
            "if it recurs: restart about 100 steps earlier and skip the batches of the spike",
            {"resume.before_step": max(0, first - 100), "data.skip_steps": [first, last]},
        ),
    )


def _start_of_the_end(case: Case, finding: Finding) -> Hypothesis | None:
    """A rise that never came back, in a run that diverged or broke: no spike of its own."""
    if "recovered_step" in finding.evidence or not finding.evidence:
        return None
    first, last = finding.first_step or 0, finding.last_step or finding.first_step or 0
    for rule, said in (("divergence", "diverges"), ("non-finite", "is lost")):
        for fault in case.faults(rule):
            at = fault.first_step
            same = (fault.metric, fault.split) == (finding.metric, finding.split)
            if same and at is not None and at <= last and first <= (fault.last_step or at):
                told = f"it never came back, and the run {said} from step {words.step(at)} on"
                return Hypothesis(f"a part of the {rule}", 0.95, told, (go_back(at),))
    return None


def _batch(told: Hypothesis | None, first: int, last: int) -> Hypothesis:
    text = "unusual batches"
    look_at: Remedy = (f"look at the batches of {words.steps(first, last)}", {})
    if told is None:
        hint = "certain, if another run on the same data spikes at the same step"
        return Hypothesis(f"{text} ({hint})", 0.5, do=(look_at,))
    if told.weight > 0.5:
        return Hypothesis(text, 0.25, "but the gradient norm rose before the loss", (look_at,))
    return Hypothesis(text, 0.65, "nothing but the batch was new at that step", (look_at,))


def _half(finding: Finding, first: int | None, last: int | None) -> tuple[Expectation, ...]:
    low, high = finding.evidence.get("baseline"), finding.evidence.get("peak")
    if low is None or high is None:
        return ()
    return stays_below(finding, low / 2 + high / 2, first, last)


@advises("outlier")
def _outlier(case: Case, finding: Finding) -> Advice:
    causes = (
        Hypothesis("a single unusual batch", 0.5),
        Hypothesis("the tail of ordinary batch-to-batch noise", LIKELY - 0.3),
    )
    return Advice(
        causes=causes,
        do=(
            (
                f"nothing, unless it recurs; then look at {words.steps(finding.first_step, None)}",
                {},
            ),
        ),
        verify="the loss returns to its level at the next point",
        expect=_half(finding, finding.first_step, finding.last_step),
        unmeasured=NOT_LOGGED,
    )


@advises("gradient-explosion")
def _gradient_explosion(case: Case, finding: Finding) -> Advice:
    norm = gradient_norm(case.run)
    step = finding.first_step or 0
    causes: Causes = (
        _unclipped(case, finding),
        Hypothesis("a learning rate that has left the stable region", 0.42),
        Hypothesis("an unusual batch", 0.38),
    )
    if norm is not None:
        causes = (*moments(case, norm, step, "the norm exploded"), *causes)
    return Advice(
        causes=causes,
        do=(clip(case, step), scaled_lr(case.run, cut(case), "lower")),
        verify="the norm stays within ten times its running median",
        expect=norm_is(finding, case, "<=", 10.0, "max/median"),
        unmeasured=NOT_LOGGED,
    )


def _unclipped(case: Case, finding: Finding) -> Hypothesis:
    text = "no gradient clipping, or a limit far above the usual norm"
    found = look.number_set(case.run, *LIMITS)
    if found is None:
        return Hypothesis(text, 0.5)
    if found[1] <= 0:
        return Hypothesis("no gradient clipping", LIKELY, f"{found[0]} is {words.number(found[1])}")
    usual = finding.evidence.get("baseline")
    if usual is not None and found[1] > 10 * usual:
        said = f"{found[0]} is {words.number(found[1])}, the usual norm {words.number(usual)}"
        return Hypothesis("the clip limit is far above the usual norm", LIKELY, said)
    said = f"{found[0]} is {words.number(found[1])}"
    return Hypothesis("not missing clipping", 0.05, said)
