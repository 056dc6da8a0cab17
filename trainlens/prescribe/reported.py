"""Advice on what a training reported of itself."""

from __future__ import annotations

from trainlens import words
from trainlens.prescribe.base import Advice, Case, Expectation, Remedy, advises
from trainlens.prescribe.expecting import NOT_LOGGED, expect
from trainlens.rules.base import Finding, Severity

_READ: Remedy = ("read the last error in the log and the lines above it, and rerun one step", {})


_IN_WORDS = "the log says it in words, not with a number"


def _silent(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """No report where there were some."""
    first, last = finding.first_step, finding.last_step
    told = [s for s in case.run.with_role("anomaly") if bool((s.finite.value > 0).any())]
    return tuple(e for s in told for e in expect(s, "<=", 0.0, "max", first=first, last=last))


@advises("reported-anomaly")
def _reported(case: Case, finding: Finding) -> Advice:
    if "messages" in finding.evidence and finding.severity is Severity.INFO:
        return Advice(
            causes=("someone stopped it, or the time of its job was over",),
            do=(("start it again from its last checkpoint if it should go on", {}),),
            verify="the log goes on behind that step",
            unmeasured=_IN_WORDS,
        )
    if "messages" in finding.evidence:
        return Advice(
            causes=("a fault of the program or of its data: the message names the line",
                    "the machine or another process of the job stopped it"),
            do=(_READ,),
            verify="the training gets past that step",
            unmeasured=_IN_WORDS,
        )  # fmt: skip
    others = {f.rule for f in case.results if f.failed} - {finding.rule}
    agree = f"the same fault that {', '.join(sorted(others)[:3])} found" if others else ""
    near = f" around {words.steps(finding.first_step, finding.last_step)}"
    return Advice(
        causes=(*((agree,) if agree else ()), "single batches that are out of the ordinary",
                "bounds of the training's own checks that are too narrow"),
        do=((f"look at the charts{near if finding.first_step is not None else ''}, and log which "
             "batch it was", {}),),
        verify="the same steps pass without a report",
        expect=_silent(case, finding),
        unmeasured=NOT_LOGGED,
    )  # fmt: skip
