"""Blocks about runs: what is watched, the table of several, and how the chosen one stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo

import click
from rich.text import Text

from trainlens import words
from trainlens.monitor.model import LIVE, QUIET, WAITING, Standing
from trainlens.monitor.screen import told
from trainlens.monitor.screen.layout import cut, joined, prose
from trainlens.monitor.screen.marks import ACCENT, ACROSS, STYLES, VERDICTS, Marks
from trainlens.monitor.screen.memory import Shown
from trainlens.render import _cells
from trainlens.render.text import clean, standing
from trainlens.rules.base import Finding

_BAR = 40


def header(shown: Shown, columns: int, zone: tzinfo | None, *, paused: bool) -> Text:
    """What is watched, how many runs stand how, and the time."""
    update = shown.update
    right = told.time_of(shown.now, zone)
    if paused:
        behind = f" · {words.plural(shown.behind, 'newer round')}" if shown.behind else ""
        right = f" PAUSED at {right}{behind} "
    path = words.shortened(update.path, max(12, columns // 2)) if update else ""
    items = [clean(path)] if path else []
    if update and update.runs:
        states = Counter(run.state for run in update.runs)
        several = len(update.runs) > 1
        items += [words.plural(len(update.runs), "run")] if several else []
        items += [f"{words.step(n)} {clean(s)}" if several else clean(s) for s, n in states.items()]
        faults = Counter(run.verdict for run in update.runs if run.verdict in VERDICTS)
        items += [f"{words.step(n)} {v}" for v, n in faults.items()] if several else []
    left = joined(["trainlens monitor", *items], max(1, columns - len(right) - 2))
    line = Text(left)
    line.stylize("bold", 0, len("trainlens monitor"))
    line.append(" " * max(1, columns - _cells.width(left) - len(right)))
    return line.append(right, "reverse" if paused else ACROSS)


def titled(run: Standing, later: float, columns: int, marks: Marks) -> Text:
    """Name of the chosen run, and how its log stands."""
    items = [clean(words.shortened(run.format, 30)), told.state(run, later)]
    if run.attempts > 1:
        items.append(words.plural(run.attempts, "attempt"))
    if run.verdict and run.looked is not None and run.looked < run.points:
        items.append(f"judged {words.plural(run.points - run.looked, 'point')} ago")
    sign = marks.state.get(run.state, "?")
    name = _cells.clipped(told.name(run), max(8, columns // 2))
    line = Text(f"{sign} ").append(name, "bold")
    rest = joined([item for item in items if item], max(1, columns - _cells.width(name) - 4))
    return line.append(f"  {rest}", ACROSS)


def progress(run: Standing, columns: int, marks: Marks) -> Text:
    """A bar against the planned steps, and the same in words."""
    items = told.progress(run)
    if not told.known(run.progress) or columns < 60:
        return Text(joined(items, columns))
    cells = min(_BAR, columns // 3)
    done = int(min(1.0, max(0.0, run.progress)) * cells)
    line = Text().append(marks.done * done, ACCENT).append(marks.open * (cells - done), ACROSS)
    return line.append(f"  {joined(items, columns - cells - 2)}")


def verdict(run: Standing, columns: int, marks: Marks, lines: int) -> list[Text]:
    """Verdict of a run and its sentence, in at most so many lines."""
    if not run.verdict:
        if run.state == WAITING:
            return [Text("Nothing logged yet.")]
        return [Text("Not judged yet.", ACROSS)]
    severity = VERDICTS.get(run.verdict, "")
    sign = f"{marks.severity[severity]} " if severity else ""
    style = f"bold {STYLES[severity]}" if severity else "bold"
    word, told_of = clean(run.verdict), run.sentence
    if told_of.lower().startswith(word.lower()):
        # A sentence that begins with its verdict needs no word before it.
        word, told_of = told_of[: len(word)], told_of[len(word) :]
    return cut(prose(f"{sign}{word}", told_of, columns, style=style), lines, columns)


def table(
    runs: Sequence[Standing], chosen: int, columns: int, lines: int, marks: Marks
) -> list[Text]:
    """The runs around the chosen one, a line each.

    Returns
    -------
    list of Text
        The headings first, and last what lies outside, where there is room for them.
    """
    whole = len(runs) + 1 <= lines
    room = len(runs) if whole else max(1, lines - (2 if lines > 2 else 0))
    begin = max(0, min(chosen - room // 2, len(runs) - room))
    part = runs[begin : begin + room]
    rows = tuple(_row(run, begin + i == chosen, marks) for i, run in enumerate(part))
    heads = ("", "Run", "Step", "Done", "Left", "Measure", "Last", "Best", "Verdict", "Findings")
    told_of = _cells.Table(
        heads, rows, drop=(7, 3, 5, 6, 4, 2, 9), left=(0, 1, 4, 5, 8, 9), short=(1, 5), least=12
    )
    drawn = _cells.table(told_of, columns, paint=lambda i, cell: _paint(i, cell))
    body = [Text.from_ansi(line) for line in drawn]
    body[0].stylize(ACROSS)
    if begin <= chosen < begin + room:
        body[chosen - begin + 1].stylize("bold")
    if lines <= 2 and not whole:
        return body[1:]
    return body if whole else [*body, _outside(runs, begin, room)]


def _paint(column: int, cell: str) -> str:
    if column == 8:
        return standing(cell, cell)
    return click.style(cell, dim=True) if column == 5 else cell


def _row(run: Standing, chosen: bool, marks: Marks) -> tuple[str, ...]:
    lead = run.trails[0] if run.trails else None
    best = lead.best if lead else None
    left = run.state if run.state != LIVE else ""
    if run.state == LIVE and told.known(run.remaining):
        left = told.left(run.remaining)
    return (
        f"{marks.chosen if chosen else ' '}{marks.state.get(run.state, '?')}",
        told.name(run),
        words.step(run.step) if run.step is not None else "",
        words.percent(run.progress, 2) if told.known(run.progress) else "",
        clean(left),
        told.called(lead) if lead else "",
        words.number(lead.last) if lead else "",
        words.number(best) if best is not None else "",
        clean(run.verdict) or "not judged",
        signs([f for _, f in run.findings], marks),
    )


def signs(found: Sequence[Finding], marks: Marks) -> str:
    """How many findings there are of each severity, in signs."""
    counts = told.counted(found)
    return " ".join(f"{marks.severity[s]} {n}" for s, n in counts.items() if n)


def _outside(runs: Sequence[Standing], begin: int, room: int) -> Text:
    above, below = runs[:begin], runs[begin + room :]
    items = [
        f"{words.step(len(part))} more {where}{_faulty(part)}"
        for part, where in ((above, "above"), (below, "below"))
        if part
    ]
    return Text(f"   {' · '.join(items)}", ACROSS)


def _faulty(runs: Sequence[Standing]) -> str:
    found = Counter(run.verdict for run in runs if run.verdict in VERDICTS)
    quiet = sum(run.state == QUIET for run in runs)
    items = [f"{words.step(n)} {verdict}" for verdict, n in found.items()]
    items += [f"{words.step(quiet)} quiet"] if quiet else []
    return f" ({', '.join(items)})" if items else ""
