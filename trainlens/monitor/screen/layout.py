"""How blocks of lines share the height that there is: the most important ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from trainlens.render._cells import clipped, filled
from trainlens.render.text import clean

Draw = Callable[[int], list[Text]]
_ROUNDS = 3
"""Rounds of giving lines before any is left free."""


@dataclass(frozen=True)
class Block:
    """Lines that belong together.

    Parameters
    ----------
    rank : int
        The lowest gets lines first.
    sizes : tuple of int
        Lines that it has in each round of giving, the last one as many as it can use.
    draw : callable
        Makes at most so many lines.
    gap : bool
        Whether a line is left free above it where there is room.
    """

    rank: int
    sizes: tuple[int, ...]
    draw: Draw
    gap: bool = False


def stacked(blocks: Sequence[Block], height: int) -> list[Text]:
    """The lines of blocks in their order, at most `height` of them.

    Every block gets the first of its sizes, then every block the second, and so on, as long as
    there are lines; free lines between them are given after the third round.
    """
    given = [0] * len(blocks)
    gaps = [False] * len(blocks)
    order = sorted(range(len(blocks)), key=lambda i: blocks[i].rank)
    left = height
    for turn in range(max(_ROUNDS, *(len(b.sizes) for b in blocks))):
        for i in order:
            sizes = blocks[i].sizes
            more = min(sizes[min(turn, len(sizes) - 1)] - given[i], left)
            given[i] += max(0, more)
            left -= max(0, more)
        if turn == _ROUNDS - 1:
            for i in order:
                gaps[i] = blocks[i].gap and given[i] > 0 and left > 0
                left -= gaps[i]
    lines: list[Text] = []
    for block, count, gap in zip(blocks, given, gaps, strict=True):
        drawn = block.draw(count)[:count] if count else []
        lines += ([Text()] if gap and drawn and lines else []) + drawn
    return lines


def fitted(line: Text, columns: int, spell: Callable[[str], str] | None) -> Text:
    """A line that is no wider than the terminal, in the signs that the terminal has."""
    if spell is not None and not line.plain.isascii():
        for sign in sorted({c for c in line.plain if not c.isascii()}):
            line = Text(spell(sign)).join(line.split(sign, allow_blank=True))
    if line.cell_len > columns:
        line = line.copy()
        line.truncate(columns, overflow="crop")
    return line


def joined(items: Sequence[str], columns: int, between: str = " · ") -> str:
    """As many of the items as there is room for; the first one always, shortened if it must be.

    Examples
    --------
    >>> joined(["step 10", "2 h left", "3 steps/s"], 20)
    'step 10 · 2 h left'
    """
    told = ""
    for item in items:
        longer = f"{told}{between}{item}" if told else item
        if told and Text(longer).cell_len > columns:
            break
        told = longer
    return clipped(told, max(1, columns))


def cut(lines: list[Text], most: int, columns: int) -> list[Text]:
    """The first lines of a text; that it goes on is told at their end."""
    if len(lines) > most > 0:
        lines[most - 1].truncate(max(1, columns - 1))
        lines[most - 1].append("…")
    return lines[:most]


def prose(lead: str, text: str, columns: int, indent: str = "", style: str = "") -> list[Text]:
    """A text from a log, wrapped, behind a word of ours in a style of its own."""
    first = f"{indent}{lead} " if lead else indent
    lines = [
        Text(line)
        for line in filled(clean(text).strip(), columns, first, indent + "  " * bool(lead))
    ]
    if lines and lead and style:
        lines[0].stylize(style, len(indent), len(indent) + len(lead))
    return lines
