"""A report as one self-contained page: no address in it, nothing loaded, nothing executed but ours.

Log text reaches the page escaped by the templates or as JSON that the script inserts as text. The
policy in the head allows one style sheet and one script by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

from trainlens import words
from trainlens.render._visible import visible
from trainlens.reporting import KEY_CHARTS, Chart, Item, Report, RunSummary
from trainlens.words import shortened

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SCRIPTS = ("model.js", "draw.js", "interact.js", "page.js")
"""Of every page; what else a page needs is put behind them."""
_SEVERITY_WORD = {"error": "error", "warning": "warning", "info": "note"}
_SVG_POINTS = 7_000
_FULL_RESULTS = 600
_SHOWN_RUNS = 8
_SHOWN_SETTINGS = 60
_OLD = 60 * 86400.0
_EMBEDDED = 100_000
_INPUTS = 20
_RUN_BYTES, _FINDING_BYTES = 150, 300


def page(report: Report) -> str:
    """The whole page.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        HTML of one file; bytes are its UTF-8.
    """
    from markupsafe import Markup

    from trainlens.render import _overview, _svg, _sweep, _table
    from trainlens.render._payload import dumps, payload

    style, script = _files(report)
    data, compared = _compared(report, payload(report))
    lines = sum(len(c.lines) for c in report.charts)
    most = min(160, max(16 if report.many else 24, _SVG_POINTS // max(lines, 1)))
    marked = _overview.marked(report)
    return (
        environment()
        .get_template("page.html")
        .render(
            report=report,
            policy=policy(style, script),
            style=Markup(style),
            script=Markup(script),
            data_json=Markup(dumps(data)),
            findings_json=Markup(embedded) if (embedded := _embedded(report)) else None,
            draw_chart=lambda c: _svg.chart(c, report, most, len(c.lines) <= 6, marked),
            draw_view=_svg.view,
            draw_spark=lambda run: _svg.spark(run.spark, run.colour),
            overview=_overview,
            sweeping=_sweep,
            tabled=_table,
            columns=_table.columns(report),
            mixed=_table.mixed(report),
            **_words(report),
            **compared,
        )
    )


@cache
def environment() -> Environment:
    """The templates, with the words that all of them use."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("trainlens.templates", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        number=words.number,
        step=words.step,
        duration=words.duration,
        plural=words.plural,
        shortened=shortened,
        evidence=_evidence,
        date=date,
        counted=_counted,
        of_runs=_of_runs,
        places=_places,
        severity_word=_SEVERITY_WORD,
    )
    return made


