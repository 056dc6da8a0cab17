"""Words for a terminal: nothing in a log acts on it, 80 columns work, colour for severity only."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import click

from trainlens import words
from trainlens.judged import Judged
from trainlens.render._cells import clipped, filled
from trainlens.render._cells import width as wide
from trainlens.render._visible import visible
from trainlens.rules.base import Finding
from trainlens.run import Notice

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
_WORDS = {"failing": "error", "warning": "warning", "healthy": "", "inconclusive": ""}
_LEADS = {"settings": "settings", "own-rules": "rules"}
_BREAKS = re.compile(r"\s*[\n\t]+\s*")


def clean(text: str) -> str:
    """Text from a log in one line, without anything that steers a terminal.

    Examples
    --------
    >>> clean("loss" + chr(27) + "[31m")
    'loss[U+001B][31m'
    """
    return visible(_BREAKS.sub(" ", text)) if "\n" in text or "\t" in text else visible(text)


def width() -> int:
    """Columns of the terminal, between 60 and 100."""
    return max(60, min(100, shutil.get_terminal_size((80, 24)).columns))


def graded(text: str, severity: str) -> str:
    """The text in the colour of a severity."""
    return click.style(text, fg=_COLOURS[severity])


def standing(text: str, verdict: str) -> str:
    """The text in the colour of a run's verdict, where that has one."""
    severity = _WORDS.get(verdict)
    return graded(text, severity) if severity else text


def heading(told: Judged) -> str:
    """Name of a run and what it is."""
    known = [told.format, words.steps(*told.steps) if told.steps else "no points"]
    if told.attempts > 1:
        known.append(words.plural(told.attempts, "attempt"))
    return click.style(clean(told.name), bold=True) + f"  {' · '.join(map(clean, known))}"


def verdict(told: Judged, columns: int) -> list[str]:
    """Verdict of a run with its sentence, wrapped."""
    word = click.style(standing(told.verdict, told.verdict), bold=True)
    return wrapped(word, told.sentence, "  ", columns)


def facts(finding: Finding) -> str:
    """Severity, rule, metric and steps of a finding."""
    severity = finding.severity.value
    where = f"{finding.split}/{finding.metric}" if finding.metric else ""
    at = words.steps(finding.first_step, finding.last_step)
    known = " · ".join(x for x in (clean(where), at) if x)
    return f"{graded(severity, severity)} {finding.rule}  {known}"


def todo(prescription: Mapping[str, Any]) -> str:
    """A change in words, with the settings that it means."""
    settings = ", ".join(f"{name}: {value}" for name, value in prescription["patch"].items())
    return f"{prescription['text']} ({settings})." if settings else f"{prescription['text']}."


def wrapped(lead: str, text: str, indent: str, columns: int) -> list[str]:
    """Lines of a text from a log, behind a word of ours that may be coloured."""
    bare = click.unstyle(lead)
    if len(indent) + len(bare) > columns // 2:
        # A name from a log, longer than a word that leads a line can be.
        lead, bare, text = "", "", f"{bare} {text}"
    first = f"{indent}{bare} " if bare else indent
    lines = filled(clean(text), columns, first, indent + "  " * bool(bare))
    if lead and lines:
        lines[0] = lines[0].replace(bare, lead, 1)
    return lines or [indent + lead]


def _told_of(found: Sequence[Notice], columns: int, most: int = 5) -> list[str]:
    """Notices as paragraphs, the first ones."""
    lines = []
    for notice in found[:most]:
        lead = _LEADS.get(notice.kind)
        told = str(notice) if lead else f"{notice.kind}: {notice}{_lost(notice)}"
        lines += wrapped(f"{lead or 'data'}:", told, "  ", columns)
    if len(found) > most:
        rest = words.plural(len(found) - most, "more notice")
        lines.append(f"  data: {rest}; --json lists them all")
    return lines


def _lost(notice: Notice) -> str:
    if notice.lost is None:
        return " (how many records were lost is unknown)"
    return f" ({words.plural(notice.lost, 'record')} lost)" if notice.lost else ""


def notices(found: Sequence[Notice], *, columns: int = 80) -> str:
    """Notices about files that became no run, one paragraph each."""
    return "\n".join(_told_of(found, columns, most=50))


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
    widths = [max(wide(row[i]) for row in cells) for i in range(len(heads))]
    widths[0] = min(widths[0], max(20, columns - sum(widths[1:4]) - 6))
    kept = len(widths)
    while kept > 1 and sum(widths[:kept]) + 2 * (kept - 1) > columns:
        kept -= 1
    # The first column holds names, and a name may be a date.
    numeric = [i > 0 and all(_numeric(row[i]) for row in cells[1:]) for i in range(kept)]
    lines = []
    for row in cells:
        fields = [
            _padded(c, w, right)
            for c, w, right in zip(row[:kept], widths[:kept], numeric, strict=True)
        ]
        lines.append("  ".join(fields).rstrip())
    lines[0] = click.style(lines[0], bold=True)
    return "\n".join(lines)


def _padded(cell: str, room: int, right: bool) -> str:
    told = clipped(cell, room)
    pad = " " * (room - wide(told))
    return pad + told if right else told + pad


def _numeric(cell: str) -> bool:
    return not cell.strip("–-0123456789.,%\u202f\u2212 ")
