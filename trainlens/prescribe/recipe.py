"""Advice on speed, data, gates and the log itself."""

from __future__ import annotations

from trainlens import words
from trainlens.prescribe.base import Advice, advises
from trainlens.rules.base import Finding
from trainlens.run import Run


@advises("slow-batch")
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


@advises("low-coverage")
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


@advises("polarized-gate")
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


@advises("step-rewind")
def _step_rewind(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=("the run was resumed from a checkpoint", "a second run wrote into the same log"),
        do=(("give each new run its own log; resume with the step of the checkpoint", {}),),
        verify="`trainlens ls` shows the attempts that you know of",
    )
