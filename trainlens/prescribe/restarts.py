"""Advice on a log that goes back."""

from __future__ import annotations

from trainlens.prescribe.base import Advice, Case, advises
from trainlens.rules.base import Finding


@advises("step-rewind")
def _step_rewind(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=("the run was resumed from a checkpoint", "a second run wrote into the same log"),
        do=(("give each new run its own log; resume with the step of the checkpoint", {}),),
        verify="`trainlens ls` shows the attempts that you know of",
        unmeasured="attempts are told by the order of the steps, not by a value",
    )
