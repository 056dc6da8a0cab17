"""One row a figure: trainlens' page beside each peer's page of the same logs."""

from __future__ import annotations

import importlib.util
import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.browser import MISSING
from benchmarks.logs import write_jsonl, write_wide
from benchmarks.page.visit import Visits, visits
from benchmarks.process import TRAINLENS, Finished, run
from benchmarks.table import Row

_MB, _MS = 1e-6, 1e3
_THINNED = 1_000
_FIRST = (12, 8, 50_000)
_OTHERS = ((1, 8, 50_000), (100, 100, 1_000))
_NONE = Visits(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True)
class _Page:
    """A page, how it was made and how it answers; `why` if there is none."""

    made: Finished | None = None
    size: float = math.nan
    seen: Visits = _NONE
    why: str = ""


def results(quick: bool = False) -> list[Row]:
    """All figures of the page of 12 runs beside the peers, and of other sizes alone."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        for runs, metrics, points in (_FIRST, *_OTHERS):
            folder = Path(place) / f"{runs}x{metrics}"
            logs = _logs(folder, runs, metrics, points // 10 if quick else points)
            ours = _ours(logs, folder / "out", 2 if quick else 5)
            work = f"{runs} run{'s' * (runs > 1)} x {metrics} metrics x {points:,} points"
            if (runs, metrics, points) != _FIRST:
                rows += _rows(f"{work}: ", "", _Page(), ours, {})
                continue
            for name in ("plotly", "bokeh"):
                theirs = _theirs(name, logs, folder / f"{name}.html", quick)
                about = f"{name}, {_THINNED:,} points a curve"
                rows += _rows(f"{work}: ", about, theirs, ours, {} if rows else _GOALS)
    return rows


_GOALS = {
    "made": "<= 3 s",
    "size": "<= 1.0 MB",
    "ready": "<= 300 ms",
    "hover": "<= 10 ms",
    "zoom": "<= 150 ms",
}


def _logs(folder: Path, runs: int, metrics: int, points: int) -> Path:
    logs = folder / "logs"
    logs.mkdir(parents=True)
    write = write_jsonl if metrics <= 8 else write_wide
    for number in range(runs):
        write(logs / f"run{number:02}.jsonl", points, metrics, seed=number)
    return logs


def _ours(logs: Path, out: Path, openings: int) -> _Page:
    command = [*TRAINLENS, "report", str(logs), "-o", str(out)]
    made = sorted((run(command) for _ in range(3)), key=lambda took: took.seconds)[1]
    return _opened(made, out / "index.html", "trainlens", openings)


def _theirs(name: str, logs: Path, out: Path, quick: bool) -> _Page:
    if importlib.util.find_spec(name) is None:
        return _Page(why="not installed")
    command = [sys.executable, "-m", "benchmarks.page.peers", name, str(logs), str(out)]
    try:
        made = run([*command, "--points", str(_THINNED)])
        return _opened(made, out, name, 2 if quick else 3)
    except RuntimeError as error:
        return _Page(why=f"fails: {error}")


def _opened(made: Finished, page: Path, kind: str, openings: int) -> _Page:
    size = page.stat().st_size * _MB
    if MISSING:
        return _Page(made, size, why=MISSING)
    try:
        return _Page(made, size, visits(page, kind, openings))
    except RuntimeError as error:
        return _Page(made, size, why=f"fails: {error}")


def _rows(work: str, peer: str, theirs: _Page, ours: _Page, goals: dict[str, str]) -> list[Row]:
    """A row a figure; without a peer, its column stays empty."""
    why = ours.why or theirs.why

    def row(what: str, key: str, unit: str, a: float, b: float, note: str) -> Row:
        told = "; ".join(part for part in (note, why) if part)
        return Row(f"{work}{what}", peer, a, b, goals.get(key, ""), told, unit)

    cpu = f"{ours.made.cpu:.1f} s of CPU" if ours.made else ""
    if theirs.made:
        cpu += f", {theirs.made.cpu:.1f} s of the peer"
    a, b = theirs.seen, ours.seen
    return [
        row("made from the logs, cold command", "made", "s", _seconds(theirs), _seconds(ours), cpu),
        row("size", "size", "MB", theirs.size, ours.size, f"{b.requests} requests"),
        row("read and ready (load event)", "ready", "ms", a.ready * _MS, b.ready * _MS, ""),
        row("first answer to the pointer", "interactive", "ms", a.interactive * _MS,
            b.interactive * _MS, _both("{:.0f} ms of CPU", a.busy, b.busy)),
        row("hover, median", "hover", "ms", a.hover * _MS, b.hover * _MS,
            _both("{:.0f} ms at the 95th percentile", a.hover_late, b.hover_late)),
        row("zoom by a drag", "zoom", "ms", a.zoom * _MS, b.zoom * _MS, ""),
    ]  # fmt: skip


def _seconds(page: _Page) -> float:
    return page.made.seconds if page.made else math.nan


def _both(form: str, theirs: float, ours: float) -> str:
    """The same figure of trainlens and, where there is one, of the peer."""
    told = "" if math.isnan(ours) else form.format(ours * _MS)
    return told if math.isnan(theirs) else f"{told}; the peer {form.format(theirs * _MS)}"
