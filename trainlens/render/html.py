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
from functools import cache
from typing import TYPE_CHECKING, Any

from trainlens import words
from trainlens.render import _said
from trainlens.render._escape import quoted
from trainlens.render._visible import visible
from trainlens.reporting import KEY_CHARTS, Chart, Item, Report, RunSummary
from trainlens.words import shortened

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SCRIPTS = ("inflate.js", "model.js", "draw.js", "interact.js", "pen.js", "export.js", "page.js")
"""Of every page; what else a page needs is put behind them."""
_SVG_POINTS = 7_000
_FULL_RESULTS = 120
_SHOWN_RUNS = 8
_SHOWN_SETTINGS = 60
_EMBEDDED = 100_000
_INPUTS = 20
_RUN_BYTES, _FINDING_BYTES = 150, 300


def page(report: Report, *, live: bool = False) -> str:
    """The whole page.

    Parameters
    ----------
    report : Report
    live : bool
        Whether it is served while its runs go on: such a page asks where it came from for newer
        ones (see `trainlens.monitor.serving`); every other asks for nothing.

    Returns
    -------
    str
        HTML of one file; bytes are its UTF-8.
    """
    from markupsafe import Markup

    from trainlens.render import _overview, _svg, _sweep, _table
    from trainlens.render._payload import dumps, lean, payload

    style, script = _files(report, live)
    data, compared = _compared(report, payload(report))
    lines = sum(len(c.lines) for c in report.charts)
    most = min(160, max(16 if report.many else 24, _SVG_POINTS // max(lines, 1)))
    marked = _overview.marked(report)
    return (
        environment()
        .get_template("page.html")
        .render(
            report=report,
            live=live,
            policy=policy(style, first := first_script(), script, live=live),
            first=Markup(first),
            style=Markup(style),
            script=Markup(script),
            data_json=Markup(dumps(lean(data))),
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
    made.filters["coded"] = coded
    made.globals.update(
        number=words.number,
        step=words.step,
        duration=words.duration,
        plural=words.plural,
        shortened=shortened,
        evidence=_said.evidence,
        date=_said.date,
        counted=_said.counted,
        of_runs=_said.of_runs,
        places=_places,
        severity_word=_said.SEVERITY,
    )
    return made


def coded(text: str) -> Markup:
    """Words of ours with what stands between backticks as code.

    Examples
    --------
    >>> coded("use `trainlens ls <run>`")
    Markup('use <code>trainlens ls &lt;run&gt;</code>')
    """
    from markupsafe import Markup, escape

    parts = quoted(visible(text))
    if not parts:
        return escape(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def _compared(report: Report, data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the scripts and the templates need besides, where the runs are compared."""
    if report.comparison is None:
        return data, {"told": None}
    from trainlens.render.comparison.page import helpers
    from trainlens.render.comparison.section import told_in, with_differences

    told = told_in(report, report.comparison)
    return with_differences(data, report, told), {"told": told, **helpers(told)}


def _files(report: Report, live: bool) -> tuple[str, str]:
    """Style sheet and script of a page, made of the files that it needs."""
    parts = [name for name, wanted in (("table", report.many), ("sweep", report.sweep)) if wanted]
    styles = [*parts, "comparison"] if report.comparison is not None else parts
    more = ["morph", "live"] if live else []
    return bundle(
        ["page.css", *(f"{part}.css" for part in [*styles, *more[1:]])],
        [*SCRIPTS, *(f"{part}.js" for part in [*parts, *more])],
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


def first_script() -> str:
    """What runs before anything is drawn: static charts are left out where scripts run."""
    return _text("first.js")


def policy(style: str, *scripts: str, live: bool = False) -> str:
    """What a page may do: its own style sheet and scripts; a live one asks where it came from."""

    def allow(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    connect = "connect-src 'self'; " if live else ""
    return (
        f"default-src 'none'; style-src {allow(style)}; "
        f"script-src {' '.join(map(allow, scripts))}; img-src data: blob:; "
        f"{connect}base-uri 'none'; form-action 'none'"
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
        "created": _said.date(report.created),
        "best_name": _said.best_name(report),
        "last_record": lambda run: _said.last_record(run, report.created),
        "age": _said.last_record(lone, report.created)
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
        "lost_words": _said.lost(report.lost),
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


def _places(items: Sequence[Item]) -> str:
    runs = len({i.run for i in items})
    if runs > 1:
        return f"in {words.plural(runs, 'run')}"
    found = sorted({i.finding.first_step for i in items if i.finding.first_step is not None})
    steps = [words.step(s) for s in found]
    told = ", ".join(steps[:6]) + (", …" if len(steps) > 6 else "")
    return f"at {told}" if told else "whole run"