def _compared(report: Report, data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the scripts and the templates need besides, where the runs are compared."""
    if report.comparison is None:
        return data, {"told": None}
    from trainlens.render.comparison.page import helpers
    from trainlens.render.comparison.section import told_in, with_differences

    told = told_in(report, report.comparison)
    return with_differences(data, report, told), {"told": told, **helpers(told)}


def _files(report: Report) -> tuple[str, str]:
    """Style sheet and script of a page, made of the files that it needs."""
    parts = [name for name, wanted in (("table", report.many), ("sweep", report.sweep)) if wanted]
    styles = [*parts, "comparison"] if report.comparison is not None else parts
    return bundle(
        ["page.css", *(f"{part}.css" for part in styles)],
        [*SCRIPTS, *(f"{part}.js" for part in parts)],
    )


def bundle(styles: Iterable[str], scripts: Iterable[str]) -> tuple[str, str]:
    """Style sheets and scripts of the templates, each joined into one."""
    script = "\n".join(map(_text, scripts))
    return "".join(map(_text, styles)), f'"use strict";\n(() => {{\n{script}}})();\n'


@cache
def _text(name: str) -> str:
    made = environment()
    assert made.loader is not None
    return made.loader.get_source(made, name)[0]


def _shown(value: object) -> object:
    # Markup is ours and passes; every other string may come from a log.
    return value if hasattr(value, "__html__") or not isinstance(value, str) else visible(value)


def policy(style: str, script: str) -> str:
    """What a page may do: its own style sheet and its own script."""

    def allow(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; style-src 'sha256-{allow(style)}'; "
        f"script-src 'sha256-{allow(script)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _embedded(report: Report) -> str:
    """The findings as JSON; empty where they are too many to stand in the page as well."""
    from trainlens.render._payload import dumps

    if not report.many:
        return dumps(_findings(report))
    if _RUN_BYTES * len(report.runs) + _FINDING_BYTES * len(report.items) > _EMBEDDED:
        return ""
    text = dumps(_findings(report))
    return text if len(text) <= _EMBEDDED else ""


def _findings(report: Report) -> dict[str, Any]:
    from trainlens.render.json import document

    told = document(report.judged, report.notices)
    if report.many or sum(len(d.results) for d in report.judged) > _FULL_RESULTS:
        for run in told["runs"]:
            run["results"] = [r for r in run["results"] if r["status"] == "fail"]
    return told


def _words(report: Report) -> dict[str, Any]:
    """What the templates say that depends on the whole report."""
    ranked = report.ranking
    lone = report.runs[0] if len(report.runs) == 1 else None
    return {
        "created": date(report.created),
        "best_name": f"Best {shortened(ranked[0], 30)}" if ranked else "Best",
        "last_record": lambda run: _last_record(run, report.created),
        "age": _last_record(lone, report.created)
        if lone is not None and lone.age is not None
        else "",
        "ranked": ranked is not None,
        "spot": {run: place for place, run in enumerate(report.drawn)},
        "some": _some(len(report.drawn), len(report.runs)),
        "inputs": report.inputs[:_INPUTS] if report.many else report.inputs,
        "order": {"failing": 0, "warning": 1, "inconclusive": 2, "healthy": 3},
        "verdict_icon": {
            "failing": "error",
            "warning": "warning",
            "inconclusive": "inconclusive",
            "healthy": "healthy",
        },
        "verdict_class": {
            "failing": "error-word",
            "warning": "warning-word",
            "inconclusive": "soft",
            "healthy": "",
        },
        "statuses": Counter(r.verdict for r in report.runs),
        "flagged": sum(report.judged[i].flagged for i in report.drawn),
        "differences": {} if report.many else _differences(report),
        "chart_groups": _chart_groups(report.charts),
        "resolution": _resolution(report),
        "now_text": lambda c: _now(c, report.runs),
        "lost_words": _lost(report.lost),
        "has_charts": bool(report.charts),
    }


def _chart_groups(charts: Sequence[Chart]) -> list[tuple[str, list[Chart]]]:
    """Key charts without a title, then the rest folded by group; the system always folded."""
    key = [c for c in charts if c.role != "system"][:KEY_CHARTS]
    groups: dict[str, list[Chart]] = {"": key} if key else {}
    for c in charts:
        if c not in key:
            groups.setdefault(c.group, []).append(c)
    return list(groups.items())


def _differences(report: Report) -> dict[str, Any]:
    """Settings that differ: a row a setting, or a row a run where there are more runs."""
    held = [r for r in report.runs if r.config]
    settings = report.config_differences
    if len(held) > _SHOWN_RUNS and len(settings) <= _SHOWN_RUNS:
        return {
            "heads": [name for name, _ in settings],
            "rows": [(r.name, [values[r.index] for _, values in settings], r) for r in held],
            "cut": False,
        }
    shown = held[:_SHOWN_RUNS]
    return {
        "heads": [r.name for r in shown],
        "rows": [
            (name, [values[r.index] for r in shown], None)
            for name, values in settings[:_SHOWN_SETTINGS]
        ],
        "cut": len(held) > _SHOWN_RUNS or len(settings) > _SHOWN_SETTINGS,
    }


def _some(drawn: int, runs: int) -> str:
    if drawn == runs:
        return ""
    return (
        f"Curves of {words.step(drawn)} of {words.step(runs)} runs: the gravest, the best, and "
        "others from best to worst at even distances."
    )


def _resolution(report: Report) -> str:
    summarised = [c for c in report.charts if c.width > 1]
    if not summarised:
        return "Every point is drawn."
    widest = max(c.width for c in summarised)
    most = max(len(line.buckets) for c in summarised for line in c.lines)
    buckets = f"At most {words.step(most)} buckets of {words.step(widest)} steps a curve: "
    if report.many:
        return (
            f"{buckets}means are exact, minima and maxima within 0.4 % of their distance to them."
        )
    return (
        f"{buckets}mean, minimum and maximum are exact, and around findings every point is drawn."
    )


def _now(chart: Chart, runs: Sequence[RunSummary]) -> Markup:
    """Best and last value of a chart, in the words of its caption."""
    from markupsafe import Markup, escape

    watched = [line for line in chart.lines if line.split != "train"] or list(chart.lines)
    known = [line for line in watched if line.best is not None]
    if not known:
        if len(runs) > 1 or chart.lines[0].final is None:
            return Markup("")
        return Markup(f"last <b>{words.number(chart.lines[0].final)}</b>")
    sign = -1 if chart.direction == "max" else 1
    line = min(known, key=lambda one: sign * (one.best or 0.0))
    told = _number_and_step(line.best, line.best_step)
    if len(runs) > 1:
        run = runs[line.run]
        key = "rg" if run.colour is None else f"r{run.colour}"
        name = escape(visible(shortened(run.name, 24)))
        return Markup(f'best {told} <span class="more"><i class="key {key}"></i>{name}</span>')
    last = words.number(math.nan if line.final is None else line.final)
    split = f"{visible(line.split)} " if len({one.split for one in chart.lines}) > 1 else ""
    return Markup(f"{escape(split)}last <b>{last}</b> · best {told}")


def _number_and_step(value: float | None, step: int | None) -> str:
    if value is None or step is None:
        return "–"
    return f'<b>{words.number(value)}</b> <span class="more">at {words.step(step)}</span>'


def _lost(lost: int | None) -> str:
    if lost is None:
        return "Records were lost, and not all of them can be counted."
    return f"{words.plural(lost, 'record')} {'was' if lost == 1 else 'were'} lost."


def _evidence(name: str, value: float) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if name.endswith("step") and float(value).is_integer():
        return words.step(int(value))
    return words.number(float(value))


def _counted(count: int, severity: str) -> str:
    return words.plural(count, _SEVERITY_WORD[severity])


def _of_runs(names: Sequence[str]) -> str:
    told = ", ".join(shortened(n, 30) for n in names[:3])
    return told + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _places(items: Sequence[Item]) -> str:
    found = sorted(i.finding.first_step for i in items if i.finding.first_step is not None)
    steps = [words.step(s) for s in found]
    told = ", ".join(steps[:6]) + (", …" if len(steps) > 6 else "")
    return f"at {told}" if told else "whole run"


def _last_record(run: RunSummary, now: float) -> str:
    if run.age is None:
        return "unknown"
    if run.age > _OLD:
        # What happened long ago is told by its date.
        return f"on {date(now - run.age)[:10]}"
    unit = next(size for size in (3600, 60, 1, 0) if run.age >= size)
    told = words.duration(run.age // unit * unit if unit else run.age)
    return f"{told} ago" + (", may be running" if run.running else "")


def date(seconds: float) -> str:
    """A moment in words, in UTC."""
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"
    return moment.strftime("%Y-%m-%d %H:%M UTC")
