"""Advice on data, gates and restarts."""

from __future__ import annotations

from trainlens import words
from trainlens.prescribe.base import Advice, Case, advises
from trainlens.prescribe.expecting import NOT_LOGGED, expect, series_of
from trainlens.rules.base import Finding


@advises("low-coverage")
def _low_coverage(case: Case, finding: Finding) -> Advice:
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
        expect=expect(finding, ">", _coverage(case, finding), "p10"),
        unmeasured=NOT_LOGGED,
    )


def _coverage(case: Case, finding: Finding) -> float:
    """The limit, in percent where the log has percent."""
    series = series_of(case, finding)
    percent = series is not None and float(series.finite.value.max()) > 1.5
    return finding.evidence.get("threshold", 0.3) * (100.0 if percent else 1.0)


@advises("polarized-gate")
def _polarized_gate(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "one branch learns faster and the gate follows it",
            "the gate has no diversity term or too low a temperature",
        ),
        do=(
            ("add the alpha-diversity term", {"alpha_diversity.weight": 0.1}),
            ("raise the temperature of the gate", {"gate.temperature": 2.0}),
            ("lower the learning rate of the stronger branch", {"groups.clip_backbone": 0.1}),
        ),
        verify="the gate's mean stays between 0.1 and 0.9",
        expect=expect(finding, "between", 0.1, "end", upper=0.9),
        unmeasured=NOT_LOGGED,
    )


@advises("step-rewind")
def _step_rewind(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=("the run was resumed from a checkpoint", "a second run wrote into the same log"),
        do=(("give each new run its own log; resume with the step of the checkpoint", {}),),
        verify="`trainlens ls` shows the attempts that you know of",
        unmeasured="attempts are told by the order of the steps, not by a value",
    )
