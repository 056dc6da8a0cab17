"""Blocks about metrics: the chart of the chosen one, a line for each, and the machine."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from trainlens import words
from trainlens.monitor.model import Standing, Trail
from trainlens.monitor.screen import axes, charts, told
from trainlens.monitor.screen.layout import joined
from trainlens.monitor.screen.marks import ACROSS, Marks
from trainlens.render import _cells


def charted(
    run: Standing, trail: Trail, columns: int, lines: int, marks: Marks, *, log: bool
) -> list[Text]:
    """The chosen metric: what to know of it in words, and its chart below."""
    head = caption(trail, columns, log=log)
    if lines < 2:
        return [head]
    about = [
        f for _, f in run.findings if (f.metric, f.split) in ((trail.metric, trail.split), ("", ""))
    ]
    wanted = charts.Wanted(columns, lines - 1, log, marks)
    return [head, *charts.chart(trail, wanted, about)]


def caption(trail: Trail, columns: int, *, log: bool) -> Text:
    """Name and numbers of a metric in one line."""
    name = _cells.clipped(told.called(trail), max(8, columns // 2))
    items = charts.caption(trail)
    if log:
        held = axes.axis(trail, log=True)
        low = trail.low
        if held is None or not held.log:
            items.append("no value above 0: linear axis")
        elif (low <= 0).any():
            items.append("log axis, values at or below 0 not drawn")
        else:
            items.append("log axis")
    line = Text().append(name, "bold")
    return line.append(f"  {joined(items, max(1, columns - _cells.width(name) - 2))}")


def metrics(
    trails: Sequence[Trail], chosen: Trail, columns: int, lines: int, marks: Marks
) -> list[Text]:
    """The metrics around the chosen one, a line with a small curve each."""
    at = next((i for i, t in enumerate(trails) if t is chosen), 0)
    begin = max(0, min(at - lines // 2, len(trails) - lines))
    part = trails[begin : begin + lines]
    room = 16 if columns < 72 else 24 if columns < 110 else 40
    rows = tuple(
        (f"{marks.chosen if t is chosen else ' '} {told.called(t)}",
         charts.curve(t, room, marks)[0], *_numbers(t))
        for t in part
    )  # fmt: skip
    heads = ("", "", "", "", "", "")
    table = _cells.Table(heads, rows, drop=(5, 3, 1, 4), left=(0, 1, 3, 4, 5), short=(0,), least=14)
    drawn = _cells.table(table, columns, paint=_paint)[1:]
    body = [Text.from_ansi(line) for line in drawn]
    if begin <= at < begin + len(body):
        body[at - begin].stylize("bold")
    return body


def _numbers(trail: Trail) -> tuple[str, ...]:
    known = trail.best is not None and trail.best_step is not None
    mean = f"mean {words.number(trail.ema)}" if trail.ema == trail.ema else ""
    return (
        told.valued(trail.last, trail.unit),
        mean,
        f"best {words.number(trail.best or 0.0)}" if known else "",
        f"at {words.step(trail.best_step or 0)}" if known else "",
    )


def _paint(column: int, cell: str) -> str:
    if column == 1:
        return click.style(cell, fg="cyan")
    return click.style(cell, dim=True) if column > 2 else cell


def readings(run: Standing, columns: int) -> Text:
    """The gap, speed and the machine in one line."""
    return Text(joined(told.machine(run), columns), ACROSS)
