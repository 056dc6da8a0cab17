"""Causes and prescriptions: what may be behind a finding, and what to change.

Symptoms are facts and stand in the finding's message; causes are hypotheses, the most likely
first. Every prescription has a concrete value where the log gives one, and a patch: settings by
dotted name in the vocabulary of trainlens_torch's configuration.
"""

from __future__ import annotations

from dataclasses import replace

from trainlens.prescribe import divergences, learning, recipe, validation
from trainlens.prescribe.base import Advice, Adviser, advisers, advises
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding
from trainlens.run import Run

__all__ = ["Advice", "Adviser", "advises", "prescribe"]

# They register themselves when they are imported.
_MODULES = (divergences, learning, recipe, validation)


def prescribe(diagnosis: Diagnosis) -> Diagnosis:
    """Fill causes, prescriptions and verification into the faults of a diagnosis.

    A rule without an adviser here keeps what it said itself.
    """
    return replace(diagnosis, results=tuple(_complete(diagnosis.run, f) for f in diagnosis.results))


def _complete(run: Run, finding: Finding) -> Finding:
    adviser = advisers.get(finding.rule)
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
