"""A frame: everything that the screen shows at one moment, as lines that fit it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from rich.text import Text

from trainlens.monitor.model import Standing, Update
from trainlens.monitor.screen import choice as choices
from trainlens.monitor.screen import course, faults, pages, runs, told
from trainlens.monitor.screen.choice import Choice
from trainlens.monitor.screen.layout import Block, fitted, joined, prose, stacked
from trainlens.monitor.screen.marks import ACROSS, ASCII, UNICODE, Marks
from trainlens.monitor.screen.memory import Shown

_PROSE = 110
"""Columns that a sentence is wrapped at."""
_FOOT = 12
"""Lines from which on the keys are told at the bottom."""


@dataclass(frozen=True)
class Canvas:
    """What is drawn on.

    Parameters
    ----------
    columns, lines : int
    spell : callable, optional
        Puts a text in the signs that the terminal has; where it is given, curves do without
        braille.
    zone : tzinfo, optional
        Of times; the local one where it is left out.
    """

    columns: int
    lines: int
    spell: Callable[[str], str] | None = None
    zone: tzinfo | None = None

    @property
    def marks(self) -> Marks:
        """The signs to use."""
        return UNICODE if self.spell is None else ASCII

    @property
    def prose(self) -> int:
        """Columns of a sentence."""
        return min(self.columns, _PROSE)


def frame(shown: Shown, choice: Choice, canvas: Canvas) -> list[Text]:
    """The lines of a screen.

    Parameters
    ----------
    shown : Shown
    choice : Choice
    canvas : Canvas

    Returns
    -------
    list of Text
        At most as many as the canvas has lines, none wider than it has columns.
    """
    head = runs.header(shown, canvas.columns, canvas.zone, paused=choice.paused)
    if choice.page == choices.OVERVIEW:
        lines = _overview(shown, choice, canvas, head)
    else:
        body = _page(shown, choice, canvas)
        room = _room(canvas)
        begin = max(0, min(choice.scroll, len(body) - room))
        lines = [head, *body[begin : begin + room]][: canvas.lines]
    if canvas.lines >= _FOOT:
        lines += [Text()] * (canvas.lines - 1 - len(lines))
        lines.append(_keys(shown, choice, canvas))
    return [fitted(line, canvas.columns, canvas.spell) for line in lines]


def limit(shown: Shown, choice: Choice, canvas: Canvas) -> int:
    """Lines that a page can be scrolled by; 0 for the overview."""
    if choice.page == choices.OVERVIEW:
        return 0
    return max(0, len(_page(shown, choice, canvas)) - _room(canvas))


def _room(canvas: Canvas) -> int:
    return max(1, canvas.lines - (2 if canvas.lines >= _FOOT else 1))


def _page(shown: Shown, choice: Choice, canvas: Canvas) -> list[Text]:
    run = _chosen(shown.update, choice)
    if choice.page == choices.HELP or run is None or shown.update is None:
        return [Text(), *pages.guide(canvas.prose, canvas.marks)]
    later = shown.now - shown.update.at
    title = runs.titled(run, later, canvas.columns, canvas.marks)
    return [Text(), title, *pages.findings(run, shown, canvas.columns, canvas.marks)]


def _chosen(update: Update | None, choice: Choice) -> Standing | None:
    return update.runs[choices.place(choice, update.runs)] if update and update.runs else None


def _overview(shown: Shown, choice: Choice, canvas: Canvas, head: Text) -> list[Text]:
    height = canvas.lines - (1 if canvas.lines >= _FOOT else 0)
    run = _chosen(shown.update, choice)
    news = faults.said(shown, canvas.zone)
    notes = Block(70, (0, min(1, len(news)), min(3, len(news))), lambda n: news[:n], gap=True)
    # On a screen of four lines there is no room for the name of the watch.
    top = Block(40, (1,), lambda n: [head])
    if run is None or shown.update is None:
        text = f"Waiting for a run{f' at {shown.update.path}' if shown.update else ''}."
        waiting = prose("", text, canvas.prose)
        return stacked([top, Block(0, (1, 3), lambda n: waiting, gap=True), notes], height)
    several = _table(shown.update, choice, canvas) if len(shown.update.runs) > 1 else []
    return stacked([top, *several, *_run(shown, run, choice, canvas), notes], height)


def _table(update: Update, choice: Choice, canvas: Canvas) -> list[Block]:
    count, at = len(update.runs), choices.place(choice, update.runs)
    third = max(3, canvas.lines // 3)
    sizes = (1, min(count + 1, 4), min(count + 1, third), min(count + 1, third))

    def draw(lines: int) -> list[Text]:
        return runs.table(update.runs, at, canvas.columns, lines, canvas.marks)

    return [Block(35, sizes, draw, gap=True)]


def _run(shown: Shown, run: Standing, choice: Choice, canvas: Canvas) -> list[Block]:
    """How the chosen run stands, from what to know first to what can be left out."""
    columns, marks = canvas.columns, canvas.marks
    later = shown.now - (shown.update.at if shown.update else shown.now)
    found = faults.findings(run, shown, canvas.prose, marks)
    said = len(runs.verdict(run, canvas.prose, marks, 3))
    blocks = [
        Block(45, (0, 1), lambda n: [runs.titled(run, later, columns, marks)], gap=True),
        Block(20, (1 if told.progress(run) else 0,),
              lambda n: [runs.progress(run, columns, marks)]),
        Block(0, (1, min(2, said), said), lambda n: runs.verdict(run, canvas.prose, marks, n)),
        *_metrics(run, choice, canvas),
        Block(10, (1, min(3, len(found)), min(6, len(found)), len(found)),
              lambda n: faults.findings(run, shown, canvas.prose, marks, n), gap=True),
    ]  # fmt: skip
    if run.chance is not None:
        held = run.chance
        count = len(faults.chance(held, canvas.prose, 2))
        blocks.append(
            Block(50, (0, 1, count), lambda n: faults.chance(held, canvas.prose, n), gap=True)
        )
    return blocks


def _metrics(run: Standing, choice: Choice, canvas: Canvas) -> list[Block]:
    trail = choices.trail_of(choice, run)
    if trail is None:
        return []
    columns, marks, count = canvas.columns, canvas.marks, len(run.trails)
    half = max(4, canvas.lines * 2 // 5)
    blocks = [
        Block(30, (1, 4, 7, half, canvas.lines),
              lambda n: course.charted(run, trail, columns, n, marks, log=choice.log), gap=True),
        Block(60, (0, min(2, count), min(4, count), min(8, count)),
              lambda n: course.metrics(run.trails, trail, columns, n, marks), gap=True),
    ]  # fmt: skip
    if run.machine or run.gap is not None or run.throughput:
        blocks.append(Block(65, (0, 1), lambda n: [course.readings(run, columns)]))
    return blocks


def _keys(shown: Shown, choice: Choice, canvas: Canvas) -> Text:
    up, side = canvas.marks.keys
    leave = ["q quit", "? help"]
    if choice.page != choices.OVERVIEW:
        back = "f back" if choice.page == choices.FINDINGS else "? back"
        items = ["q quit", back, f"{up} scroll", f"{side} run"]
        if choice.page == choices.HELP:
            items.pop()
    else:
        several = shown.update is not None and len(shown.update.runs) > 1
        items = [*leave, f"{side} metric", "f findings", "l log axis", "p pause", "r read now"]
        items[2:2] = [f"{up} run"] if several else []
        if shown.update is None or not shown.update.runs:
            items = [*leave, "r read now"]
    return Text(joined(items, canvas.columns, "   "), ACROSS)
