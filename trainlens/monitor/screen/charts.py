"""The chart of one metric: its band in braille, round numbers at both axes, faults marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rich.text import Text

from trainlens import words
from trainlens.monitor.model import Trail
from trainlens.monitor.screen import axes
from trainlens.monitor.screen.marks import ACCENT, ACROSS, STYLES, Marks
from trainlens.monitor.screen.told import valued
from trainlens.render import braille
from trainlens.render._cells import width
from trainlens.rules.base import Finding

_LEAST = 5
"""Lines below which there is room for the curve alone."""


@dataclass(frozen=True)
class Wanted:
    """How a chart is to be drawn.

    Parameters
    ----------
    columns, lines : int
        Of the terminal.
    log : bool
        Logarithmic, where a value is above 0.
    marks : Marks
    """

    columns: int
    lines: int
    log: bool
    marks: Marks


def chart(trail: Trail, wanted: Wanted, findings: Sequence[Finding] = ()) -> list[Text]:
    """The course of a metric as lines.

    Parameters
    ----------
    trail : Trail
    wanted : Wanted
    findings : sequence of Finding
        Those with a first step are marked at the axis.

    Returns
    -------
    list of Text
        `wanted.lines` of them. The course reaches from the lowest to the highest finite value of
        each column; what is not finite is a gap.
    """
    held = axes.axis(trail, log=wanted.log)
    if held is None or wanted.columns < 4:
        told = "no finite value" if trail.points else "no value yet"
        return [Text(f"  {told}", ACROSS), *[Text()] * (wanted.lines - 1)][: wanted.lines]
    if wanted.lines < _LEAST:
        drawn = curve(trail, wanted.columns - 2, wanted.marks, lines=wanted.lines, log=wanted.log)
        return [Text(f"  {line}", ACCENT) for line in drawn]
    rows = wanted.lines - 2
    labels = _labels(held, rows)
    side = max((width(text) for text in labels.values()), default=0)
    side = side if side <= wanted.columns // 3 else 0
    room = max(1, wanted.columns - side - 2)
    drawn = curve(trail, room, wanted.marks, lines=rows, log=wanted.log)
    lines = [
        _line(labels.get(k, "") if side else "", side, line, wanted.marks)
        for k, line in enumerate(drawn)
    ]
    return [*lines, *_foot(trail, findings, side, room, wanted.marks)]


def curve(
    trail: Trail, cells: int, marks: Marks, *, lines: int = 1, log: bool = False
) -> list[str]:
    """A course without axes.

    Parameters
    ----------
    trail : Trail
    cells, lines : int
        Characters to use.
    marks : Marks
    log : bool

    Returns
    -------
    list of str
        The topmost line first; empty lines where no value is finite.
    """
    return list(_curve(trail, cells, marks.plain, lines, log))


@lru_cache(maxsize=32)
def _curve(trail: Trail, cells: int, plain: bool, lines: int, log: bool) -> tuple[str, ...]:
    """What `curve` draws; a frame shows mostly what the one before it showed."""
    held = axes.axis(trail, log=log)
    if held is None:
        return (" " * cells,) * lines
    columns = cells if plain else 2 * cells
    spans = axes.course(trail, held, columns, braille.ROWS * lines)
    return tuple(braille.canvas(spans, lines, plain=plain))


def _labels(held: axes.Axis, rows: int) -> dict[int, str]:
    """Round numbers by the line that they stand at, the topmost line being 0."""
    found = axes.ticks(held, max(2, (rows + 2) // 3))
    if len(found) < 2 and held.low < held.high:
        # No two round numbers lie in between: the ends tell as much.
        found = [(end, words.number(end)) for end in (held.low, held.high)]
    share = held.share(np.array([value for value, _ in found]))
    return {
        rows - 1 - int(at * (rows - 0.01)): text for at, (_, text) in zip(share, found, strict=True)
    }


def _line(label: str, side: int, drawn: str, marks: Marks) -> Text:
    axis = f"{' ' * (side - width(label))}{label} {marks.tick if label else marks.side}"
    return Text.assemble((axis, ACROSS), (drawn, ACCENT))


def _foot(
    trail: Trail, findings: Sequence[Finding], side: int, room: int, marks: Marks
) -> list[Text]:
    """The axis of steps, with the faults at it, and its numbers."""
    first = float(trail.step[0])
    last = max(float(trail.step[-1]), float(trail.last_step), first)
    known = axes.Axis(first, last)
    line = [marks.along] * room
    numbers = [" "] * room
    end = -2
    for value, text in axes.ticks(known, max(2, room // 16)):
        at = _column(known, value, room)
        begin = min(max(0, at - len(text) // 2), room - len(text))
        if begin > end + 1 and begin >= 0:
            numbers[begin : begin + len(text)] = text
            line[at] = marks.stop
            end = begin + len(text)
    axis = Text(" " * (side + 1) + marks.corner + "".join(line), ACROSS)
    for finding in reversed(findings):
        if finding.first_step is not None and first <= finding.first_step <= last:
            at = side + 2 + _column(known, finding.first_step, room)
            sign = marks.severity[finding.severity.value]
            style = STYLES[finding.severity.value]
            axis = Text.assemble(axis[:at], (sign, style), axis[at + 1 :])
    return [axis, Text(f"{' ' * (side + 2)}{''.join(numbers)}", ACROSS)]


def _column(known: axes.Axis, value: float, room: int) -> int:
    return int(known.share(np.array([float(value)]))[0] * (room - 1))


def caption(trail: Trail) -> list[str]:
    """What to know of a metric in words, the most telling first."""
    told = [valued(trail.last, trail.unit)]
    if not np.isfinite(trail.last) or not np.isclose(trail.ema, trail.last, rtol=1e-4):
        told += [f"mean {words.number(trail.ema)}"] if np.isfinite(trail.ema) else []
    if trail.best is not None and trail.best_step is not None:
        told.append(f"best {words.number(trail.best)} at step {words.step(trail.best_step)}")
    if trail.bad:
        told.append(f"{words.step(trail.bad)} of {words.plural(trail.points, 'value')} not finite")
    return told
