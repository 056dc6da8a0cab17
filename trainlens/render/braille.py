"""Curves in a line of text: braille, two columns of four dots a character, or plain ASCII."""

from __future__ import annotations

from trainlens.reporting.sketches import Sketch

_ROWS = 4
# Dots of a column from the bottom to the top, left and right.
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
_EMPTY = 0x2800
_PLAIN = "_.-'"

Spans = list[tuple[int, int] | None]


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
    return "".join(_cell(held[k], held[k + 1]) for k in range(0, 2 * cells, 2))


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
    return (level - 1) * _ROWS // 255


def _lifted(held: Spans) -> Spans:
    # A metric that never moves is neither at its lowest nor at its highest.
    flat = all(s is None or s == (0, 0) for s in held)
    return [None if s is None else (1, 1) for s in held] if flat else held


def _cell(*columns: tuple[int, int] | None) -> str:
    dots = 0
    for side, span in zip(_DOTS, columns, strict=True):
        if span is not None:
            dots |= sum(side[span[0] : span[1] + 1])
    return chr(_EMPTY + dots)
