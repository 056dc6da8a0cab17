"""Advice on runs that do not learn, or no longer."""

from __future__ import annotations

import math

import numpy as np

from trainlens import words
from trainlens.detect.layers import gradient_norm, one_class_batches
from trainlens.prescribe.base import Advice, Case, Hypothesis, Remedy, advises
from trainlens.prescribe.beginnings import first_values, given_up, no_classes
from trainlens.prescribe.evaluating import broken_evaluation, nothing_carries_over
from trainlens.prescribe.expecting import NOT_LOGGED, expect, falls
from trainlens.prescribe.model import (
    balance,
    flow,
    frozen,
    labels,
    mixing,
    rate_size,
    sampler,
)
from trainlens.prescribe.remedies import (
    PATIENCE,
    clip_at,
    gentle_start,
    horizon,
    raised_lr,
    rounded,
    scaled_lr,
    set_lr,
    warmup,
)
from trainlens.prescribe.signs import rate
from trainlens.prescribe.signs.look import number_set
from trainlens.rules.base import Finding
from trainlens.stats.chance import guessing_among
from trainlens.stats.noise import median


@advises("never-learned")
def _never_learned(case: Case, finding: Finding) -> Advice:
    if "training_fell" in finding.evidence:
        return nothing_carries_over(finding)
    other = no_classes(case.run, finding)
    causes = (
        first_values(case),
        *((other,) if other is not None else (sampler(case), balance(case))),
        labels(finding),
        rate_size(case, finding),
        given_up(case),
        frozen(case),
        flow(case),
        broken_evaluation(case, finding),
    )
    return Advice(
        causes=tuple(h for h in causes if h is not None),
        # No rate was ever tried on batches that teach something: nothing is known about it.
        do=gentle_start(case.run) if one_class_batches(case.run) else (),
        verify="the loss falls below its first value by more than its noise within ten epochs",
        expect=falls(case, finding, 0.05),
        unmeasured=NOT_LOGGED,
    )


@advises("single-class-batch")
def _single_class_batch(case: Case, finding: Finding) -> Advice:
    mixed = mixing(case)
    return Advice(
        causes=(
            Hypothesis("the sampler walks through the data class by class", 0.5, do=mixed),
            Hypothesis("the data is sorted by class and not shuffled", 0.48, do=mixed),
            balance(case),
        ),
        do=(("count the classes in the first five batches before the next run", {}),),
        verify="each of the first five batches holds several classes",
        expect=expect(finding, ">=", 2.0, "p10"),
        unmeasured=NOT_LOGGED,
    )


@advises("stagnation")
def _stagnation(case: Case, finding: Finding) -> Advice:
    causes = (
        _decayed_early(case, finding),
        _clipped(case),
        _at_chance(finding, case),
        _steady_rate(case, finding),
        _stalled_layers(case),
        _saturated(case, finding),
    )
    return Advice(
        causes=tuple(h for h in causes if h is not None),
        do=(("if nothing moves the loss, stop here and save the compute", {}),),
        verify="the loss falls by more than its noise within the next tenth of the run",
        expect=falls(case, finding, 0.02),
        unmeasured=NOT_LOGGED,
    )


def _decayed_early(case: Case, finding: Finding) -> Hypothesis:
    faults = case.faults("premature-lr-decay")
    text = "the learning rate decayed too early"
    do = (horizon(case.run), PATIENCE)
    onset = finding.first_step
    low = rate.low_since(case.run)
    held = rate.rate_of(case.run)
    if held is None:
        text = "the learning rate is too small to move, or has decayed too early"
        return Hypothesis(text, 0.45, do=(scaled_lr(case.run, 1.5, "raise"), PATIENCE))
    if low is not None and onset is not None and run_place(case, low) < 0.8:
        since = words.step(low)
        order = "before" if low <= onset else "after"
        said = (
            f"it fell below 10 % of its peak {words.number(float(held.value.max()))} at step "
            f"{since}, and the loss stopped at step {words.step(onset)}"
        )
        weight = 0.95 if faults else 0.85 if order == "before" else 0.6
        return Hypothesis(text, weight, said, do)
    if faults:
        at = faults[0].first_step or 0
        said = f"it fell below 10 % of its peak at step {words.step(at)}"
        return Hypothesis(text, 0.95, said, do)
    share = finding.evidence.get("rate_share_at_onset")
    said = f"it was still at {words.percent(share, 2)} of its peak" if share is not None else ""
    never = "it never fell below 10 % of its peak"
    return Hypothesis("not an early decay of the learning rate", 0.05, said or never)


