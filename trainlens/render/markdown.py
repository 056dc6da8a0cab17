"""A report as Markdown: the words of the page in its order, for a pull request or a chat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone

from trainlens import words
from trainlens.render._overview import brief, folds, settings
from trainlens.render._table import order
from trainlens.render._visible import visible
from trainlens.reporting import TOP, Item, Outcome, Report, RunSummary
from trainlens.words import shortened

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$])")
# What would begin a list or a heading rule, and what would become a link by itself.
_LIST = re.compile(r"^([-+=]|\d+(?=[.)](?:\s|$)))")
_LINK = re.compile(r"(:(?=//)|(?<=www)\.|@)", re.IGNORECASE)
_MARKS = {"error": "**error**", "warning": "**warning**", "info": "note"}
_MOST_NOTICES = 50
_BEST = 10
"""Rows of the table of many runs."""


def page(report: Report) -> str:
    """The whole report as GitHub-flavoured Markdown.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        Ends with a newline. Log text is escaped: it shows as it stands and formats nothing.
    """
    quality = list(_quality(report))
    parts = [
        *_head(report),
        *(quality if report.damaged else ()),
        *_findings(report),
        *(_best_runs(report) if report.many else _runs(report.runs, f"Runs ({len(report.runs)})")),
        *_tables(report),
        *(_many_settings(report) if report.many else _settings(report)),
        *(() if report.damaged else quality),
        *_foot(report),
    ]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    r"""Text that shows as it stands in a line of Markdown.

    Examples
    --------
    >>> escaped("a|b <i> val_loss")
    'a\\|b \\<i\\> val\\_loss'
    """
    flat = visible(re.sub(r"\s*[\r\n\t]+\s*", " ", text)).strip()
    told = _LINK.sub(r"\\\1", _SPECIAL.sub(r"\\\1", flat))
    # Digits cannot be escaped, the mark behind them can.
    return _LIST.sub(lambda m: f"{m[1]}\\" if m[1].isdigit() else f"\\{m[1]}", told)


def code(text: str) -> str:
    """Text as inline code, with as many backticks around it as it needs."""
    flat = visible(re.sub(r"[\r\n]+", " ", text))
    longest = max((len(m) for m in re.findall("`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _head(report: Report) -> Iterator[str]:
    yield f"# {escaped(report.verdict)}"
    counts = [f"{_MARKS[s]} {n}" for s, n in report.counts.items() if n and s in _MARKS] or [
        "nothing found"
    ]
    facts = [escaped(report.title), _date(report.created), ", ".join(counts), report.span]
    if report.best:
        facts.append(f"best: {escaped(report.best)}")
    yield " · ".join(facts)


def _quality(report: Report) -> Iterator[str]:
    held = report.all_notices
    if not held:
        return
    yield "## Data quality"
    if report.damaged:
        yield (
            "Records were lost, and not all of them can be counted."
            if report.lost is None
            else f"{words.plural(report.lost, 'record')} lost."
        )
    lines = [f"- {escaped(f'{run}: ' if run else '')} {escaped(str(n))}" for run, n in held]
    rest = len(lines) - _MOST_NOTICES
    yield "\n".join(lines[:_MOST_NOTICES] + ([f"- and {rest} more"] if rest > 0 else []))


def _findings(report: Report) -> Iterator[str]:
    yield f"## Findings ({words.step(len(report.items)) if report.many else len(report.items)})"
    if not report.items:
        yield "No rule found a fault." if report.passed else "No rule could judge what is here."
    shown = report.items[:TOP] if report.groups else report.items
    for item in shown:
        yield from _finding(item)
    if report.many and report.groups:
        yield _by_rule(report)
    for group in () if report.many else report.groups:
        rest = [i for i in group.items if i.number > TOP]
        if rest:
            yield f"### {escaped(group.title)}: {len(rest)} more"
            yield "\n".join(_short(i) for i in rest)
    for title, outcomes in (
        ("Suppressed", report.suppressed),
        ("Passed", report.passed),
        ("Not applicable", report.not_applicable),
        ("Could not decide", report.undecided),
    ):
        yield from _outcomes(title, outcomes, report.many)


def _finding(item: Item) -> Iterator[str]:
    f = item.finding
    place = [_MARKS[f.severity.value], escaped(item.run_name), item.certainty]
    if f.metric:
        place.insert(1, escaped(f"{f.split}/{f.metric}"))
    yield f"### {item.number}. {escaped(item.title)} · {' · '.join(place)}"
    yield escaped(f.message)
    if item.also:
        yield escaped(item.also)
    lines = []
    if f.causes:
        lines.append(f"- May be: {' · '.join(map(escaped, f.causes))}")
    for one in f.prescriptions:
        patch = " ".join(code(f"{k}: {v}") for k, v in (one.get("patch") or {}).items())
        lines.append(f"- Do: {escaped(str(one.get('text', '')))} {patch}".rstrip())
    if f.verify:
        lines.append(f"- Check: {escaped(f.verify)}")
    lines.append(f"- {code(f.rule)}" + (f", evidence: {item.where}" if item.where else ""))
    yield "\n".join(lines)


def _short(item: Item) -> str:
    where = f", {item.where}" if item.where else ""
    return f"- {escaped(item.run_name)}{where}: {escaped(item.finding.message)}"


def _by_rule(report: Report) -> str:
    rows = (
        [escaped(f.title), _MARKS[f.severity], words.step(f.runs), words.step(f.found)]
        for f in folds(report)
    )
    heads = ["rule", "gravest", f"runs of {words.step(len(report.runs))}", "findings"]
    return f"{_table(heads, rows)}\n\nEvery finding stands in report.json."


def _outcomes(title: str, outcomes: Sequence[Outcome], many: bool) -> Iterator[str]:
    if outcomes:
        shown = brief(outcomes) if many else outcomes
        lines = [f"- {code(o.rule)} {escaped(o.message)}" for o in shown]
        yield f"<details><summary>{title} ({len({o.rule for o in outcomes})})</summary>"
        yield "\n".join(lines)
        yield "</details>"


def _best_runs(report: Report) -> Iterator[str]:
    """The best runs in which nothing grave was found, or the first ones without a ranking."""
    good = [i for i in order(report) if not report.judged[i].flagged]
    shown = [report.runs[i] for i in (good or order(report))[:_BEST]]
    which = "best ones without a fault" if good else "gravest ones"
    title = f"Runs ({words.step(len(report.runs))}): the {len(shown)} {which}"
    yield from _runs(shown, title)


def _many_settings(report: Report) -> Iterator[str]:
    if report.config_differences:
        yield f"## Settings that differ ({len(report.config_differences)})"
        yield "\n".join(f"- {escaped(n)}: {escaped(which)}" for n, _, which in settings(report))


def _runs(runs: Sequence[RunSummary], title: str) -> Iterator[str]:
    yield f"## {title}"
    ranked = next((r.standing for r in runs if r.standing is not None), None)
    heads = ["run", "status", "findings", "last step"]
    if ranked is not None:
        heads += [escaped(f"best {ranked.split}/{ranked.metric} {ranked.unit}"), "at step", "final"]
    yield _table([*heads, "duration"], (_row(r, ranked is not None) for r in runs))


def _row(run: RunSummary, ranked: bool) -> list[str]:
    row = [
        escaped(shortened(run.name)),
        run.verdict,
        str(sum(run.counts.values())),
        words.step(run.steps[1]) if run.steps else "–",
    ]
    if ranked:
        s = run.standing
        row += (
            ["–"] * 3
            if s is None
            else [words.number(s.best), words.step(s.best_step), words.number(s.final)]
        )
    return [*row, "–" if run.seconds is None else words.duration(run.seconds)]


def _tables(report: Report) -> Iterator[str]:
    for table in report.tables:
        yield f"## {escaped(table.title)}"
        yield from map(escaped, table.sentences)
        if table.rows:
            yield _table(map(escaped, table.columns), (map(escaped, r) for r in table.rows))
        yield from map(escaped, table.notes)


def _settings(report: Report) -> Iterator[str]:
    if report.config_differences:
        yield f"## Settings that differ ({len(report.config_differences)})"
        heads = ["setting", *(escaped(shortened(r.name, 30)) for r in report.runs)]
        rows = (
            [escaped(name), *(escaped(shortened(v, 40)) or "–" for v in values)]
            for name, values in report.config_differences
        )
        yield _table(heads, rows)


def _foot(report: Report) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    command = f"{code(report.command)} · " if report.command else ""
    yield f"---\n\n{command}{versions}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = list(heads)
    ruler = ["---", *["---:"] * (len(top) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (top, ruler, *map(list, rows)))


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
