"""Advice on losses and gradients that break."""

from __future__ import annotations

from trainlens import words
from trainlens.prescribe.base import Advice, advises
from trainlens.prescribe.remedies import CLIP, level_before, rounded, scaled_lr, warmup
from trainlens.rules.base import Finding
from trainlens.run import Run


@advises("non-finite")
def _non_finite(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the update before it was too large (learning rate, no clipping)",
            "an overflow in half precision, or a division by zero or log of zero in a loss term",
            "a broken sample in the batch of that step",
        ),
        do=(
            CLIP,
            scaled_lr(run, 0.3, "lower"),
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


@advises("divergence")
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
            scaled_lr(run, 0.3, "lower"),
            CLIP,
            warmup(run),
        ),
        verify=f"the loss stays below its value at step {words.step(at)} past that step",
    )


@advises("loss-spike")
def _loss_spike(run: Run, finding: Finding) -> Advice:
    first, last = finding.first_step or 0, finding.last_step or finding.first_step or 0
    return Advice(
        causes=(
            "unusual batches (certain, if another run on the same data spikes at the same step)",
            "a learning rate near the edge of stability",
            "stale second moments of the optimizer after a quiet stretch",
        ),
        do=(
            CLIP,
            (f"look at the batches of {words.steps(first, last)}", {}),
            (
                "if it recurs: restart about 100 steps earlier and skip the batches of the spike",
                {"resume.before_step": max(0, first - 100), "data.skip_steps": [first, last]},
            ),
        ),
        verify="no rise of this size within the same steps of the next run",
    )


@advises("outlier")
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


@advises("gradient-explosion")
def _gradient_explosion(run: Run, finding: Finding) -> Advice:
    norm = run.main("gradient-norm")
    usual = level_before(norm.finite, finding.first_step) if norm is not None else 1.0
    limit = rounded(max(usual, 1e-8) * 2)
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
            scaled_lr(run, 0.5, "lower"),
        ),
        verify="the norm stays within ten times its running median",
    )
