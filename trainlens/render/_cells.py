"""Text as a terminal lays it out: columns that letters take, clipping, wrapping, tables."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

GAP = "  "
_ODD = re.compile("[\u0300-\u036f\u0483-\u1fff\u20d0-\u20ff\u231a-\u27ff\u2900-\U0010ffff]")
"""Among these are all characters that are not one column wide; braille is."""
_NARROW = 12
"""Columns that a long heading keeps at least."""


@dataclass(frozen=True)
class Table:
    """Rows of text under headings.

    Parameters
    ----------
    heads : tuple of str
    rows : tuple of tuple of str
        Each as long as `heads`.
    drop : tuple of int
        Columns that can go where there is no room, the least important first.
    left : tuple of int
        Columns that hold words; the others hold numbers and are aligned at the right.
    short : tuple of int
        Columns whose texts are rather shortened than that another column goes.
    least : int
        What such a text keeps.
    whole : int
        Headings of this length are shown whole.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    drop: tuple[int, ...] = ()
    left: tuple[int, ...] = (0,)
    short: tuple[int, ...] = (0,)
    least: int = 24
    whole: int = len("difference [95 %]")


def width(text: str) -> int:
    """Columns of a terminal that a text takes: Chinese letters are two wide."""
    if not _ODD.search(text):
        return len(text)
    return sum(map(_wide, text))


@lru_cache(maxsize=4096)
def _wide(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 1 + (unicodedata.east_asian_width(letter) in ("W", "F"))


def clipped(text: str, room: int) -> str:
    """As much of a text as there is room for, its middle left out."""
    return "".join(_clipped(text, room))


def _clipped(text: str, room: int) -> Iterator[str]:
    if width(text) <= room:
        yield text
        return
    end = text[-((room - 1) // 2) :] if room > 2 else ""
    while width(end) > (room - 1) // 2:
        end = end[1:]
    used = width(end) + 1
    for letter in text:
        used += width(letter)
        if used > room:
            break
        yield letter
    yield "…" + end


def filled(text: str, columns: int, first: str = "", other: str = "") -> list[str]:
    """Lines of a text, none wider than `columns`.

    Parameters
    ----------
    text : str
    columns : int
    first, other : str
        What the first line and all others begin with.

    Returns
    -------
    list of str
        Empty for a text without a word.
    """
    if not _ODD.search(text + first):
        return textwrap.wrap(
            text, columns, initial_indent=first, subsequent_indent=other, break_on_hyphens=False
        )
    lines: list[str] = []
    line, indent = first, first
    for word in _words(text, max(2, columns - max(width(first), width(other)))):
        if line == indent or width(line) + 1 + width(word) <= columns:
            line += word if line == indent else f" {word}"
        else:
            lines.append(line)
            line, indent = other + word, other
    return [*lines, line] if text.strip() else []


def _words(text: str, room: int) -> Iterator[str]:
    """The words of a text, those that do not fit in pieces."""
    for word in text.split():
        while width(word) > room:
            end = next(k for k in range(min(len(word), room), 0, -1) if width(word[:k]) <= room)
            yield word[:end]
            word = word[end:]
        yield word


def table(
    told: Table, columns: int, indent: str = "", paint: Callable[[int, str], str] | None = None
) -> list[str]:
    """A table that never wraps, line by line, its headings first.

    Parameters
    ----------
    told : Table
    columns : int
        Width to keep to: names are shortened and columns left out until it fits.
    indent : str
        Before every line.
    paint : callable, optional
        Colours the text of a cell of the body: given are the place of its column and the text.
    """
    rows = [told.heads, *told.rows]
    kept, widths = _fitted(rows, told, columns - len(indent))
    lines = []
    for number, row in enumerate(rows):
        line = ""
        for i in kept:
            text = clipped(row[i], widths[i])
            pad = " " * (widths[i] - width(text))
            shown = paint(i, text) if paint and number else text
            line += (shown + pad if i in told.left else pad + shown) + GAP
        lines.append(indent + line.rstrip())
    return lines


def _fitted(rows: Sequence[Sequence[str]], told: Table, room: int) -> tuple[list[int], list[int]]:
    """Columns that stay, and the width of every column."""
    body = rows[1:] or rows
    widest = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    heads = [width(head) for head in rows[0]]
    # Long headings are names of runs: they give way before any column does.
    least = [
        max(max(width(row[i]) for row in body), heads[i] if heads[i] <= told.whole else _NARROW)
        for i in range(len(widest))
    ]
    for i in told.short:
        least[i] = min(least[i], told.least)
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
    return sum(widths[i] for i in kept) + len(GAP) * (len(kept) - 1)
