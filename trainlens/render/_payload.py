"""The curves of a report as the compact JSON that the chart script reads.

Arrays are base64 of little-endian numbers: values as float32 (seven digits; best and last values
stand on the page at full precision), steps as uint32 offsets. Lines with the same steps share a
grid. The values of charts behind the first few are deflated besides (`lean`): they are read when
they come into view.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlens.render import _sweep, _table
from trainlens.render._overview import marked
from trainlens.render._visible import plain
from trainlens.reporting import Chart, Clock, Item, Line, Report, RunSummary
from trainlens.stats.resample import Buckets

_LIMIT = 3.4e38
_BAD = 400
# Knots of a run's clock, all or of many runs.
ALL, _FEW = 1000, 17
# Charts that are drawn when a page opens: there, inflating would take more than it saves.
_AT_ONCE = 4
# Settings, not measurements: smoothing would only blur when they changed.
_PLANNED = frozenset({"learning-rate", "dropout", "loss-weight", "epoch", "progress"})


def dumps(value: Any) -> str:
    """JSON that can stand inside a script element: no ``<``, ``>`` or ``&`` in it."""
    text = json.dumps(plain(value), allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def payload(report: Report) -> dict[str, Any]:
    """All that the scripts of a page read, as plain values.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict
        The runs that are drawn, their grids, charts and findings; the table of many runs; the
        sweep.
    """
    grids = Grids()
    spot = {run: place for place, run in enumerate(report.drawn)}
    charts = [_chart(c, grids, spot, report.many) for c in report.charts]
    held: dict[str, Any] = {
        "runs": [_run(report.runs[i], _FEW if report.many else ALL) for i in report.drawn],
        "grids": grids.held,
        "charts": charts,
        "marks": [
            _mark(i, spot[i.run]) for i in marked(report) if i.finding.first_step is not None
        ],
    }
    rows: Sequence[int] | Mapping[int, int] = range(len(report.runs))
    if report.many:
        held["table"] = _table.table(report)
        rows = {run: place for place, run in enumerate(_table.order(report))}
    if report.sweep is not None:
        held["sweep"] = _sweep.data(report, rows)
    return held


def lean(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with the values of charts behind the first few in half the room.

    Parameters
    ----------
    data : mapping
        Of `payload`; left as it is.

    Returns
    -------
    dict
        These charts have their values under ``z`` and only say with 1 which of them a line has.
        Nothing is rounded: the float32 of all lines behind each other, their lowest bytes first,
        then the next ones; the high bytes hardly change from one value to the next.
    """
    charts = data["charts"]
    return {**data, "charts": [*charts[:_AT_ONCE], *map(_deflated, charts[_AT_ONCE:])]}


def _deflated(chart: dict[str, Any]) -> dict[str, Any]:
    held = [base64.b64decode(line[key]) for line in chart["lines"] for key in "mlh" if key in line]
    planes = np.frombuffer(b"".join(held), np.uint8).reshape(-1, 4).T
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    # A block a plane: noise is not coded, which is what takes the time to read it.
    parts = [deflate.compress(p.tobytes()) + deflate.flush(zlib.Z_FULL_FLUSH) for p in planes]
    lines = [line | {key: 1 for key in "ml" if key in line} for line in chart["lines"]]
    for line in lines:
        line.pop("h", None)
    return chart | {
        "lines": lines,
        "z": base64.b64encode(b"".join([*parts, deflate.flush()])).decode(),
    }


def _mark(item: Item, run: int) -> dict[str, Any]:
    first, last = item.finding.first_step, item.finding.last_step
    return {
        "n": item.number,
        "run": run,
        "sev": item.finding.severity.value,
        "chart": item.chart,
        "a": first,
        "b": first if last is None else last,
        "title": item.title,
    }


class Grids:
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


def floats(values: NDArray[np.float64]) -> str:
    return _pack(np.clip(values, -_LIMIT, _LIMIT), np.float32)


def _chart(chart: Chart, grids: Grids, spot: Mapping[int, int], short: bool) -> dict[str, Any]:
    return {
        "k": chart.key,
        "name": chart.metric,
        "unit": chart.unit,
        "role": chart.role,
        "smooth": chart.role not in _PLANNED,
        "log": chart.log,
        "own": chart.own_axis,
        "lines": [packed_line(line, grids, spot[line.run], short) for line in chart.lines],
    }


def packed_line(line: Line, grids: Grids, run: int, short: bool) -> dict[str, Any]:
    held = line.buckets
    packed: dict[str, Any] = {
        "r": run,
        "s": line.split,
        "g": grids.place(held),
        "m": floats(held.mean),
    }
    if short and not held.exact:
        packed.update(_spread(held))
    elif not held.exact:
        packed["l"], packed["h"] = floats(held.low), floats(held.high)
    bad = np.flatnonzero(held.bad)[:_BAD]
    if len(bad):
        packed["bad"] = [[int(i), int(held.bad[i])] for i in bad]
    return packed


def _spread(held: Buckets) -> dict[str, str]:
    """How far minima, then maxima, are from the means: the upper halves of float32, rounded."""
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.concatenate([held.mean - held.low, held.high - held.mean])
    bits = np.clip(np.nan_to_num(apart), 0, _LIMIT / 2).astype("<f4").view("<u4")
    half = ((bits + 0x8000) >> 16).astype("<u2")
    return {"w": base64.b64encode(half.tobytes()).decode()} if half.any() else {}


def _run(run: RunSummary, knots: int) -> dict[str, Any]:
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
        packed.update(packed_clock(run.clock, knots))
    return packed


def packed_clock(clock: Clock, knots: int) -> dict[str, Any]:
    n = len(clock.step)
    at = np.unique(np.linspace(0, n - 1, min(n, knots)).round().astype(int)).tolist()
    known = {}
    if not np.isnan(clock.epoch).any():
        known["ce"] = [float(f"{v:.6g}") for v in clock.epoch[at]]
    if not np.isnan(clock.seconds).any() and clock.seconds[-1] > 0:
        known["ct"] = [round(float(v), 1) for v in clock.seconds[at]]
    return {"cs": clock.step[at].tolist(), **known} if known else {}
