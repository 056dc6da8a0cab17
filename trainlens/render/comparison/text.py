"""A comparison for a terminal: 80 columns hold, wide ones are used, colour only for what is bad."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence

import click

from trainlens.comparison.expectations import Judged
from trainlens.comparison.model import Comparison
from trainlens.render.comparison._blocks import Block, blocks, checked
from trainlens.render.comparison._table import Table
from trainlens.render.text import clean, wrapped

_COLOURS = {"worse": "yellow", "missed": "red"}
_GAP = "  "
_CLOSE = re.compile(r"(?<=\d) (?=%)|(?<=\bp) (?==)|(?<==) (?=\d)")
_ODD = re.compile("[\u0300-\u036f\u0483-\u1fff\u20d0-\u20ff\u231a-\U0010ffff]")
"""Among these are all characters that are not one column wide."""
_NARROW, _NAME = 12, 24
"""Columns that a long heading and a name keep at least."""
_OURS = len("difference [95 %]")
"""Headings of this length are shown whole."""


def page(comparison: Comparison, *, columns: int = 80, everything: bool = False) -> str:
    """The whole comparison as text.

    Parameters
    ----------
    comparison : Comparison
    columns : int
        Width to keep to. Tables leave out their least important columns where they must.
    everything : bool
        As of `blocks`.

    Returns
    -------
    str
        Without a newline at its end; coloured, which `click.echo` takes away where it must.
    """
    return _joined([_block(block, columns) for block in blocks(comparison, everything)])


def kept(name: str, judged: Sequence[Judged], *, columns: int = 80) -> str:
    """What was expected of a run, and what became of it, as text.

    Parameters
    ----------
    name : str
        Of the run.
    judged : sequence of Judged
        All of one run.
    columns : int
        As of `page`.
    """
    return _joined([_block(block, columns) for block in checked(name, judged)])


def _joined(told: Sequence[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(lines) for lines in told).replace("\u00a0", " ")


def _block(block: Block, columns: int) -> list[str]:
    head = {1: "", 2: "", 3: _GAP}[block.level]
    lines = [
        click.style(line, bold=True)
        for line in (wrapped("", block.title, head, columns) if block.title else ())
    ]
    for sentence in block.sentences:
        lines += _sentence(sentence, columns)
    if block.table is not None:
        lines += table(block.table, columns, indent=_GAP)
    for note in block.notes:
        lines += _sentence(note, columns)
    return lines


def _sentence(text: str, columns: int) -> list[str]:
    # A number and its percent sign stay in one line.
    first, *rest = wrapped("", _CLOSE.sub("\u00a0", text), "", columns - 4)
    return [_GAP + first, *(_GAP * 2 + line for line in rest)]


def table(told: Table, columns: int, indent: str = "") -> list[str]:
    """A table that never wraps, line by line.

    Parameters
    ----------
    told : Table
    columns : int
        Width to keep to: names are shortened and columns left out until it fits.
    indent : str
        Before every line.
    """
    rows = [[clean(cell) for cell in row] for row in (told.heads, *told.rows)]
    kept, widths = _fitted(rows, told, columns - len(indent))
    lines = []
    for row in rows:
        cells = [_cell(row[i], widths[i], i in told.left) for i in kept]
        lines.append(indent + _GAP.join(cells).rstrip())
    return [click.style(lines[0], bold=True), *map(_coloured, lines[1:])]


def _fitted(rows: Sequence[Sequence[str]], told: Table, room: int) -> tuple[list[int], list[int]]:
    """Columns that stay, and the width of every column."""
    body = rows[1:] or rows
    widest = [max(_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    heads = [_width(head) for head in rows[0]]
    # Long headings are names of runs: they give way before any column does.
    least = [
        max(max(_width(row[i]) for row in body), heads[i] if heads[i] <= _OURS else _NARROW)
        for i in range(len(widest))
    ]
    for i in told.short:
        least[i] = min(least[i], _NAME)
    kept = list(range(len(widest)))
    for column in told.drop:
        if _total(least, kept) <= room:
            break
        kept.remove(column)
    return kept, _given(widest, least, kept, told.short, room)


def _given(
    widest: list[int], least: list[int], kept: list[int], short: Sequence[int], room: int
) -> list[int]:
    """Width of each column: what it wants where there is room, at least what it needs."""
    widths = list(least)
    for i in kept:
        spare = room - _total(widths, kept)
        widths[i] += max(0, min(spare, widest[i] - widths[i]))
    # Names give way first: a number of which a part is missing is none.
    for columns, bottom in (([i for i in kept if i in short], 8), (kept, 4)):
        while _total(widths, kept) > room and max((widths[i] for i in columns), default=0) > bottom:
            widths[max(columns, key=lambda i: widths[i])] -= 1
    return widths


def _total(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[i] for i in kept) + len(_GAP) * (len(kept) - 1)


def _cell(text: str, room: int, left: bool) -> str:
    told = "".join(_clipped(text, room))
    pad = " " * (room - _width(told))
    return told + pad if left else pad + told


def _clipped(text: str, room: int) -> Iterator[str]:
    """As much of a text as there is room for, its middle left out."""
    if _width(text) <= room:
        yield text
        return
    end = text[-((room - 1) // 2) :] if room > 2 else ""
    while _width(end) > (room - 1) // 2:
        end = end[1:]
    used = _width(end) + 1
    for letter in text:
        used += _width(letter)
        if used > room:
            break
        yield letter
    yield "…" + end


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: Chinese letters are two wide."""
    if not _ODD.search(text):
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in ("W", "F"))
        for c in text
    )


def _coloured(line: str) -> str:
    # Only the last word that is a verdict: a run may be called so, too.
    for word, colour in _COLOURS.items():
        before, found, behind = line.rpartition(_GAP + word)
        if found and (not behind or behind.startswith(" ")):
            return f"{before}{_GAP}{click.style(word, fg=colour)}{behind}"
    return line


def width() -> int:
    """Columns of the terminal, between 60 and 160; 80 where there is none."""
    return max(60, min(160, shutil.get_terminal_size((80, 24)).columns))
