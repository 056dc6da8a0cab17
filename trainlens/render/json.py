"""Diagnoses as JSON, ``trainlens.diagnosis/1``: versioned and stable.

Version history
---------------
1 : first version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding
from trainlens.run import Notice
from trainlens.verdict import sentence

SCHEMA = "trainlens.diagnosis/1"


def document(diagnoses: Sequence[Diagnosis], notices: Sequence[Notice] = ()) -> dict[str, Any]:
    """Diagnoses as plain JSON values.

    Parameters
    ----------
    diagnoses : sequence of Diagnosis
    notices : sequence of Notice
        About files that became no run.

    Returns
    -------
    dict
        Numbers that JSON cannot hold (NaN, infinities) are null.
    """
    return {
        "schema": SCHEMA,
        "runs": [_run(d) for d in diagnoses],
        "notices": [notice_dict(n) for n in notices],
    }


def dumps(diagnoses: Sequence[Diagnosis], notices: Sequence[Notice] = ()) -> str:
    """`document` as text, indented, ASCII only."""
    return json.dumps(document(diagnoses, notices), indent=2, allow_nan=False)


def _run(diagnosis: Diagnosis) -> dict[str, Any]:
    run = diagnosis.run
    return {
        "name": run.name,
        "path": run.source,
        "format": run.format,
        "attempts": run.attempts,
        "steps": list(run.steps) if run.steps else None,
        "verdict": diagnosis.verdict,
        "sentence": sentence(diagnosis),
        "profile": diagnosis.profile,
        "results": [finding_dict(f) for f in diagnosis.results],
        "notices": [notice_dict(n) for n in run.notices],
    }


def finding_dict(finding: Finding) -> dict[str, Any]:
    """A finding as plain JSON values."""
    return {
        "rule": finding.rule,
        "status": finding.status.value,
        "severity": finding.severity.value,
        "metric": finding.metric,
        "split": finding.split,
        "first_step": finding.first_step,
        "last_step": finding.last_step,
        "message": finding.message,
        "confidence": finding.confidence,
        "evidence": plain(finding.evidence),
        "causes": list(finding.causes),
        "prescriptions": plain(finding.prescriptions),
        "verify": finding.verify,
    }


def notice_dict(notice: Notice) -> dict[str, Any]:
    """A notice as plain JSON values."""
    return {
        "kind": notice.kind,
        "where": notice.where,
        "message": notice.message,
        "lost": notice.lost,
    }


def plain(value: Any) -> Any:
    """Any value in the words of JSON: numpy scalars become numbers, NaN and infinities null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
