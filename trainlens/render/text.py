"""Diagnoses and run lists for a terminal: 80 columns work, colour only for severity."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click

from trainlens import words
from trainlens.judged import Judged, pointless
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Status
from trainlens.run import Notice
from trainlens.verdict import suppressed

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
_WORDS = {"failing": "error", "warning": "warning", "healthy": "", "inconclusive": ""}
_LEADS = {"settings": "settings", "own-rules": "rules"}
# C0 and C1 controls, DEL, and the characters that reorder text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")


def clean(text: str) -> str:
    """Text from a log without anything that steers a terminal."""
    return _CONTROL.sub("\ufffd", text)


def width() -> int:
    """Columns of the terminal, between 60 and 100."""
    return max(60, min(100, shutil.get_terminal_size((80, 24)).columns))


def diagnosis(one: Diagnosis | Judged, *, columns: int = 80) -> str:
    """A run's verdict, its findings and what could not be judged, as terminal text.

    Parameters
    ----------
    one : Diagnosis or Judged
    columns : int
        Width to wrap at.
    """
    (told,) = pointless([one])
    lines = [heading(told), *verdict(told, columns)]
    for finding in told.findings:
        lines += ["", *_finding(finding, columns)]
    lines += ["", *_suppressed(told, columns), *_rest(told, columns)]
    lines += _notices(told.notices, columns)
    return "\n".join(lines)


def heading(told: Judged) -> str:
    """Name of a run and what it is."""
    known = [told.format, words.steps(*told.steps) if told.steps else "no points"]
    if told.attempts > 1:
        known.append(words.plural(told.attempts, "attempt"))
    return click.style(clean(told.name), bold=True) + f"  {' · '.join(known)}"


def verdict(told: Judged, columns: int) -> list[str]:
    """Verdict of a run with its sentence, wrapped."""
    colour = _COLOURS.get(_WORDS[told.verdict])
    return wrapped(click.style(told.verdict, fg=colour, bold=True), told.sentence, "  ", columns)


def facts(finding: Finding) -> str:
    """Severity, rule, metric and steps of a finding."""
    severity = finding.severity.value
    where = f"{finding.split}/{finding.metric}" if finding.metric else ""
    at = words.steps(finding.first_step, finding.last_step)
    known = " · ".join(x for x in (clean(where), at) if x)
    return f"{click.style(severity, fg=_COLOURS[severity])} {finding.rule}  {known}"


def _finding(finding: Finding, columns: int) -> list[str]:
    lines = [f"  {facts(finding)}"]
    lines += wrapped("", finding.message, "    ", columns)
    if finding.causes:
        lines += wrapped("May be:", "; ".join(finding.causes) + ".", "    ", columns)
    for prescription in finding.prescriptions:
        lines += wrapped("Do:", todo(prescription), "    ", columns)
    if finding.verify:
        lines += wrapped("Check:", f"{finding.verify}.", "    ", columns)
    return lines


def _suppressed(told: Judged, columns: int) -> list[str]:
    return [
        line
        for known in suppressed(told.results)
        for line in wrapped("", f"{known.sentence} ({known.rules}).", "  ", columns)
    ]


def todo(prescription: Mapping[str, Any]) -> str:
    """A change in words, with the settings that it means."""
    settings = ", ".join(f"{name}: {value}" for name, value in prescription["patch"].items())
    return f"{prescription['text']} ({settings})." if settings else f"{prescription['text']}."


def wrapped(lead: str, text: str, indent: str, columns: int) -> list[str]:
    """Lines of a text from a log, behind a word of ours that may be coloured."""
    bare = click.unstyle(lead)
    first = f"{indent}{bare} " if bare else indent
    lines = textwrap.wrap(
        clean(text),
        columns,
        initial_indent=first,
        subsequent_indent=indent + "  " * bool(bare),
        break_on_hyphens=False,
    )
    if lead and lines:
        lines[0] = lines[0].replace(bare, lead, 1)
    return lines or [indent + lead]


def _rest(one: Judged, columns: int) -> list[str]:
    names = {
        status: sorted({f.rule for f in one.results if f.status is status})
        for status in (Status.PASS, Status.SKIP, Status.INCONCLUSIVE)
    }
    labels = (
        ("passed", Status.PASS),
        ("not applicable", Status.SKIP),
        ("could not check", Status.INCONCLUSIVE),
    )
    return [
        line
        for label, status in labels
        if names[status]
        for line in wrapped(
            f"{label} ({len(names[status])}):", ", ".join(names[status]), "  ", columns
        )
    ]


def _notices(notices: Sequence[Notice], columns: int, most: int = 5) -> list[str]:
    lines = []
    for notice in notices[:most]:
        lead = _LEADS.get(notice.kind)
        told = str(notice) if lead else f"{notice.kind}: {notice}{_lost(notice)}"
        lines += wrapped(f"{lead or 'data'}:", told, "  ", columns)
    if len(notices) > most:
        lines.append(f"  data: {len(notices) - most} more notices; --json lists them all")
    return lines


def _lost(notice: Notice) -> str:
    if notice.lost is None:
        return " (how many records were lost is unknown)"
    return f" ({words.plural(notice.lost, 'record')} lost)" if notice.lost else ""


def notices(found: Sequence[Notice], *, columns: int = 80) -> str:
    """Notices about files that became no run, one paragraph each."""
    return "\n".join(_notices(found, columns, most=50))


def table(rows: Sequence[Sequence[str]], heads: Sequence[str], *, columns: int = 80) -> str:
    """Rows as an aligned table that never wraps.

    Parameters
    ----------
    rows : sequence of rows of text
        Cells that look like numbers are right-aligned.
    heads : sequence of str
        Column names, the most important first: the last ones are dropped where the table would
        be wider than `columns`.
    columns : int
    """
    cells = [list(heads), *([clean(c) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    widths[0] = min(widths[0], max(20, columns - sum(widths[1:4]) - 6))
    kept = len(widths)
    while kept > 1 and sum(widths[:kept]) + 2 * (kept - 1) > columns:
        kept -= 1
    # The first column holds names, and a name may be a date.
    numeric = [i > 0 and all(_numeric(row[i]) for row in cells[1:]) for i in range(kept)]
    lines = []
    for row in cells:
        fields = [
            _clip(c, w).rjust(w) if right else _clip(c, w).ljust(w)
            for c, w, right in zip(row[:kept], widths[:kept], numeric, strict=True)
        ]
        lines.append("  ".join(fields).rstrip())
    lines[0] = click.style(lines[0], bold=True)
    return "\n".join(lines)


def _numeric(cell: str) -> bool:
    return not cell.strip("–-0123456789.,%\u202f\u2212 ")


def _clip(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: columns - 1] + "…"
