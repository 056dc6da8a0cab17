"""Causes and prescriptions: what may be behind a finding, and what to change.

Symptoms are facts and stand in the finding's message; causes are hypotheses, the most likely
first. Every prescription has a concrete value where the log gives one, and a patch: settings by
dotted name in the vocabulary of trainlens_torch's configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trainlens import words
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding
from trainlens.run import Run, Series


@dataclass(frozen=True)
class Advice:
    """What to think and do about a finding.

    Parameters
    ----------
    causes : tuple of str
        Hypotheses, the most likely first.
    do : tuple of (text, patch)
        What to change, and the same for a machine; an empty patch where a person must look.
    verify : str
        How to see that it worked.
    """

    causes: tuple[str, ...] = ()
    do: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    verify: str = ""


Adviser = Callable[[Run, Finding], Advice]
_advisers: dict[str, Adviser] = {}


def prescribe(diagnosis: Diagnosis) -> Diagnosis:
    """Fill causes, prescriptions and verification into the faults of a diagnosis.

    A rule without an adviser here keeps what it said itself.
    """
    return replace(diagnosis, results=tuple(_complete(diagnosis.run, f) for f in diagnosis.results))


def _complete(run: Run, finding: Finding) -> Finding:
    adviser = _advisers.get(finding.rule)
    if not finding.failed or adviser is None:
        return finding
    advice = adviser(run, finding)
    return replace(
        finding,
        causes=finding.causes or advice.causes,
        prescriptions=finding.prescriptions
        or tuple({"text": text, "patch": dict(patch)} for text, patch in advice.do),
        verify=finding.verify or advice.verify,
    )


def _advises(rule: str) -> Callable[[Adviser], Adviser]:
    def register(adviser: Adviser) -> Adviser:
        _advisers[rule] = adviser
        return adviser

    return register


def _peak_lr(run: Run) -> float | None:
    series = run.main("learning-rate")
    if series is None or not len(series.finite):
        return None
    peak = float(series.finite.value.max())
    return peak if peak > 0 else None


def _round(value: float) -> float:
    return float(f"{value:.2g}")


def _scaled_lr(run: Run, factor: float, verb: str) -> tuple[str, Mapping[str, Any]]:
    peak = _peak_lr(run)
    if peak is None:
        text = f"{verb} the learning rate to {words.number(factor)} times what it was"
        return f"{text} (it is not in this log)", {"lr.scale": factor}
    new = _round(peak * factor)
    text = f"{verb} the peak learning rate from {words.number(peak)} to {words.number(new)}"
    return text, {"optimizer.lr": new}


def _warmup(run: Run, finding: Finding) -> tuple[str, Mapping[str, Any]]:
    last = run.steps[1] if run.steps else 0
    length = max(100, int(_round(0.05 * last)))
    return (
        f"warm the learning rate up over the first {words.step(length)} steps",
        {"scheduler.warmup_steps": length},
    )


def _level_before(series: Series, step: int | None) -> float:
    """Median of a finite series before a step; of all of it where hardly anything is before."""
    value = series.value if step is None else series.value[series.step < step]
    if len(value) < 5:
        value = series.value
    return float(np.median(value)) if len(value) else 1.0


_CLIP = ("clip the gradient norm at 1.0", {"gradient.clip_norm": 1.0})


@_advises("non-finite")
def _non_finite(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the update before it was too large (learning rate, no clipping)",
            "an overflow in half precision, or a division by zero or log of zero in a loss term",
            "a broken sample in the batch of that step",
        ),
        do=(
            _CLIP,
            _scaled_lr(run, 0.3, "lower"),
            (
                "skip updates whose gradient is not finite, and log them",
                {"guard.skip_nonfinite": True},
            ),
            (
                f"rerun the steps just before {words.step(finding.first_step or 0)} with anomaly "
                "detection on, to name the first bad tensor",
                {},
            ),
        ),
        verify="no non-finite value within the steps where it broke this time",
    )


@_advises("divergence")
def _divergence(run: Run, finding: Finding) -> Advice:
    at = finding.first_step or 0
    return Advice(
        causes=(
            "the learning rate is too high for this stage of training",
            "no or too little warmup or gradient clipping",
            "the data changed (a new shard, a new curriculum stage)",
        ),
        do=(
            (f"go back to a checkpoint before step {words.step(at)}", {"resume.before_step": at}),
            _scaled_lr(run, 0.3, "lower"),
            _CLIP,
            _warmup(run, finding),
        ),
        verify=f"the loss stays below its value at step {words.step(at)} past that step",
    )


@_advises("loss-spike")
def _loss_spike(run: Run, finding: Finding) -> Advice:
    first, last = finding.first_step or 0, finding.last_step or finding.first_step or 0
    return Advice(
        causes=(
            "unusual batches (certain, if another run on the same data spikes at the same step)",
            "a learning rate near the edge of stability",
            "stale second moments of the optimizer after a quiet stretch",
        ),
        do=(
            _CLIP,
            (f"look at the batches of {words.steps(first, last)}", {}),
            (
                "if it recurs: restart about 100 steps earlier and skip the batches of the spike",
                {"resume.before_step": max(0, first - 100), "data.skip_steps": [first, last]},
            ),
        ),
        verify="no rise of this size within the same steps of the next run",
    )


@_advises("outlier")
def _outlier(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=("a single unusual batch", "the tail of ordinary batch-to-batch noise"),
        do=(
            (
                f"nothing, unless it recurs; then look at {words.steps(finding.first_step, None)}",
                {},
            ),
        ),
        verify="the loss returns to its level at the next point",
    )


@_advises("gradient-explosion")
def _gradient_explosion(run: Run, finding: Finding) -> Advice:
    norm = run.main("gradient-norm")
    usual = _level_before(norm.finite, finding.first_step) if norm is not None else 1.0
    limit = _round(max(usual, 1e-8) * 2)
    return Advice(
        causes=(
            "no gradient clipping, or a limit far above the usual norm",
            "a learning rate that has left the stable region",
            "an unusual batch",
        ),
        do=(
            (
                f"clip the gradient norm at {words.number(limit)}, twice its usual value",
                {"gradient.clip_norm": limit},
            ),
            _scaled_lr(run, 0.5, "lower"),
        ),
        verify="the norm stays within ten times its running median",
    )


@_advises("stagnation")
def _stagnation(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the learning rate is too small to move, or has decayed too early",
            "the model has learned what its capacity and data allow",
            "most parameters are frozen or get no gradient",
        ),
        do=(
            _scaled_lr(run, 1.5, "raise"),
            (
                "if the schedule lowers it on a plateau, wait longer: patience 50, factor 0.7",
                {"plateau.patience": 50, "plateau.factor": 0.7, "plateau.min_lr": 1e-6},
            ),
            ("if neither moves the loss, stop here and save the compute", {}),
        ),
        verify="the loss falls by more than its noise within the next tenth of the run",
    )


@_advises("never-learned")
def _never_learned(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "every batch holds one class (a broken sampler)",
            "one class makes up more than 90 % of the data",
            "the learning rate is far too small or too large",
            "the layers that should learn are frozen",
            "no gradient reaches the parameters (detached loss, dead activations)",
        ),
        do=(
            ("count the classes in the first five batches; mix them", {"sampler": "stratified"}),
            ("count the classes of the data set; resample if one is above 90 %", {}),
            _scaled_lr(run, 5.0, "raise"),
            ("unfreeze at least one encoder", {"freeze": []}),
            ("log the number of parameters with a gradient and the gradient norm", {}),
        ),
        verify="the loss falls below its first value by more than its noise within ten epochs",
    )


@_advises("single-class-batch")
def _single_class_batch(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the sampler walks through the data class by class",
            "the data is sorted by class and not shuffled",
            "one class makes up nearly all of the data",
        ),
        do=(
            ("mix the classes in every batch", {"sampler": "stratified"}),
            ("count the classes in the first five batches before the next run", {}),
        ),
        verify="each of the first five batches holds several classes",
    )


@_advises("overfitting")
def _overfitting(run: Run, finding: Finding) -> Advice:
    if "best_step" not in finding.evidence:
        return _gap_growth(run, finding)  # a wide gap, not a rise: no checkpoint is better
    best = int(finding.evidence["best_step"])
    return Advice(
        causes=(
            "the model memorises the training data",
            "too little regularisation for this amount of data",
            "training went on past the point where it helps",
        ),
        do=(
            (f"use the checkpoint of step {words.step(best)}", {"checkpoint.step": best}),
            (
                "stop early on the validation value, with patience for its noise",
                {"early_stopping.monitor": f"{finding.split}/{finding.metric}"},
            ),
            (
                "regularise: weight decay 0.05, dropout 0.1 after the warmup, more augmentation",
                {"optimizer.weight_decay": 0.05, "dropout.target": 0.1},
            ),
        ),
        verify=f"the next run ends no worse than this one was at step {words.step(best)}",
    )


@_advises("gap-growth")
def _gap_growth(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the training data is being memorised, not yet at the cost of validation",
            "training and validation measure different things (dropout, augmentation)",
        ),
        do=(
            ("keep validating; stop when the validation value itself rises", {}),
            ("regularise more if a smaller gap matters", {"optimizer.weight_decay": 0.05}),
        ),
        verify="the gap at the same step is smaller in the next run and validation is no worse",
    )


@_advises("validation-jump")
def _validation_jump(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the validation batches differ between evaluations (no fixed seed)",
            "a bad checkpoint of moving statistics (batch norm, weight averaging)",
            "chance, where the validation set is small",
        ),
        do=(
            ("fix the validation order", {"val_seed": 42}),
            ("validate more often for a while, or on more samples", {}),
        ),
        verify="the spread of the next ten evaluations is smaller",
    )


@_advises("slow-batch")
def _slow_batch(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the data loader does not keep up",
            "another process shares the machine",
            "a checkpoint or an evaluation was counted into the step",
        ),
        do=(
            ("prefetch three batches in more workers", {"loader.prefetch": 3}),
            ("log data time and step time apart", {"record.data_time": True}),
        ),
        verify="the slowest one per cent of steps takes less than three times the median",
    )


@_advises("low-coverage")
def _low_coverage(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "projection or matching fails for these inputs",
            "the calibration or the masks of a part of the data are wrong",
        ),
        do=(
            (
                "weight the consistency loss by coverage, with a soft gate at 0.6",
                {"clip_loss.coverage_threshold": 0.6, "clip_loss.soft_gate": True},
            ),
            (f"look at the inputs of {words.steps(finding.first_step, finding.last_step)}", {}),
        ),
        verify="coverage stays above 0.3 in nine of ten steps",
    )


@_advises("polarized-gate")
def _polarized_gate(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "one branch learns faster and the gate follows it",
            "the gate has no diversity term or too low a temperature",
        ),
        do=(
            ("add the alpha-diversity term", {"alpha_diversity.weight": 0.01}),
            ("raise the temperature of the gate", {"gate.temperature": 2.0}),
            ("lower the learning rate of the stronger branch", {"groups.clip_backbone": 0.1}),
        ),
        verify="the gate's mean stays between 0.1 and 0.9",
    )


@_advises("step-rewind")
def _step_rewind(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=("the run was resumed from a checkpoint", "a second run wrote into the same log"),
        do=(("give each new run its own log; resume with the step of the checkpoint", {}),),
        verify="`trainlens ls` shows the attempts that you know of",
    )
