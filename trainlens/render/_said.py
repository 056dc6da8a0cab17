"""Words that the page, Markdown and the terminal share besides those of the report itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from trainlens import words
from trainlens.render._overview import Brief, brief
from trainlens.reporting import Input, Item, Outcome, Report, RunSummary
from trainlens.run import Ended, Notice
from trainlens.words import shortened

SEVERITY = {"error": "error", "warning": "warning", "info": "note"}
_OLD = 60 * 86400.0

Folded = tuple[str, Sequence[Outcome], str]


def date(seconds: float) -> str:
    """A moment in words, in UTC."""
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def last_record(run: RunSummary, now: float) -> str:
    """How long ago a run's last record was written, or how long ago its log was ended."""
    if run.age is None:
        return "unknown"
    if run.ended is not None:
        return _ended(run.ended, run.age, now)
    return _ago(run.age, now) + (", may be running" if run.running else "")


def _ended(ended: Ended, age: float, now: float) -> str:
    age = age if math.isnan(ended.time) else max(0.0, now - ended.time)
    how = ", with an exception" if ended.how == "exception" else ""
    return f"ended {_ago(age, now)}{how}"


def _ago(age: float, now: float) -> str:
    if age > _OLD:
        # What happened long ago is told by its date.
        return f"on {date(now - age)[:10]}"
    unit = next(size for size in (3600, 60, 1, 0) if age >= size)
    return f"{words.duration(age // unit * unit if unit else age)} ago"


def lost(records: int | None) -> str:
    """How many records were lost, as a sentence."""
    if records is None:
        return "Records were lost, and not all of them can be counted."
    return f"{words.plural(records, 'record')} {'was' if records == 1 else 'were'} lost."


def counted(count: int, severity: str) -> str:
    """``2 errors``, ``1 note``."""
    return words.plural(count, SEVERITY[severity])


def of_runs(names: Sequence[str]) -> str:
    """Names of runs, the first three."""
    told = ", ".join(shortened(n, 30) for n in names[:3])
    return told + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def best_name(report: Report) -> str:
    """What the best value of a report is called."""
    return f"Best {shortened(report.ranking[0], 30)}" if report.ranking else "Best"


def facts(report: Report) -> Iterator[tuple[str, str]]:
    """What stands below the verdict besides the counts: (name, text)."""
    if report.best:
        yield best_name(report), report.best
    if report.comparison is not None:
        from trainlens.render.comparison import blocks

        yield "Compared", blocks(report.comparison, parts=("head",))[0].title
    yield "Span", report.span
    if len(report.runs) == 1 and report.runs[0].age is not None:
        yield "Last record", last_record(report.runs[0], report.created)


def nothing_found(report: Report) -> str:
    """What to say where there is no finding."""
    told = "No rule found a fault." if report.passed else "No rule could judge what is here."
    open_rules = len({o.rule for o in report.undecided})
    if open_rules:
        told += f" {words.plural(open_rules, 'rule')} could not decide; see below."
    return told


def place(item: Item) -> str:
    """Metric, run and certainty of a finding."""
    f = item.finding
    metric = [f"{f.split}/{shortened(f.metric)}"] if f.metric else []
    return " · ".join([*metric, shortened(item.run_name), item.certainty])


def numbers(item: Item) -> str:
    """The evidence of a finding in one line."""
    told = item.finding.evidence.items()
    return " · ".join(f"{name.replace('_', ' ')} {evidence(name, v)}" for name, v in told)


def evidence(name: str, value: float) -> str:
    """A number behind a finding."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if name.endswith("step") and float(value).is_integer():
        return words.step(int(value))
    return words.number(float(value))


def noticed(run: str, notice: Notice, several: bool) -> str:
    """A notice of a run with what was lost."""
    whose = f"{shortened(run)}: " if run and several else ""
    if notice.lost is None:
        return f"{whose}{notice}; an unknown number of records lost"
    behind = f"; {words.plural(notice.lost, 'record')} lost" if notice.lost else ""
    return f"{whose}{notice}{behind}"


def looked_like(one: Input) -> str:
    """What tells whether an input has changed since."""
    if not one.files:
        return "not on this disk when the report was made"
    several = f"{words.plural(one.files, 'file')}, " if one.files > 1 else ""
    mark = f"SHA-256 {one.sha256}" if one.sha256 else f"fingerprint {one.fingerprint}"
    return f"{several}{words.step(one.size)} bytes, changed {date(one.modified)}, {mark}"


def folded(report: Report) -> tuple[Folded, ...]:
    """What else the rules said: (title, outcomes, what the lines tell besides the rule)."""
    return (
        ("Suppressed", report.suppressed, ", and why"),
        ("Passed", report.passed, ""),
        ("Not applicable", report.not_applicable, ", and why"),
        ("Could not decide", report.undecided, ", and what is missing"),
    )


def outcome_lines(report: Report, outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str]]:
    """Each outcome as (rule, what it said and of which runs)."""
    if report.many:
        yield from ((one.rule, _briefly(one)) for one in brief(outcomes))
        return
    several = len(report.runs) > 1
    for one in outcomes:
        yield one.rule, f"{one.message} ({of_runs(one.runs)})" if several else one.message


def _briefly(one: Brief) -> str:
    differ = "" if one.alike else "; the figures of the others differ"
    return f"{one.message} ({words.plural(one.runs, 'run')}{differ})"
