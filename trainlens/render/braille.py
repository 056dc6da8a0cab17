"""Curves in lines of text: braille, two columns of four dots a character, or plain ASCII."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainlens.reporting.sketches import Sketch

ROWS = 4
"""Dots of a character from the bottom to the top."""
# Dots of a column from the bottom to the top, left and right.
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
_EMPTY = 0x2800
_FILLED = tuple(
    tuple(tuple(sum(side[low : high + 1]) for high in range(ROWS)) for low in range(ROWS))
    for side in _DOTS
)
"""The dots of a column from one row to another."""
_PLAIN = "_.-'"

Spans = list[tuple[int, int] | None]


def canvas(held: Sequence[tuple[int, int] | None], lines: int, *, plain: bool = False) -> list[str]:
    """Columns of dots as lines of text, the topmost first.

    Parameters
    ----------
    held : sequence of (int, int) or None
        Lowest and highest row of dots of each column, in [0, ``4 * lines``); two columns a
        character, or one where `plain`. None leaves a column empty.
    lines : int
        Characters of the height, at least 1.
    plain : bool
        Whether to do with ASCII: a bar where a column fills most of a character, else one mark
        where the middle of its dots lies.

    Examples
    --------
    >>> canvas([(0, 7), (3, 4)], 2), canvas([(0, 7), (1, 1)], 2, plain=True)
    (['⣇', '⡏'], ['| ', '|.'])
    """
    across = len(held) if plain else (len(held) + 1) // 2
    if plain:
        marks = [[" "] * across for _ in range(lines)]
        for k, line, cut in _cuts(held):
            marks[lines - 1 - line][k] = _mark(cut)
        return ["".join(row) for row in marks]
    dots = [[_EMPTY] * across for _ in range(lines)]
    for k, line, (low, high) in _cuts(held):
        dots[lines - 1 - line][k // 2] |= _FILLED[k % 2][low][high]
    return ["".join(map(chr, row)) for row in dots]


def _cuts(
    held: Sequence[tuple[int, int] | None],
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Each part of a column that lies in one character: (column, line from below, rows there)."""
    for k, span in enumerate(held):
        if span is None:
            continue
        (first, low), (last, high) = divmod(span[0], ROWS), divmod(span[1], ROWS)
        for line in range(first, last + 1):
            yield k, line, (low if line == first else 0, high if line == last else ROWS - 1)


def _mark(span: tuple[int, int]) -> str:
    return "|" if span[1] - span[0] >= ROWS - 2 else _PLAIN[(span[0] + span[1]) // 2]


def curve(sketch: Sketch, cells: int, *, plain: bool = False) -> str:
    """The course of a metric.

    Parameters
    ----------
    sketch : Sketch
    cells : int
        Characters to use, at least 1.
    plain : bool
        Whether to do with ASCII: one mark a character, where the middle of its values lies.

    Returns
    -------
    str
        `cells` characters: a dot for every quarter of the height between the lowest and the
        highest value of the metric that a column reaches from its minimum to its maximum. A
        column without a finite value is empty.
    """
    held = spans(sketch.low, sketch.high, cells if plain else 2 * cells)
    if plain:
        return "".join(" " if s is None else _PLAIN[(s[0] + s[1]) // 2] for s in held)
    return canvas(held, 1)[0]


def spans(low: bytes, high: bytes, columns: int) -> Spans:
    """Lowest and highest row of each of so many columns; None for an empty one.

    Parameters
    ----------
    low, high : bytes
        As in `Sketch`.
    columns : int
        Several of the sketch's columns are drawn as one, or one as several.

    Examples
    --------
    >>> spans(bytes([1, 64, 0, 0]), bytes([1, 255, 0, 0]), 2)
    [(0, 3), None]
    """
    n = len(low)
    if n < 2:
        # One point is no line.
        return [(1, 1) if k == 0 and n and low[0] else None for k in range(columns)]
    held: Spans = []
    for k in range(columns):
        part = range(k * n // columns, max(k * n // columns + 1, (k + 1) * n // columns))
        known = [i for i in part if i < n and low[i]]
        held.append(
            (_row(min(low[i] for i in known)), _row(max(high[i] for i in known))) if known else None
        )
    return _lifted(held)


def _row(level: int) -> int:
    return (level - 1) * ROWS // 255


def _lifted(held: Spans) -> Spans:
    # A metric that never moves is neither at its lowest nor at its highest.
    flat = all(s is None or s == (0, 0) for s in held)
    return [None if s is None else (1, 1) for s in held] if flat else held
