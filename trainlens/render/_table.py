"""The runs of a report of many: their order, and the columns that the table's script reads."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.render import _said
from trainlens.render._visible import visible
from trainlens.reporting import Report, RunSummary, Standing
from trainlens.rules.base import gravity
from trainlens.words import shortened

ROWS = 100
"""Rows that stand on the page without a script, and that the script shows at once."""
_NAME = 120
_VALUE = 60
_PATH = 400
_SETTINGS = 12
_LETTERS = 800_000
_COURSE = 24
_LEVELS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", "S1")


def order(report: Report) -> list[int]:
    """Indexes of all runs: those that need attention by gravity, then the best first."""
    flagged = {r.index for r in report.runs if r.verdict in ("failing", "warning")}
    items = sorted(report.items, key=lambda item: gravity(item.finding))
    grave = dict.fromkeys(item.run for item in items if item.run in flagged)
    rest = [r for r in report.runs if r.index not in grave]
    return [*grave, *(r.index for r in sorted(rest, key=lambda r: _rank(r, report)))]


def foremost(report: Report, most: int) -> tuple[str, list[RunSummary]]:
    """What the first rows of the table of many runs are, and those runs.

    The best ones in which nothing grave was found, or the first ones where there are none.
    """
    known = order(report)
    good = [i for i in known if not report.judged[i].flagged]
    which = "best ones without a fault" if good else "gravest ones"
    return which, [report.runs[i] for i in (good or known)[:most]]


def _rank(run: RunSummary, report: Report) -> tuple[bool, bool, float]:
    s = run.standing
    if s is None:
        return True, True, 0.0
    worth = -s.best if s.direction == "max" else s.best
    return False, (s.metric, s.split) != report.ranking, worth


def address(report: Report, name: str) -> str:
    """Where a run's own page lies, relative to this one; empty without one."""
    return quote(report.pages.get(name, "").lstrip("/"), errors="replace")


def axes(report: Report) -> list[tuple[str, tuple[str, ...]]]:
    """Settings that are columns: the axes of the sweep, most telling first."""
    held = dict(report.config_differences)
    shown = report.sweep.axes[-2::-1] if report.sweep else ()
    return [(a.name, held[a.name]) for a in shown]


def mixed(report: Report) -> bool:
    """Whether the runs stand with different quantities, so that each must name its own."""
    return len({(r.standing.metric, r.standing.split) for r in report.runs if r.standing}) > 1


def columns(report: Report) -> list[tuple[str, bool]]:
    """Headings of the table of runs, and whether each is right-aligned."""
    held = [("Run", False), ("Status", False), ("Findings", True), ("Last step", True)]
    s = next((r.standing for r in report.runs if r.standing is not None), None)
    if s is not None:
        unit = f" ({s.unit})" if s.unit else ""
        named = [("Measure", False), ("Best", True)]
        own = [(f"Best {s.split}/{shortened(s.metric, 24)}{unit}", True)]
        held += named if mixed(report) else own
        held += [("at step", True), ("Final", True), ("Course", False)]
    if report.many:
        held += [(shortened(name, 24), False) for name, _ in axes(report)]
    return [*held, ("Duration", True), ("Last record", True)]


def heads(report: Report) -> list[tuple[str, bool]]:
    """`columns` without those of settings."""
    held, settings = columns(report), len(axes(report)) if report.many else 0
    return [*held[: len(held) - 2 - settings], *held[-2:]]


def cells(report: Report, run: RunSummary, course: str) -> list[str]:
    """What stands of a run under `heads`; `course` where its curve is shown."""
    s = run.standing
    row = [
        shortened(run.name, 44),
        run.verdict,
        words.step(sum(run.counts.values())) if run.counts else "–",
        words.step(run.steps[1]) if run.steps else "–",
    ]
    if any(r.standing for r in report.runs):
        row += [_measure(s) if s else "–"] if mixed(report) else []
        row += (
            [words.number(s.best), words.step(s.best_step), words.number(s.final)]
            if s
            else ["–"] * 3
        )
        row.append(course)
    lasted = "–" if run.seconds is None else words.duration(run.seconds)
    return [*row, lasted, _said.last_record(run, report.created)]


def table(report: Report) -> dict[str, Any]:
    """The table as plain values, one array a column.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict
        Rows in the order of `order`.
    """
    runs = [report.runs[i] for i in order(report)]
    place = {run.index: k for k, run in enumerate(runs)}
    shown = axes(report)
    packed = [*_facts(runs), *_standings(runs, mixed(report))]
    packed += [{"t": "word", **_coded([v[r.index] for r in runs])} for _, v in shown]
    packed += [
        {"t": "time", "v": [None if r.seconds is None else round(r.seconds, 1) for r in runs]},
        {"t": "age", "v": [None if r.age is None else round(r.age) for r in runs]},
    ]
    return {
        "heads": [name for name, _ in columns(report)],
        "columns": packed,
        "now": round(report.created),
        "running": [place[r.index] for r in runs if r.running],
        "drawn": [place[i] for i in report.drawn],
        "pages": {place[r.index]: a for r in runs if (a := address(report, r.name))},
        "paths": _paths(runs),
        **_filtered(report, runs, [name for name, _ in shown]),
    }


