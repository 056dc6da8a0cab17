"""A report as one self-contained page: no address in it, nothing loaded, nothing executed but ours.

Log text reaches the page escaped by the templates or as JSON that the script inserts as text. The
policy in the head allows one style sheet and one script by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

from trainlens import words
from trainlens.render._visible import visible
from trainlens.reporting import KEY_CHARTS, Chart, Item, Report, RunSummary
from trainlens.verdict import shortened

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SCRIPTS = ("model.js", "draw.js", "interact.js", "page.js")
_SEVERITY_WORD = {"error": "error", "warning": "warning", "info": "note"}
_SVG_POINTS = 7_000
_FULL_RESULTS = 600
_SHOWN_RUNS = 8
_SHOWN_SETTINGS = 60
_OLD = 60 * 86400.0


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

    from trainlens.render import _svg
    from trainlens.render._payload import dumps, payload

    environment, style, script = _environment()
    lines = sum(len(c.lines) for c in report.charts)
    most = min(160, max(24, _SVG_POINTS // max(lines, 1)))
    return environment.get_template("page.html").render(
        report=report,
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data_json=Markup(dumps(payload(report))),
        findings_json=Markup(dumps(_findings(report))),
        draw_chart=lambda c: _svg.chart(c, report, most, len(c.lines) <= 6),
        draw_view=_svg.view,
        draw_spark=lambda run: _svg.spark(run.spark, run.colour),
        **_words(report),
    )


@cache
def _environment() -> tuple[Environment, str, str]:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("trainlens.templates", "")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        number=words.number,
        step=words.step,
        duration=words.duration,
        plural=words.plural,
        shortened=shortened,
        evidence=_evidence,
        date=_date,
        counted=_counted,
        of_runs=_of_runs,
        places=_places,
        severity_word=_SEVERITY_WORD,
    )

    def text(name: str) -> str:
        return loader.get_source(environment, name)[0]

    script = '"use strict";\n(() => {\n' + "\n".join(map(text, SCRIPTS)) + "})();\n"
    return environment, text("page.css"), script


def _shown(value: object) -> object:
    # Markup is ours and passes; every other string may come from a log.
    return value if hasattr(value, "__html__") or not isinstance(value, str) else visible(value)


def _policy(style: str, script: str) -> str:
    def allow(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; style-src 'sha256-{allow(style)}'; "
        f"script-src 'sha256-{allow(script)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _findings(report: Report) -> dict[str, Any]:
    from trainlens.render.json import document

    told = document(report.judged, report.notices)
    if sum(len(d.results) for d in report.judged) > _FULL_RESULTS:
        for run in told["runs"]:
            run["results"] = [r for r in run["results"] if r["status"] == "fail"]
    return told


def _words(report: Report) -> dict[str, Any]:
    """What the templates say that depends on the whole report."""
    ranked, mixed = report.ranking, _mixed(report)
    lone = report.runs[0] if len(report.runs) == 1 else None
    return {
        "created": _date(report.created),
        "best_name": f"Best {shortened(ranked[0], 30)}" if ranked else "Best",
        "last_record": lambda run: _last_record(run, report.created),
        "age": _last_record(lone, report.created)
        if lone is not None and lone.age is not None
        else "",
        "columns": _columns(report, mixed),
        "mixed": mixed,
        "ranked": ranked is not None,
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
        "flagged": sum(r.verdict in ("failing", "warning") for r in report.runs),
        "differences": _differences(report),
        "chart_groups": _chart_groups(report.charts),
        "resolution": _resolution(report.charts),
        "now_text": lambda c: _now(c, report.runs),
        "lost_words": _lost(report.lost),
        "has_charts": bool(report.charts),
    }


def _mixed(report: Report) -> bool:
    """Whether the runs stand with different quantities, so that each must name its own."""
    return len({(r.standing.metric, r.standing.split) for r in report.runs if r.standing}) > 1


def _columns(report: Report, mixed: bool) -> list[tuple[str, bool]]:
    columns = [("Run", False), ("Status", False), ("Findings", True), ("Last step", True)]
    s = next((r.standing for r in report.runs if r.standing is not None), None)
    if s is not None:
        unit = f" ({s.unit})" if s.unit else ""
        named = [("Measure", False), ("Best", True)]
        own = [(f"Best {s.split}/{shortened(s.metric, 24)}{unit}", True)]
        columns += named if mixed else own
        columns += [("at step", True), ("Final", True), ("Course", False)]
    return [*columns, ("Duration", True), ("Last record", True)]


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


def _resolution(charts: Sequence[Chart]) -> str:
    summarised = [c for c in charts if c.width > 1]
    if not summarised:
        return "Every point is drawn."
    widest = max(c.width for c in summarised)
    most = max(len(line.buckets) for c in summarised for line in c.lines)
    return (
        f"At most {words.step(most)} buckets of {words.step(widest)} steps a curve: mean, minimum "
        "and maximum are exact, and around findings every point is drawn."
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
        return f"on {_date(now - run.age)[:10]}"
    unit = next(size for size in (3600, 60, 1, 0) if run.age >= size)
    told = words.duration(run.age // unit * unit if unit else run.age)
    return f"{told} ago" + (", may be running" if run.running else "")


def _date(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"
    return moment.strftime("%Y-%m-%d %H:%M UTC")
