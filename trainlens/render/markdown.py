"""A report as Markdown: the words of the page in its order, for a pull request or a chat."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from trainlens import words
from trainlens.render import _said, _table
from trainlens.render._escape import code, coded, escaped
from trainlens.render._overview import first_sentence, folds, settings
from trainlens.render._visible import visible
from trainlens.reporting import Group, Item, Outcome, Report, RunSummary
from trainlens.words import shortened

__all__ = ["code", "escaped", "page"]

_MARKS = {"error": "**error**", "warning": "**warning**", "info": "note"}
_MOST_NOTICES, _BEST, _FULL, _SHORT, _ABREAST, _INPUTS = 50, 10, 60, 200, 8, 20
"""Notices, runs of many, findings at length, findings in a line, runs side by side, inputs."""
_SHEET = re.compile(r"run-0*(\d+)-")


def page(report: Report, *, pictures: Sequence[str] = (), full: bool = False) -> str:
    """The whole report as GitHub-flavoured Markdown.

    Parameters
    ----------
    report : Report
    pictures : sequence of str
        Names of files beside it.
    full : bool
        Every finding at length and unfolded.

    Returns
    -------
    str
        Ends with a newline. Log text is escaped: it shows as it stands and formats nothing.
    """
    quality = list(_quality(report))
    parts = [
        *_head(report),
        *(quality if report.damaged else ()),
        *_findings(report, full),
        *(_best_runs(report) if report.many else _runs(report, report.runs, _titled(report))),
        *_compared(report),
        *_tables(report),
        *_settings(report),
        *_pictures(report, pictures),
        *(() if report.damaged else quality),
        *_foot(report),
    ]
    return "\n\n".join(parts) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"# {escaped(report.verdict)}"
    yield f"{escaped(report.title)} · {_said.date(report.created)}"
    counts = [_said.counted(n, s) for s, n in report.counts.items() if n and s in _said.SEVERITY]
    facts = [("Found", " · ".join(counts) or "nothing"), *_said.facts(report)]
    yield "\n".join(f"- {escaped(name)}: {escaped(told)}" for name, told in facts)


def _quality(report: Report) -> Iterator[str]:
    held = report.all_notices
    if not held:
        return
    yield f"## Data quality ({words.step(len(held))})"
    if report.damaged:
        yield f"{_said.lost(report.lost)} Everything below is about what could be read."
    several = len(report.runs) > 1
    lines = [f"- {escaped(_said.noticed(run, n, several))}" for run, n in held[:_MOST_NOTICES]]
    rest = len(held) - _MOST_NOTICES
    yield "\n".join(lines + ([f"- and {words.step(rest)} more"] if rest > 0 else []))


# --- findings ---------------------------------------------------------------------------------


def _findings(report: Report, full: bool) -> Iterator[str]:
    yield f"## Findings ({words.step(len(report.items))})"
    if not report.items:
        yield _said.nothing_found(report)
    grouped = bool(report.groups) and not full
    for item in report.top if grouped else report.items:
        yield from _finding(item, 3)
    if grouped and report.many:
        yield _by_rule(report)
    elif grouped:
        yield from _by_group(report)
    for title, outcomes, _ in _said.folded(report):
        yield from _outcomes(report, title, outcomes)


def _finding(item: Item, level: int) -> Iterator[str]:
    f = item.finding
    yield f"{'#' * level} {item.number}. {escaped(item.title)}"
    yield f"{_MARKS[f.severity.value]} · {escaped(_said.place(item))}"
    yield escaped(f.message)
    if f.evidence:
        yield escaped(_said.numbers(item))
    if item.also:
        yield escaped(item.also)
    lines = []
    if f.causes:
        lines.append(f"- May be: {' · '.join(map(coded, f.causes))}")
    for one in f.prescriptions:
        patch = " ".join(code(f"{k}: {v}") for k, v in (one.get("patch") or {}).items())
        lines.append(f"- Do: {coded(str(one.get('text', '')))} {patch}".rstrip())
    if f.verify:
        lines.append(f"- Check: {coded(f.verify)}")
    where = f" · evidence: {item.where}" if item.where else ""
    lines.append(f"- {code(f.rule)}{where} · leave out: {code(f'--ignore {f.rule}')}")
    yield "\n".join(lines)


def _by_group(report: Report) -> Iterator[str]:
    """All findings but the first ones, folded by rule; where they are many, a line each."""
    first = {item.number for item in report.top}
    whole, brief = _FULL, _SHORT
    for group in report.groups:
        rest = [item for item in group.items if item.number not in first]
        if not rest:
            continue
        yield _fold(_group_title(group, len(rest)))
        for item in rest[:whole]:
            yield from _finding(item, 4)
        lines = [_short(item) for item in rest[whole:][:brief]]
        left = len(rest) - min(len(rest), whole) - len(lines)
        lines += [f"- and {words.step(left)} more, all in report.json"] if left else []
        if lines:
            yield "\n".join(lines)
        yield "</details>"
        whole -= min(len(rest), whole)
        brief -= min(len(lines), brief)


def _group_title(group: Group, rest: int) -> str:
    more = " more" if rest < len(group.items) else ""
    return f"{group.title}: {words.step(rest)}{more} ({_said.SEVERITY[group.severity.value]})"


def _short(item: Item) -> str:
    where = f", {item.where}" if item.where else ""
    return f"- {escaped(item.run_name)}{where}: {escaped(first_sentence(item.finding.message))}"


def _by_rule(report: Report) -> str:
    rows = (
        [escaped(f.title), _MARKS[f.severity], words.step(f.runs), words.step(f.found)]
        for f in folds(report)
    )
    heads = ["Rule", "Gravest", f"Runs of {words.step(len(report.runs))}", "Findings"]
    return f"{_grid(heads, rows)}\n\nEvery finding stands in report.json."


def _outcomes(report: Report, title: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    if outcomes:
        yield _fold(f"{title} ({len({o.rule for o in outcomes})})")
        told = _said.outcome_lines(report, outcomes)
        yield "\n".join(f"- {code(rule)} {escaped(said)}".rstrip() for rule, said in told)
        yield "</details>"


def _fold(title: str) -> str:
    # Between the tags nothing is Markdown.
    return f"<details><summary>{html.escape(visible(title))}</summary>"


# --- runs ---------------------------------------------------------------------------------------


def _titled(report: Report) -> str:
    return f"Runs ({words.step(len(report.runs))})"


def _best_runs(report: Report) -> Iterator[str]:
    which, shown = _table.foremost(report, _BEST)
    yield from _runs(report, shown, f"{_titled(report)}: the {len(shown)} {which}")


def _runs(report: Report, runs: Sequence[RunSummary], title: str) -> Iterator[str]:
    yield f"## {title}"
    heads = _table.heads(report)
    kept = [i for i, (name, _) in enumerate(heads) if name != "Course"]
    rows = ([escaped(cell) for cell in _table.cells(report, run, "")] for run in runs)
    yield _grid(
        [escaped(heads[i][0]) for i in kept],
        ([row[i] for i in kept] for row in rows),
        [heads[i][1] for i in kept],
    )


def _compared(report: Report) -> Iterator[str]:
    if report.comparison is not None:
        from trainlens.render.comparison import in_report
        from trainlens.render.comparison.markdown import page as compared

        yield f"## Compared with {escaped(report.comparison.baseline)}"
        yield compared(report.comparison, below=2, parts=in_report(report.comparison)).rstrip("\n")


def _tables(report: Report) -> Iterator[str]:
    for table in report.tables:
        yield f"## {escaped(table.title)}"
        yield from map(escaped, table.sentences)
        if table.rows:
            yield _grid(map(escaped, table.columns), (map(escaped, r) for r in table.rows))
        yield from map(escaped, table.notes)


def _settings(report: Report) -> Iterator[str]:
    differ = report.config_differences
    if not differ:
        return
    yield f"## Settings that differ ({words.step(len(differ))})"
    if len(report.runs) > _ABREAST:
        told = settings(report)
        lines = [f"- {escaped(shortened(name))}: {escaped(which)}" for name, _, which in told]
        rest = len(differ) - len(told)
        yield "\n".join(lines + ([f"- and {words.step(rest)} more"] if rest else []))
        return
    heads = ["Setting", *(escaped(shortened(r.name, 30)) for r in report.runs)]
    rows = (
        [escaped(shortened(name)), *(escaped(shortened(v, 40)) or "–" for v in values)]
        for name, values in differ[:_SHORT]
    )
    yield _grid(heads, rows)
    if len(differ) > _SHORT:
        yield f"and {words.step(len(differ) - _SHORT)} more"


def _pictures(report: Report, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield _fold(f"Pictures ({words.step(len(names))})")
        for name in names:
            yield f"![{escaped(_shown(report, name))}]({quote(name)})"
        yield "</details>"


def _shown(report: Report, name: str) -> str:
    """What a picture shows."""
    hit = _SHEET.match(name)
    place = int(hit[1]) - 1 if hit else -1
    if 0 <= place < len(report.runs):
        return shortened(report.runs[place].name)
    return name.rpartition(".")[0]


def _foot(report: Report) -> Iterator[str]:
    versions = " · ".join(f"{name} {version}" for name, version in report.versions.items())
    command = f"{code(report.command)} · " if report.command else ""
    yield "---"
    known = report.inputs
    if known:
        yield _fold(f"Inputs ({words.step(len(known))})")
        lines = [f"- {escaped(i.path)}: {_said.looked_like(i)}" for i in known[:_INPUTS]]
        rest = len(known) - _INPUTS
        yield "\n".join(lines + ([f"- and {words.step(rest)} more"] if rest > 0 else []))
        yield "</details>"
    yield f"{command}{escaped(versions)}"


def _grid(heads: Iterable[str], rows: Iterable[Iterable[str]], right: Sequence[bool] = ()) -> str:
    """A table; all columns but the first hold numbers where nothing else is said."""
    top = list(heads)
    aligned = right or [False, *[True] * (len(top) - 1)]
    ruler = ["---:" if r else "---" for r in aligned]
    return "\n".join(f"| {' | '.join(row)} |" for row in (top, ruler, *map(list, rows)))