def _facts(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    return [
        {"t": "name", "v": [shortened(r.name, _NAME) for r in runs]},
        {"t": "verdict", **_coded([r.verdict for r in runs])},
        {"t": "count", "v": [sum(r.counts.values()) for r in runs]},
        {"t": "step", "v": [r.steps[1] if r.steps else None for r in runs]},
    ]


def _standings(runs: Sequence[RunSummary], mixed: bool) -> list[dict[str, Any]]:
    if not any(r.standing for r in runs):
        return []
    held = [r.standing for r in runs]
    measure = [_measure(s) if s else "" for s in held]
    return [
        *([{"t": "word", **_coded(measure)}] if mixed else []),
        {"t": "value", "v": [_short(s.best) if s else None for s in held]},
        {"t": "step", "v": [s.best_step if s else None for s in held]},
        {"t": "value", "v": [_short(s.final) if s else None for s in held]},
        {"t": "course", "v": [course(r.spark) for r in runs]},
    ]


def _measure(s: Standing) -> str:
    return f"{s.split}/{shortened(s.metric, 24)}{f' ({s.unit})' if s.unit else ''}"


def _short(value: float) -> float | None:
    # Digits enough that four of them are rounded alike here and by the script.
    return float(f"{value:.12g}") if math.isfinite(value) else None


def course(value: NDArray[np.float64]) -> str:
    """A curve in letters for 64 levels, ``.`` where there is none; empty below two values."""
    good = np.isfinite(value)
    if good.sum() < 2:
        return ""
    ordered = np.sort(value[good]) / 2  # The difference of two large numbers may be none.
    low, high = ordered[[round(0.02 * (len(ordered) - 1)), round(0.98 * (len(ordered) - 1))]]
    few = min(len(value), _COURSE)
    kept = value[np.arange(few) * (len(value) - 1) // (few - 1)]
    share = np.clip((np.nan_to_num(kept) / 2 - low) / ((high - low) or 1.0), 0, 1)
    letters = _LEVELS[np.rint(63 * share).astype(int)]
    return np.where(np.isfinite(kept), letters, b".").tobytes().decode()


def _coded(values: Sequence[str]) -> dict[str, Any]:
    """Texts as they are, or where many recur as the different ones and an index of each."""
    texts = [shortened(v, _VALUE) for v in values]
    different = {v: k for k, v in enumerate(dict.fromkeys(texts))}
    if 2 * len(different) > len(texts):
        return {"v": texts}
    return {"v": list(different), "i": [different[v] for v in texts]}


def _paths(runs: Sequence[RunSummary]) -> dict[str, Any]:
    """Where the runs lie: what all paths begin and end with, and what is between; null = name."""
    paths = [r.source if _typeable(r.source) else "" for r in runs]
    known = [p for p in paths if p]
    begin = _beginning(known)
    end = _beginning([p[len(begin) :][::-1] for p in known])[::-1]
    middle = [p[len(begin) : len(p) - len(end)] if p else 0 for p in paths]
    return {
        "a": begin,
        "b": end,
        "m": [
            None if m == shortened(r.name, _NAME) else m for m, r in zip(middle, runs, strict=True)
        ],
    }


def _beginning(texts: Sequence[str]) -> str:
    """What all texts begin with: what the first and the last of them in order share."""
    if not texts:
        return ""
    first, last = min(texts), max(texts)
    return first[: next((k for k, c in enumerate(first) if c != last[k]), len(first))]


def command(run: RunSummary) -> str:
    """What makes a report of one run; empty where no command line can hold its path."""
    if not _typeable(run.source):
        return ""
    path = f"./{run.source}" if run.source.startswith("-") else run.source
    return f"trainlens report {shlex.quote(path)}"


def _typeable(path: str) -> bool:
    """Whether a command line can hold a path as it stands."""
    return bool(path) and len(path) <= _PATH and path.isprintable() and visible(path) == path


def _filtered(
    report: Report, runs: Sequence[RunSummary], shown: Sequence[str]
) -> Mapping[str, Any]:
    """Further settings that the filter looks at, as long as there is room for them."""
    others = [(n, v) for n, v in report.config_differences if n not in shown]
    hidden, room = [], _LETTERS
    for name, values in others[:_SETTINGS]:
        packed = _coded([values[r.index] for r in runs])
        room -= sum(map(len, packed["v"])) + 4 * len(runs)
        if room < 0:
            break
        hidden.append({"h": name, **packed})
    return {"hidden": hidden, "unseen": len(others) - len(hidden)}
