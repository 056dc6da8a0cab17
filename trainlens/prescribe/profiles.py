"""Advice on rules that only the profiles ``sagemaker`` and ``seed`` have."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from trainlens import words
from trainlens.prescribe.base import Advice, Case, Remedy, advisers, advises
from trainlens.prescribe.expecting import NOT_LOGGED, expect, norm_is, series_of
from trainlens.prescribe.remedies import clip_at, scaled_lr
from trainlens.rules.base import Finding

_LIKE = {
    "loss-not-decreasing": "stagnation",
    "overfit": "overfitting",
    "overtraining": "overfitting",
    "vanishing-gradient": "gradient-vanishing",
    "exploding-tensor": "non-finite",
    "weight-update-ratio": "update-ratio",
    "poor-weight-initialization": "poor-initialization",
    "unchanged-tensor": "unchanged-parameters",
    "stalled-training": "stalled-log",
    "step-outlier": "slow-batch",
}
"""Rules of SageMaker Debugger, and those of the default profile that ask for the same."""

_ENOUGH = "a fixed limit: compare with what the default profile says of this run"


def _as(other: str, case: Case, finding: Finding) -> Advice:
    """What the adviser of a like rule says, if the symptom is real at all."""
    advice = advisers[other](case, finding)
    return replace(advice, do=(*advice.do, (_ENOUGH, {})))


for _name, _other in _LIKE.items():
    advises(_name)(partial(_as, _other))


@advises("low-gpu-utilization")
def _low_gpu_utilization(case: Case, finding: Finding) -> Advice:
    prefetch: Remedy = ("prefetch three batches in more workers", {"loader.prefetch": 3})
    return Advice(
        causes=(
            "the data loader does not keep up",
            "batches are too small to keep the GPU busy",
            "time goes to evaluations, checkpoints or logging between the steps",
        ),
        do=(
            ("log data time and step time apart", {"record.data_time": True}),
            prefetch,
            ("double the batch if memory allows", {"batch.scale": 2.0}),
        ),
        verify="the 95th percentile of the utilisation is above 70 %",
        expect=expect(finding, ">", _busy(case, finding), "p95"),
        unmeasured=NOT_LOGGED,
    )


def _busy(case: Case, finding: Finding) -> float:
    """70 %, as a share where the log has shares."""
    series = series_of(case, finding)
    share = series is not None and float(series.finite.value.max()) <= 1.0
    return finding.evidence.get("threshold_p95", 70.0) / (100.0 if share else 1.0)


@advises("all-zero")
def _all_zero(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the layer is frozen, or cut off from the loss",
            "its units are dead: one update was too large",
            "it starts at zero, as biases and last layers of residual blocks may",
        ),
        do=(
            (
                "freeze nothing for a hundred steps, and see whether every parameter gets a "
                "gradient",
                {"freeze": []},
            ),
            scaled_lr(case.run, 0.3, "lower"),
        ),
        verify="no norm of a layer that should learn is 0 after the first step",
        expect=expect(finding, ">", 0.0, "end"),
        unmeasured=NOT_LOGGED,
    )


@advises("gradient-range")
def _gradient_range(case: Case, finding: Finding) -> Advice:
    worst = finding.evidence.get("worst", 0.0)
    high = finding.evidence.get("high", 10.0)
    above = worst > high
    return Advice(
        causes=(
            "the range is that of another model: norms grow with its size and with the loss",
            "the learning rate is too high, or a batch is unusual"
            if above
            else "the loss is nearly solved, or hardly reaches the parameters",
        ),
        do=(
            clip_at(high)
            if above
            else ("log the gradient norm of each layer", {"record.gradients": "layers"}),
            ("compare with the usual norm of this model before anything is changed", {}),
        ),
        verify=f"the norm stays within a factor of ten of its usual level, at most "
        f"{words.number(high)} if that is the range you expect",
        expect=norm_is(finding, case, "<=", high, "max")
        if above
        else norm_is(finding, case, ">=", finding.evidence.get("low", 1.0), "min"),
        unmeasured=NOT_LOGGED,
    )