def run_place(case: Case, step: int) -> float:
    """Where a step lies within the steps that the run was to have."""
    if case.run.steps is None:
        return 0.0
    first, last = case.run.steps
    return (step - first) / (last - first) if last > first else 0.0


def _steady_rate(case: Case, finding: Finding) -> Hypothesis | None:
    value = rate.constant(case.run)
    if value is None:
        if rate.rate_of(case.run) is None or finding.evidence.get("rate_share_at_onset", 0) < 0.1:
            return None
        do = (scaled_lr(case.run, 1.5, "raise"),)
        return Hypothesis("the learning rate is too small at this stage", 0.42, do=do)
    if value <= 0:
        return None
    fell = _fell(case)
    said = f"it stays at {words.number(value)} from the first step to the last"
    if fell is not None and fell > 0.3:
        do = (("lower it step by step: a cosine to 1 % of the peak", {
            "scheduler.kind": "cosine", "scheduler.floor": 0.01}),)  # fmt: skip
        text = "the learning rate is too large to settle"
        return Hypothesis(text, 0.5, f"{said}, after the loss fell by {words.percent(fell, 2)}", do)
    moved = f", and the loss fell by {words.percent(fell, 2)} in all" if fell is not None else ""
    text = "the learning rate is too small since the start"
    return Hypothesis(text, 0.7, said + moved, (_faster(case, value), warmup(case.run), PATIENCE))


def _faster(case: Case, value: float) -> Remedy:
    if value < 1e-4:
        return raised_lr(case.run)
    return set_lr(case.run, rounded(5 * value), "raise")


def _fell(case: Case) -> float | None:
    """Fall of the training loss over the run as a share of its start; None where that is none."""
    loss = case.run.main("loss", "train") or case.run.main("loss")
    if loss is None or len(loss.finite) < 8:
        return None
    value = loss.finite.value
    k = max(1, len(value) // 20)
    start, end = median(value[:k]), median(value[-5 * k :])
    return 1 - end / start if start > 0 and math.isfinite(end / start) else None


def _at_chance(finding: Finding, case: Case) -> Hypothesis | None:
    loss = case.run.series.get((finding.metric, finding.split))
    if loss is None or not len(loss.finite):
        return None
    level = median(loss.finite.value[-max(1, len(loss.finite) // 4) :])
    classes = guessing_among(level, 0.004)
    if not classes:
        return None
    return Hypothesis(
        "the model gives the same answer to every input",
        0.7,
        f"the loss stopped at {words.number(level)}, which is ln {words.step(classes)}: what "
        f"guessing among {words.step(classes)} classes gives",
        (("look at the outputs for ten different inputs", {}),),
    )


def _clipped(case: Case) -> Hypothesis | None:
    """Every step clipped: the norm is far above the limit of the configuration."""
    limit = number_set(case.run, "max_grad_norm", "clip_grad_norm", "gradient_clip_val",
                       "grad_clip", "clip_grad", "clip_norm", "gradient_clip", "grad_norm_clip",
                       "max_norm", "grad_clip_norm")  # fmt: skip
    norm = gradient_norm(case.run)
    if limit is None or limit[1] <= 0 or norm is None or len(norm.finite) < 5:
        return None
    value = norm.finite.value
    usual, share = median(value), float(np.mean(value > limit[1]))
    if usual < 3 * limit[1] or share < 0.9:
        return None
    return Hypothesis(
        "clipping shortens every step",
        0.72,
        f"the gradient norm is {words.number(usual, 3)} and {limit[0]} is "
        f"{words.number(limit[1])}: {words.percent(share, 2)} of the steps are clipped",
        (clip_at(1.5 * usual),),
    )


def _stalled_layers(case: Case) -> Hypothesis:
    told = frozen(case)
    if told.weight in (0.36,):
        return Hypothesis("most parameters are frozen or get no gradient", 0.3, do=told.do)
    return told


def _saturated(case: Case, finding: Finding) -> Hypothesis:
    text = "the model has learned what its capacity and data allow"
    if case.faults("overfitting") or case.faults("gap-growth"):
        return Hypothesis(text, 0.6, "validation no longer follows the training either")
    return Hypothesis(text, 0.4)
