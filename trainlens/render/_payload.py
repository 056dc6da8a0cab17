"""The curves of a report as the compact JSON that the chart script reads.

Arrays are base64 of little-endian numbers: values as float32 (seven digits; best and last values
stand on the page at full precision), steps as uint32 offsets. Lines with the same steps share a
grid.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlens.render._visible import plain
from trainlens.reporting import Chart, Clock, Line, Report, RunSummary
from trainlens.stats.resample import Buckets

_LIMIT = 3.4e38
_BAD = 400
# Settings, not measurements: smoothing would only blur when they changed.
_PLANNED = frozenset({"learning-rate", "dropout", "loss-weight", "epoch", "progress"})


def dumps(value: Any) -> str:
    """JSON that can stand inside a script element: no ``<``, ``>`` or ``&`` in it."""
    text = json.dumps(plain(value), allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def payload(report: Report) -> dict[str, Any]:
    """Runs, grids, charts and findings as plain values."""
    grids = _Grids()
    charts = [_chart(c, grids) for c in report.charts]
    return {
        "runs": [_run(r) for r in report.runs],
        "grids": grids.held,
        "charts": charts,
        "marks": [
            {
                "n": i.number,
                "run": i.run,
                "sev": i.finding.severity.value,
                "chart": i.chart,
                "a": i.finding.first_step,
                "b": i.finding.first_step if i.finding.last_step is None else i.finding.last_step,
                "title": i.title,
            }
            for i in report.items
            if i.finding.first_step is not None
        ],
    }


class _Grids:
    """Distinct grids of steps, each encoded once."""

    def __init__(self) -> None:
        self.held: list[dict[str, Any]] = []
        self._known: dict[tuple[bytes, bytes], int] = {}

    def place(self, buckets: Buckets) -> int:
        key = (buckets.first.tobytes(), buckets.last.tobytes())
        if key not in self._known:
            self._known[key] = len(self.held)
            self.held.append(_grid(buckets))
        return self._known[key]


def _grid(buckets: Buckets) -> dict[str, Any]:
    start = int(buckets.first[0]) if len(buckets) else 0
    wide = len(buckets) > 0 and int(buckets.last[-1]) - start >= 2**32
    kind: Any = np.float64 if wide else np.uint32
    grid = {"o": start, "t": 8 if wide else 4, "a": _pack(buckets.first - start, kind)}
    if not np.array_equal(buckets.first, buckets.last):
        grid["b"] = _pack(buckets.last - start, kind)
    return grid


def _pack(values: NDArray[Any], kind: Any) -> str:
    little = np.dtype(kind).newbyteorder("<")
    return base64.b64encode(values.astype(little).tobytes()).decode()


def _floats(values: NDArray[np.float64]) -> str:
    return _pack(np.clip(values, -_LIMIT, _LIMIT), np.float32)


def _chart(chart: Chart, grids: _Grids) -> dict[str, Any]:
    return {
        "k": chart.key,
        "name": chart.metric,
        "unit": chart.unit,
        "role": chart.role,
        "smooth": chart.role not in _PLANNED,
        "log": chart.log,
        "own": chart.own_axis,
        "lines": [_line(line, grids) for line in chart.lines],
    }


def _line(line: Line, grids: _Grids) -> dict[str, Any]:
    held = line.buckets
    packed: dict[str, Any] = {
        "r": line.run,
        "s": line.split,
        "g": grids.place(held),
        "m": _floats(held.mean),
    }
    if not held.exact:
        packed["l"], packed["h"] = _floats(held.low), _floats(held.high)
    bad = np.flatnonzero(held.bad)[:_BAD]
    if len(bad):
        packed["bad"] = [[int(i), int(held.bad[i])] for i in bad]
    return packed


def _run(run: RunSummary) -> dict[str, Any]:
    packed: dict[str, Any] = {
        "n": run.name,
        "c": run.colour,
        "d": run.dash,
        "f": run.verdict in ("failing", "warning"),
    }
    if len(run.attempts) > 1:
        packed["att"] = [a.first for a in run.attempts[1:50]]
    if run.phases:
        packed["ph"] = [[p.step, p.label] for p in run.phases]
    if run.clock is not None:
        packed.update(_clock(run.clock))
    return packed


def _clock(clock: Clock) -> dict[str, Any]:
    known = {}
    if not np.isnan(clock.epoch).any():
        known["ce"] = [float(f"{v:.6g}") for v in clock.epoch]
    if not np.isnan(clock.seconds).any() and clock.seconds[-1] > 0:
        known["ct"] = [round(float(v), 1) for v in clock.seconds]
    return {"cs": clock.step.tolist(), **known} if known else {}
