"""Causes and prescriptions for what the rules found.

Symptoms are facts with numbers; what is said here are hypotheses, ranked by what the log says
for or against them, and changes to try, with values taken from the run where the log has them.
Each change comes as text and as a patch: settings by dotted name in the vocabulary of
trainlens_torch's configuration (`trainlens.prescribe.vocabulary`).
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from functools import cache

import numpy as np

from trainlens.expectation import Expectation
from trainlens.prescribe.base import Advice, Adviser, Case, Hypothesis, advisers, advises
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding

__all__ = [
    "Advice",
    "Adviser",
    "Case",
    "Expectation",
    "Hypothesis",
    "advise",
    "advises",
    "prescribe",
]


def prescribe(diagnosis: Diagnosis) -> Diagnosis:
    """The same diagnosis, every fault with causes, prescriptions and a check.

    A rule without an adviser here keeps what it said itself.
    """
    if not any(f.failed for f in diagnosis.results):
        return diagnosis
    case = Case(diagnosis.run, diagnosis.results)
    return replace(diagnosis, results=tuple(_complete(case, f) for f in diagnosis.results))


def advise(case: Case, finding: Finding) -> Advice | None:
    """What there is to say about a fault; None of no fault, or without an adviser for its rule."""
    if not finding.failed:
        return None
    _import()
    adviser = advisers.get(finding.rule)
    if adviser is None:
        return None
    # Values near the largest float give no ratio worth telling, but they are no error either.
    with np.errstate(all="ignore"):
        return adviser(case, finding)


@cache
def _import() -> None:
    """Every file of this folder: its advisers register themselves."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)


def _complete(case: Case, finding: Finding) -> Finding:
    advice = advise(case, finding)
    if advice is None:
        return finding
    return replace(
        finding,
        causes=finding.causes or advice.told,
        prescriptions=finding.prescriptions
        or tuple({"text": text, "patch": dict(patch)} for text, patch in advice.remedies),
        verify=finding.verify or advice.verify,
    )
