"""Settings against the result as parallel coordinates: a static picture, and data to brush it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from trainlens import words
from trainlens.render._visible import visible
from trainlens.reporting import Axis, Report, Sweep
from trainlens.words import shortened

RAMP = ("#b9c3cc", "#9db6ca", "#7ba3c9", "#4f88bd", "#2568a8", "#0b3a70")
"""From the worst to the best; lightness alone tells them apart, for any eye and in print."""
_EDGES = np.array([0.3, 0.55, 0.75, 0.9, 0.97])
"""Ranks between the colours: what matters is among the best."""
_BEST, _OTHERS = 100, 300
_WIDTH, _HEIGHT = 2240, 660
_LEFT, _RIGHT, _TOP, _BOTTOM = 150, 2090, 64, 560
_MISSING = 65535

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def lines(held: Sweep) -> Places:
    """Places in `held.runs` of those that are drawn: the best, and others at even distances."""
    n = len(held.runs)
    if n <= _BEST + _OTHERS:
        return np.arange(n)
    others = np.linspace(0, n - _BEST - 1, _OTHERS).round().astype(np.intp)
    return np.append(others, np.arange(n - _BEST, n))


def said(held: Sweep) -> str:
    """How many lines there are and what their colour means."""
    n = len(held.runs)
    told = f"{words.plural(n, 'run')}, a line each"
    if n > _BEST + _OTHERS:
        told = (
            f"The best {_BEST} of {words.step(n)} runs and {_OTHERS} others from best to worst at "
            "even distances, a line each"
        )
    left, one = held.left_out, held.left_out == 1
    more = (
        f" {words.plural(left, 'more setting')} {'differs' if one else 'differ'}." if left else ""
    )
    return f"{told}; a run without a setting leaves a gap there.{more}"


def goes_with(axis: Axis) -> str:
    """What an axis says about its setting; empty for the result."""
    if np.isnan(axis.explains):
        return ""
    share = words.percent(round(axis.explains, 2), 2)
    return f"goes with {share} of the result's variance (ranks)"


def picture(held: Sweep) -> Markup:
    """The chart, by presentation attributes alone."""
    x = _across(len(held.axes))
    y = [_down(axis.place) for axis in held.axes]
    shown = lines(held)
    shade = _shade(held.rank[shown])
    parts, thin = [], 2.0 if len(shown) <= 60 else 1.3
    for k, colour in enumerate(RAMP):
        paths = "".join(
            f'<path d="{_path(x, [column[i] for column in y])}"/>'
            for i in shown[shade == k].tolist()
        )
        parts.append(
            f'<g class="q{k}" fill="none" stroke="{colour}" stroke-linecap="round" '
            f'stroke-linejoin="round" stroke-width="{thin + 0.2 * k:.1f}" '
            f'stroke-opacity="{0.45 + 0.1 * k:.2f}">{paths}</g>'
        )
    parts += [_axis(axis, at) for axis, at in zip(held.axes, x, strict=True)]
    title = f"{len(held.runs)} runs: {', '.join(a.name for a in held.axes)}"
    return Markup(
        f'<svg class="parallel" width="{_WIDTH // 2}" height="{_HEIGHT // 2}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-family="sans-serif" font-size="22">'
        f"<title>{escape(visible(title))}</title>{''.join(parts)}</svg>"
    )


def _across(count: int) -> list[int]:
    return [_LEFT + (_RIGHT - _LEFT) * k // max(count - 1, 1) for k in range(count)]


def _down(place: Floats) -> list[int | None]:
    y = np.rint(_BOTTOM - np.nan_to_num(place) * (_BOTTOM - _TOP)).astype(int)
    return [None if gap else v for v, gap in zip(y.tolist(), np.isnan(place).tolist(), strict=True)]


def _path(x: Sequence[int], y: Sequence[int | None]) -> str:
    out, pen = [], False
    for k, (a, b) in enumerate(zip(x, y, strict=True)):
        if b is None:
            pen = False
            continue
        alone = not pen and (k + 1 == len(y) or y[k + 1] is None)
        out.append(f"{'L' if pen else 'M'}{a} {b}{'h0' if alone else ''}")
        pen = True
    return "".join(out)


def _axis(axis: Axis, x: int) -> str:
    text = 'fill="currentColor" text-anchor="middle"'
    levels = _down(np.array([place for place, _ in axis.ticks]))
    marks = [
        f'<text class="tick" x="{x - 12}" y="{y + 7}" text-anchor="end" fill="currentColor" '
        f'font-size="20">{_told(label, 14)}</text><path d="M{x - 7} {y}h7" stroke="currentColor"/>'
        for (_, label), y in zip(axis.ticks, levels, strict=True)
        if y is not None
    ]
    says = goes_with(axis) or "the result"
    head, of, tail = says.partition(" of the ")
    under = "".join(
        f'<text x="{x}" y="{y}" {text} fill-opacity=".7" font-size="20">{part}</text>'
        for y, part in ((_BOTTOM + 40, head + of), (_BOTTOM + 66, tail))
        if part
    )
    return (
        f'<path d="M{x} {_TOP}V{_BOTTOM}" stroke="currentColor" stroke-width="2"/>{"".join(marks)}'
        f'<text x="{x}" y="{_TOP - 26}" {text} font-weight="bold">{_told(axis.name, 22)}'
        f"<title>{escape(visible(axis.name))}</title></text>{under}"
    )


def _told(text: str, length: int) -> str:
    return str(escape(shortened(visible(text), length)))


def data(report: Report, place: Sequence[int] | Mapping[int, int]) -> dict[str, Any]:
    """What the script needs to brush the chart.

    Parameters
    ----------
    report : Report
        Has a sweep.
    place : sequence or mapping of index of a run to its row in the table
    """
    held = report.sweep
    assert held is not None
    shown = _order_of_paths(held)
    drawn = [report.runs[held.runs[i]] for i in shown]
    settings = dict(report.config_differences)
    told = [
        *([shortened(settings[a.name][r.index], 40) for r in drawn] for a in held.axes[:-1]),
        [words.number(r.standing.best) if r.standing else "" for r in drawn],
    ]
    return {
        "box": [_TOP / _HEIGHT, _BOTTOM / _HEIGHT],
        "size": [_WIDTH, _HEIGHT],
        "rows": [place[i] for i in held.runs],
        "lines": shown,
        "names": [shortened(r.name, 80) for r in drawn],
        "axes": [
            {
                "n": shortened(axis.name, 60),
                "says": goes_with(axis),
                "x": x,
                "p": _packed(axis.place),
                "v": texts,
            }
            for axis, x, texts in zip(held.axes, _across(len(held.axes)), told, strict=True)
        ],
    }


def _order_of_paths(held: Sweep) -> list[int]:
    """Lines come from the worst to the best, which is the order of the groups as well."""
    shown = lines(held)
    return [int(i) for i in shown[np.argsort(_shade(held.rank[shown]), kind="stable")]]


def _shade(rank: Floats) -> NDArray[np.intp]:
    return np.searchsorted(_EDGES, rank, side="right")


def _packed(place: Floats) -> str:
    whole = np.rint(np.clip(np.nan_to_num(place), 0, 1) * (_MISSING - 1))
    packed = np.where(np.isnan(place), _MISSING, whole).astype("<u2")
    return base64.b64encode(packed.tobytes()).decode()
