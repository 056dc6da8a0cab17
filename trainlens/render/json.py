"""Diagnoses as JSON, ``trainlens.diagnosis/1``: versioned and stable.

Version history
---------------
1 : first version.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from trainlens.judged import Judged, pointless
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding
from trainlens.run import Notice

SCHEMA = "trainlens.diagnosis/1"

# Among them are characters that reorder what a terminal shows.
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


def document(
    diagnoses: Iterable[Diagnosis | Judged], notices: Sequence[Notice] = ()
) -> dict[str, Any]:
    """Diagnoses as plain JSON values.

    Parameters
    ----------
    diagnoses : iterable of Diagnosis or Judged
    notices : sequence of Notice
        About files that became no run.

    Returns
    -------
    dict
        Numbers that JSON cannot hold (NaN, infinities) are null.
    """
    return {
        "schema": SCHEMA,
        "runs": [_run(d) for d in pointless(diagnoses)],
        "notices": [notice_dict(n) for n in notices],
    }


def dumps(diagnoses: Iterable[Diagnosis | Judged], notices: Sequence[Notice] = ()) -> str:
    """`document` as text, indented, ASCII only."""
    return "".join(pieces(diagnoses, lambda: notices))


def pieces(
    diagnoses: Iterable[Diagnosis | Judged],
    notices: Callable[[], Sequence[Notice]],
    **more: Any,
) -> Iterator[str]:
    """The text of `dumps` piece by piece, so that many runs need not be held at once.

    Parameters
    ----------
    diagnoses : iterable of Diagnosis or Judged
        Taken one after the other.
    notices : callable
        Asked when the last run has been told: some are only found while reading.
    **more
        Plain JSON values of further keys, behind the others.
    """
    yield f'{{\n  "schema": "{SCHEMA}",\n  "runs": ['
    comma = ""
    for one in diagnoses:
        (told,) = pointless([one])
        yield f"{comma}\n    {_indented(_run(told), 4)}"
        comma = ","
    end = "\n  ]" if comma else "]"
    yield f'{end},\n  "notices": {_indented([notice_dict(n) for n in notices()], 2)}'
    for key, value in more.items():
        yield f',\n  "{key}": {_indented(value, 2)}'
    yield "\n}"


def _indented(value: Any, by: int) -> str:
    # A line break within a text is escaped, so each one here begins a line of the layout.
    return laid_out(value).replace("\n", "\n" + " " * by)


def laid_out(value: Any) -> str:
    """Plain JSON values as text, indented, ASCII only."""
    # The standard library indents in Python: of 10,000 runs that would be a fifth of the report.
    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # whole numbers beyond 64 bits, lone surrogates
        return json.dumps(value, indent=2, allow_nan=False)
    return text if text.isascii() else _BEYOND_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _run(told: Judged) -> dict[str, Any]:
    """`ended` is there only where the log says that it was ended."""
    found = {
        "name": told.name,
        "path": told.source,
        "format": told.format,
        "attempts": told.attempts,
        "steps": list(told.steps) if told.steps else None,
        "verdict": told.verdict,
        "sentence": told.sentence,
        "profile": told.profile,
        "results": [finding_dict(f) for f in told.results],
        "notices": [notice_dict(n) for n in told.notices],
    }
    end = told.ended
    return found if end is None else found | {"ended": plain({"time": end.time, "how": end.how})}


def finding_dict(finding: Finding) -> dict[str, Any]:
    """A finding as plain JSON values; `suppressed` is there only where it does not count."""
    told = {
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
    return told | {"suppressed": finding.suppressed} if finding.suppressed else told


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
    kind = type(value)
    if kind is float:  # Most of what there is, so that it comes first.
        return value if math.isfinite(value) else None
    if kind is str or kind is int:
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
