"""`report` of 12 runs x 8 metrics x 50,000 points as a cold command, and the size of its page.

The size is compared with a page that plotly writes of the same curves, thinned to 1,000 points
each and with its library inside, so that it opens offline as ours does.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import tempfile
from pathlib import Path

from benchmarks.logs import NAMES, curves, write_jsonl
from benchmarks.process import TRAINLENS, fastest
from benchmarks.table import Row

RUNS, METRICS = 12, 8
_DRAWN = 1000


def results(quick: bool = False) -> list[Row]:
    """Time and size."""
    points = 5_000 if quick else 50_000
    work = f"report, {RUNS} runs x {METRICS} metrics x {points:,} points"
    with tempfile.TemporaryDirectory() as place:
        logs, out = Path(place) / "logs", Path(place) / "out"
        logs.mkdir()
        for run in range(RUNS):
            write_jsonl(logs / f"run{run:02}.jsonl", points, METRICS, seed=run)
        took = fastest([*TRAINLENS, "report", str(logs), "-o", str(out)], 3)
        page = (out / "index.html").stat().st_size / 1e6
        size, note = _plotly(Path(place) / "plotly.html", points)
    cost = f"{took.cpu:.1f} s of CPU, {took.peak / 1e6:.0f} MB at most"
    return [
        Row(f"{work}, cold command", "", math.nan, took.seconds, "<= 3 s", cost),
        Row(f"{work}, page", "plotly page", size, page, "<= 1.0 MB", note, unit="MB"),
    ]


def _plotly(path: Path, points: int) -> tuple[float, str]:
    """Size in MB of plotly's page of the same curves, and a note."""
    if importlib.util.find_spec("plotly") is None:
        return math.nan, "not installed"
    graphs = importlib.import_module("plotly.graph_objects")
    subplots = importlib.import_module("plotly.subplots")
    page = subplots.make_subplots(rows=METRICS, cols=1, subplot_titles=NAMES[:METRICS])
    every = max(1, points // _DRAWN)
    for run in range(RUNS):
        values = curves(points, METRICS, run)[::every]
        for place in range(METRICS):
            line = graphs.Scattergl(y=values[:, place], dx=every, name=f"run{run:02}")
            page.add_trace(line, row=place + 1, col=1)
    page.write_html(path, include_plotlyjs=True)
    return path.stat().st_size / 1e6, f"plotly draws {_DRAWN:,} points a curve"
