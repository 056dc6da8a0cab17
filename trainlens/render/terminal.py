"""A report for a terminal: the words of the page in its order, within the columns there are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from trainlens import words
from trainlens.render import _cells, _overview, _said, _table
from trainlens.render._cells import Table
from trainlens.render.braille import curve
from trainlens.render.text import clean, graded, standing, wrapped
from trainlens.reporting import TOP, Item, Outcome, Report, RunSummary
from trainlens.reporting.sketches import Sketch
from trainlens.verdict import suppressed
from trainlens.words import shortened

_PROSE = 100
"""Columns that can be read as lines of prose; tables use all there are."""
_SHORT, _ROWS, _BEST, _SETTINGS, _NOTICES = 5, 40, 10, 12, 20
"""Findings of a rule in one line, runs, runs of many, settings and notices that are shown."""
_COMPARED = 4
"""So many runs have their settings side by side."""
_INDENT, _LABEL = "   ", 13


def width() -> int:
    """Columns of the terminal, between 60 and 200; 80 where there is none."""
    return max(60, min(200, shutil.get_terminal_size((80, 24)).columns))


def page(report: Report, *, columns: int = 80, full: bool = False, plain: bool = False) -> str:
    """The whole report as text.

    Parameters
    ----------
    report : Report
    columns : int
        Width to keep to. A table leaves out its least important columns where it must.
    full : bool
        Every finding at length and what every rule said, instead of those that matter first.
    plain : bool
        Curves in ASCII.

    Returns
    -------
    str
        Without a newline at its end; coloured, which `click.echo` takes away where it must.
    """
    prose = min(columns, _PROSE)
    quality = _quality(report, prose)
    runs = _best_runs if report.many else _runs
    parts = [
        *_head(report, prose),
        *(quality if report.damaged else ()),
        *_findings(report, prose, full),
        *runs(report, columns, plain),
        *_compared(report, columns),
        *_settings(report, columns),
        *(() if report.damaged else quality),
        *_rest(report, prose, full),
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def closing(report: Report, *, columns: int = 80, plain: bool = False) -> str:
    """What to know of a report without opening it: verdict, counts, and how its runs stand."""
    prose = min(columns, _PROSE)
    runs = _best_runs if report.many else _runs
    parts = [*_head(report, prose), *runs(report, columns, plain)]
    if report.damaged:
        parts.append([_said.lost(report.lost)])
    return "\n\n".join("\n".join(part) for part in parts)


# --- the head ---------------------------------------------------------------------------------


def _head(report: Report, columns: int) -> Iterator[list[str]]:
    verdict = [_bold(line) for line in wrapped("", report.verdict, "", columns)]
    lone = report.runs[0] if len(report.runs) == 1 else None
    yield verdict if lone is None else [_titled(report, lone, columns), *verdict]
    lines = [f"{'Found':<{_LABEL}}{_found(report)}"]
    for name, told in _said.facts(report):
        label = f"{shortened(clean(name), 30):<{_LABEL - 1}} "
        lines += _cells.filled(clean(told), columns, label, " " * _LABEL)
    yield lines


def _titled(report: Report, run: RunSummary, columns: int) -> str:
    known = f"  {clean(run.format)} · {run.verdict}"
    name = _cells.clipped(clean(report.title), columns - len(known))
    return f"{_bold(name)}  {clean(run.format)} · {standing(run.verdict, run.verdict)}"


def _found(report: Report) -> str:
    told = [
        graded(_said.counted(n, severity), severity)
        for severity, n in report.counts.items()
        if n and severity in _said.SEVERITY
    ]
    return " · ".join(told) or "nothing"


def _bold(text: str) -> str:
    return click.style(text, bold=True)


def _section(title: str, count: int | None = None) -> str:
    return _bold(title) + (f" ({words.step(count)})" if count is not None else "")


# --- findings ---------------------------------------------------------------------------------


def _findings(report: Report, columns: int, full: bool) -> Iterator[list[str]]:
    head = _section("Findings", len(report.items))
    if not report.items:
        yield [head, *wrapped("", _said.nothing_found(report), "", columns)]
        return
    yield [head]
    everything = full or not report.groups
    for item in report.items if everything else report.top:
        yield list(_finding(item, columns))
    if everything:
        return
    yield from _by_rule(report, columns) if report.many else _grouped(report, columns)
    more = "every finding at length: --full; all numbers: --json"
    yield wrapped("", f"The {TOP} that matter first are told at length; {more}.", "", columns)


def _finding(item: Item, columns: int) -> Iterator[str]:
    f = item.finding
    yield from map(_bold, wrapped("", f"{item.number}. {item.title}", "", columns))
    severity = f.severity.value
    word = graded(_said.SEVERITY[severity], severity)
    yield from wrapped(f"{word} ·", _said.place(item), _INDENT, columns)
    told = [("", f.message), ("", item.also), ("May be:", " · ".join(f.causes))]
    told += [("Do:", _todo(one)) for one in f.prescriptions]
    told.append(("Check:", f.verify))
    for lead, text in told:
        if text:
            yield from wrapped(lead, text, _INDENT, columns)
    where = f" · evidence: {item.where}" if item.where else ""
    yield from wrapped("", f"{f.rule}{where} · leave out: --ignore {f.rule}", _INDENT, columns)


def _todo(one: Any) -> str:
    patch = ", ".join(f"{name}: {value}" for name, value in (one.get("patch") or {}).items())
    return f"{one.get('text', '')} ({patch})" if patch else str(one.get("text", ""))


def _grouped(report: Report, columns: int) -> Iterator[list[str]]:
    """The findings behind the first ones: a few lines for each rule."""
    first = {item.number for item in report.top}
    for group in report.groups:
        rest = [item for item in group.items if item.number not in first]
        if not rest:
            continue
        severity = group.severity.value
        more = f"{words.step(len(rest))} more" if len(rest) < len(group.items) else str(len(rest))
        lines = [
            f"{_bold(clean(group.title))}  {graded(_said.SEVERITY[severity], severity)} · {more}"
        ]
        for item in rest[:_SHORT]:
            lines += wrapped("", _short(item, len(report.runs) > 1), _INDENT, columns)
        if len(rest) > _SHORT:
            lines.append(f"{_INDENT}and {words.step(len(rest) - _SHORT)} more")
        yield lines


def _short(item: Item, several: bool) -> str:
    where = [shortened(item.run_name, 44)] if several else []
    where += [item.where] if item.where else []
    told = _overview.first_sentence(item.finding.message)
    return f"{' · '.join(where)}: {told}" if where else told


def _by_rule(report: Report, columns: int) -> Iterator[list[str]]:
    rows = tuple(
        (clean(f.title), _said.SEVERITY[f.severity], words.step(f.runs), words.step(f.found))
        for f in _overview.folds(report)
    )
    heads = ("Rule", "Gravest", f"Runs of {words.step(len(report.runs))}", "Findings")
    told = Table(heads, rows, left=(0, 1), drop=(3, 2))
    severities = {word: severity for severity, word in _said.SEVERITY.items()}
    yield _lines(told, columns, lambda i, cell: graded(cell, severities[cell]) if i == 1 else cell)


# --- runs ---------------------------------------------------------------------------------------


def _runs(report: Report, columns: int, plain: bool) -> Iterator[list[str]]:
    if len(report.runs) == 1:
        yield from _metrics(report.runs[0], columns, plain)
    elif report.runs:
        lines = [_section("Runs", len(report.runs))]
        lines += _table_of(report, report.runs[:_ROWS], columns, plain)
        rest = len(report.runs) - _ROWS
        yield lines + ([f"and {words.step(rest)} more"] if rest > 0 else [])


def _best_runs(report: Report, columns: int, plain: bool) -> Iterator[list[str]]:
    which, shown = _table.foremost(report, _BEST)
    head = f"{_section('Runs', len(report.runs))}: the {len(shown)} {which}"
    yield [head, *_table_of(report, shown, columns, plain)]


def _table_of(report: Report, runs: Sequence[RunSummary], columns: int, plain: bool) -> list[str]:
    # Where each run has a measure of its own, its name needs room as well.
    room = 8 if columns < 72 + 16 * _table.mixed(report) else 12 if columns < 110 else 20
    names = [name for name, _ in _table.heads(report)]
    rows = tuple(
        tuple(map(clean, _table.cells(report, run, _course(run, room, plain)))) for run in runs
    )
    place = {name: i for i, name in enumerate(names)}
    # The measure's own heading names it; behind it stand the columns that are always alike.
    order = ("Duration", "Last step", "Findings", "Last record", "at step", "Final", "Course")
    told = Table(
        tuple(map(clean, names)),
        rows,
        drop=tuple(place[name] for name in order if name in place),
        left=tuple(place[n] for n in ("Run", "Status", "Measure", "Course") if n in place),
        short=(0,),
        least=14 if columns < 72 else 24,
        whole=17 if columns < 72 else 30,
    )
    return _lines(told, columns, lambda i, cell: standing(cell, cell) if i == 1 else cell)


def _course(run: RunSummary, room: int, plain: bool) -> str:
    s = run.standing
    held = next((k for k in run.sketches if s and (k.metric, k.split) == (s.metric, s.split)), None)
    return curve(held, room, plain=plain) if held else ""


def _metrics(run: RunSummary, columns: int, plain: bool) -> Iterator[list[str]]:
    """The key metrics of a lone run."""
    if not run.sketches:
        return
    room = 16 if columns < 72 else 24 if columns < 110 else 32
    rows = tuple(
        tuple(map(clean, (_measure(k), curve(k, room, plain=plain), *_values(k))))
        for k in run.sketches
    )
    heads = ("Metric", "Course", "Best", "at step", "Final", "at step")
    told = Table(heads, rows, drop=(5, 3, 1), left=(0, 1), short=(0,))
    yield [_section("Key metrics"), *_lines(told, columns)]


def _measure(k: Sketch) -> str:
    return f"{k.split}/{shortened(k.metric, 40)}{f' ({k.unit})' if k.unit else ''}"


def _values(k: Sketch) -> tuple[str, ...]:
    known = k.best is not None and k.best_step is not None
    best = (words.number(k.best or 0.0), words.step(k.best_step or 0)) if known else ("–", "–")
    return (*best, words.number(k.final), words.step(k.final_step))


def _lines(told: Table, columns: int, paint: Callable[[int, str], str] | None = None) -> list[str]:
    first, *rest = _cells.table(told, columns, paint=paint)
    return [_bold(first), *rest]


# --- the rest -----------------------------------------------------------------------------------


def _compared(report: Report, columns: int) -> Iterator[list[str]]:
    if report.comparison is not None:
        from trainlens.render.comparison import in_report
        from trainlens.render.comparison.text import page as compared

        title = f"Compared with {clean(report.comparison.baseline)}"
        yield [_bold(title)]
        yield [compared(report.comparison, columns=columns, parts=in_report(report.comparison))]


def _settings(report: Report, columns: int) -> Iterator[list[str]]:
    if not report.config_differences:
        return
    lines = [_section("Settings that differ", len(report.config_differences))]
    if len(report.runs) > _COMPARED:
        told = _overview.settings(report)
        for name, _, which in told[:_SETTINGS]:
            lines += wrapped(f"{clean(shortened(name))}:", which, "", min(columns, _PROSE))
    else:
        rows = tuple(
            (clean(shortened(name)), *(clean(shortened(v, 24)) or "–" for v in values))
            for name, values in report.config_differences[:_SETTINGS]
        )
        heads = ("Setting", *(clean(shortened(r.name, 24)) for r in report.runs))
        lines += _lines(Table(heads, rows, drop=tuple(range(len(heads) - 1, 1, -1))), columns)
    rest = len(report.config_differences) - _SETTINGS
    yield lines + ([f"and {words.step(rest)} more"] if rest > 0 else [])


def _quality(report: Report, columns: int) -> list[list[str]]:
    held = report.all_notices
    if not held:
        return []
    lines = [_section("Data quality", len(held))]
    if report.damaged:
        told = f"{_said.lost(report.lost)} Everything below is about what could be read."
        lines += wrapped("", told, "", columns)
    several = len(report.runs) > 1
    for run, notice in held[:_NOTICES]:
        lines += wrapped(f"{clean(notice.kind)}:", _said.noticed(run, notice, several), "", columns)
    rest = len(held) - _NOTICES
    return [lines + ([f"and {words.step(rest)} more; --json lists them all"] if rest > 0 else [])]


def _rest(report: Report, columns: int, full: bool) -> Iterator[list[str]]:
    """What the rules said that found no fault."""
    lines = []
    for title, outcomes, _ in _said.folded(report):
        if outcomes and title == "Suppressed" and not full:
            lines += _suppressed(report, columns)
        elif outcomes:
            wordy = full or title == "Could not decide"
            lines += (_said_by if wordy else _named)(report, title, outcomes, columns)
    if lines:
        yield lines


def _suppressed(report: Report, columns: int) -> list[str]:
    several = len(report.runs) > 1
    told = [
        f"{f'{shortened(one.name)}: ' * several}{known.sentence} ({known.rules})."
        for one in report.judged
        for known in suppressed(one.results)
    ]
    rest = len(told) - _NOTICES
    lines = [line for known in told[:_NOTICES] for line in wrapped("", known, "", columns)]
    return lines + ([f"and {words.step(rest)} more suppressed"] if rest > 0 else [])


def _named(report: Report, title: str, found: Sequence[Outcome], columns: int) -> list[str]:
    rules = sorted({o.rule for o in found})
    return wrapped(f"{title} ({len(rules)}):", ", ".join(rules), "", columns)


def _said_by(report: Report, title: str, found: Sequence[Outcome], columns: int) -> list[str]:
    lines = [f"{title} ({len({o.rule for o in found})}):"]
    for rule, said in _said.outcome_lines(report, found):
        lines += wrapped(f"{clean(rule)}:", said, "  ", columns)
    return lines
