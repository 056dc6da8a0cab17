"""A comparison for a terminal: 80 columns hold, wide ones are used, colour only for what is bad."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace

import click

from trainlens.comparison.expectations import Judged
from trainlens.comparison.model import Comparison
from trainlens.render import _cells
from trainlens.render._cells import GAP, Table
from trainlens.render.comparison._blocks import Block, blocks, checked
from trainlens.render.text import clean, wrapped

_COLOURS = {"worse": "yellow", "missed": "red"}
_CLOSE = re.compile(r"(?<=\d) (?=%)|(?<=\bp) (?==)|(?<==) (?=\d)")


def page(
    comparison: Comparison,
    *,
    columns: int = 80,
    everything: bool = False,
    parts: Sequence[str] = (),
) -> str:
    """The whole comparison as text.

    Parameters
    ----------
    comparison : Comparison
    columns : int
        Width to keep to. Tables leave out their least important columns where they must.
    everything : bool
        As of `blocks`.
    parts : sequence of str
        As of `blocks`.

    Returns
    -------
    str
        Without a newline at its end; coloured, which `click.echo` takes away where it must.
    """
    return _joined([_block(block, columns) for block in blocks(comparison, everything, parts)])


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
    head = {1: "", 2: "", 3: GAP}[block.level]
    lines = [
        click.style(line, bold=True)
        for line in (wrapped("", block.title, head, columns) if block.title else ())
    ]
    for sentence in block.sentences:
        lines += _sentence(sentence, columns)
    if block.table is not None:
        lines += table(block.table, columns, indent=GAP)
    for note in block.notes:
        lines += _sentence(note, columns)
    return lines


def _sentence(text: str, columns: int) -> list[str]:
    # A number and its percent sign stay in one line.
    first, *rest = wrapped("", _CLOSE.sub("\u00a0", text), "", columns - 4)
    return [GAP + first, *(GAP * 2 + line for line in rest)]


def table(told: Table, columns: int, indent: str = "") -> list[str]:
    """A table that never wraps, line by line; parameters are those of `_cells.table`."""
    rows = tuple(tuple(clean(cell) for cell in row) for row in told.rows)
    heads = tuple(map(clean, told.heads))
    first, *rest = _cells.table(replace(told, heads=heads, rows=rows), columns, indent)
    return [click.style(first, bold=True), *map(_coloured, rest)]


def _coloured(line: str) -> str:
    # Only the last word that is a verdict: a run may be called so, too.
    for word, colour in _COLOURS.items():
        before, found, behind = line.rpartition(GAP + word)
        if found and (not behind or behind.startswith(" ")):
            return f"{before}{GAP}{click.style(word, fg=colour)}{behind}"
    return line


def width() -> int:
    """Columns of the terminal, between 60 and 160; 80 where there is none."""
    return max(60, min(160, shutil.get_terminal_size((80, 24)).columns))
