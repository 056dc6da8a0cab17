"""The charts of a comparison as static pictures, and as what the chart script reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from trainlens.render._axes import Frame, axes
from trainlens.render._payload import Grids, floats, packed_clock
from trainlens.render._svg import (
    COLOURS,
    DASHES,
    GREY,
    domain,
    drawing,
    line_path,
    stroked,
    thinned,
)
from trainlens.render.comparison._curves import Curves, Look, Panel, Trace
from trainlens.stats.resample import Buckets

_KNOTS = 1000
_POINTS = 7_000
_BANDS = 6
_BOX = (100, 30, 1104, 356)


def payload(held: Curves, by: str) -> dict[str, Any]:
    """All that the scripts of a page read, as plain values; see `trainlens.render._payload`."""
    grids = Grids()
    charts = [_chart(panel, grids) for panel in held.panels]
    return {
        "runs": [_arm(look) for look in held.looks],
        "grids": grids.held,
        "charts": charts,
        "marks": [],
        "by": by if by in ("epoch", "time") else "step",
    }


def _arm(look: Look) -> dict[str, Any]:
    clock = packed_clock(look.clock, _KNOTS) if look.clock is not None else {}
    return {"n": look.name, "c": look.colour, "d": look.dash, "f": False, **clock}


def _chart(panel: Panel, grids: Grids) -> dict[str, Any]:
    told: dict[str, Any] = {
        "k": panel.key,
        "name": f"{'difference of ' if panel.difference else ''}{panel.split}/{panel.metric}",
        "unit": panel.unit,
        "role": "metric",
        "smooth": not panel.difference,
        "log": panel.log,
        "own": False,
        "lines": [_line(trace, grids) for trace in panel.traces],
    }
    if panel.difference:
        told["zero"] = 1
        if panel.late is not None:
            told["late"] = panel.late
    return told


def _line(trace: Trace, grids: Grids) -> dict[str, Any]:
    held = trace.buckets
    packed: dict[str, Any] = {
        "r": trace.arm,
        "s": trace.label,
        "g": grids.place(held),
        "m": floats(held.mean),
    }
    if not held.exact:
        packed["l"], packed["h"] = floats(held.low), floats(held.high)
    if trace.faint:
        packed["faint"] = 1
    bad = np.flatnonzero(held.bad)[:400]
    if len(bad):
        packed["bad"] = [[int(i), int(held.bad[i])] for i in bad]
    return packed


def drawn(panel: Panel, held: Curves) -> Markup:
    """A chart without a script."""
    lines = sum(len(p.traces) for p in held.panels)
    most = min(160, max(20, _POINTS // max(lines, 1)))
    first, last = panel.steps
    low, high = _range(panel)
    frame = Frame(first, max(last, first + 1), low, high, panel.log, _BOX)
    bands = sum(not trace.faint for trace in panel.traces) <= _BANDS
    parts = [axes(frame), *_context(panel, frame)]
    # Grey lines and those that lie behind first.
    order = sorted(panel.traces, key=lambda t: (held.looks[t.arm].colour is not None, not t.faint))
    paths = []
    for trace in order:
        draw = _dots if trace.faint and panel.difference else _path
        paths.append(draw(frame, trace, held.looks[trace.arm], most, bands))
    return drawing("".join([*parts, stroked(paths)]), 1120, 400, f"{panel.split}/{panel.metric}")


def _range(panel: Panel) -> tuple[float, float]:
    parts = [trace.buckets for trace in panel.traces]
    if panel.difference:
        zero = np.zeros(1)
        one = np.ones(1, np.int64)
        parts.append(Buckets(one, one, one, 0 * one, zero, zero, zero))
    low, high, _ = domain(parts, panel.log)
    return low, high


def _context(panel: Panel, frame: Frame) -> list[str]:
    """The line of no difference, and the half that tells how training ended."""
    if not panel.difference:
        return []
    left, top, right, bottom = frame.box
    out = []
    if panel.late is not None:
        x = int(frame.x(np.array([panel.late]))[0])
        out.append(
            f'<rect x="{x}" y="{top}" width="{right - x}" height="{bottom - top}" '
            'fill="currentColor" fill-opacity=".05"/>'
        )
    y = int(frame.y(np.zeros(1))[0])
    out.append(f'<path d="M{left} {y}H{right}" stroke="currentColor" stroke-opacity=".7"/>')
    return out


def _path(frame: Frame, trace: Trace, look: Look, most: int, bands: bool) -> str:
    name, colour = _ink(look)
    few = thinned(trace.buckets, most)
    path = line_path(frame, few, colour, name, DASHES[look.dash % 4], bands)
    return f'<g opacity=".35">{path}</g>' if trace.faint else path


def _dots(frame: Frame, trace: Trace, look: Look, most: int, bands: bool) -> str:
    """Single differences: dots around their running mean."""
    name, colour = _ink(look)
    few = thinned(trace.buckets, most)
    good = np.isfinite(few.mean)
    x, y = frame.x(few.first[good] / 2 + few.last[good] / 2), frame.y(few.mean[good])
    ends = "".join(f"M{a} {b}h0" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return (
        f'<path class="{name}" d="{ends}" stroke="{colour}" stroke-opacity=".5" '
        'stroke-width="7" stroke-linecap="round"/>'
    )


def _ink(look: Look) -> tuple[str, str]:
    """Class and colour of an arm."""
    return ("rg", GREY) if look.colour is None else (f"r{look.colour}", COLOURS[look.colour])
