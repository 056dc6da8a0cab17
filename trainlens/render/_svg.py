"""Static charts that stand without a script: presentation attributes only.

A page may be shown under a policy that forbids styles as well as scripts, so colours, dashes and
sizes are attributes; the style sheet refines them through classes where it is allowed to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from trainlens import words
from trainlens.render._visible import visible
from trainlens.reporting import Chart, Item, Line, Report, View
from trainlens.stats.resample import Buckets

COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#a89b00",
)  # fmt: skip
"""Okabe and Ito's palette, its black and yellow toned for thin lines on white."""
GREY = "#9a9a9a"
DASHES = ("", "14 6", "4 5", "14 5 4 5")
SEVERITIES = {"error": "#b3261e", "warning": "#8a5a00", "info": "#1f5fa8"}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """Maps steps and values to whole units of a drawing (two a pixel).

    Parameters
    ----------
    first, last : float
        Steps at the left and right edge.
    low, high : float
        Values at the bottom and top edge.
    log : bool
    box : (left, top, right, bottom)
    """

    first: float
    last: float
    low: float
    high: float
    log: bool
    box: tuple[int, int, int, int]

    def x(self, step: Floats | NDArray[np.int64]) -> NDArray[np.int64]:
        """Horizontal places, shape of `step`."""
        left, _, right, _ = self.box
        share = (step - self.first) / max(self.last - self.first, 1e-9)
        return np.rint(left + np.clip(share, 0, 1) * (right - left)).astype(np.int64)

    def y(self, value: Floats) -> NDArray[np.int64]:
        """Vertical places, cut at the edges; finite values only."""
        _, top, _, bottom = self.box
        v, low, high = value, self.low, self.high
        if self.log:
            v = np.log(np.maximum(value, self.low))
            low, high = math.log(low), math.log(high)
        share = np.clip(v / (high - low) - low / (high - low), 0, 1)
        return np.rint(bottom - share * (bottom - top)).astype(np.int64)


def domain(parts: Iterable[Buckets], log: bool) -> tuple[float, float, bool]:
    """Range of an axis, and whether extremes were cut off.

    A range that a few extremes blow up to more than four times the range of 98 % of the buckets
    is cut to the latter.
    """
    held = list(parts)
    ends = [*(b.low for b in held), *(b.high for b in held)]
    value = np.concatenate(ends) if ends else np.empty(0)
    value = value[np.isfinite(value) & ((value > 0) if log else True)]
    if not len(value):
        return (0.1, 1.0, False) if log else (0.0, 1.0, False)
    scaled = np.log(value) if log else value
    low, high = float(scaled.min()), float(scaled.max())
    inner_low, inner_high = (float(q) for q in np.quantile(scaled, (0.01, 0.99), method="nearest"))
    cut = high / 4 - low / 4 > inner_high - inner_low > 0
    if cut:
        low, high = inner_low, inner_high
    pad = (high / 2 - low / 2) * 0.1 or abs(high) * 0.05 or 0.5
    low, high = low - pad, high + pad
    if log:
        return math.exp(max(low, -700)), math.exp(min(high, 700)), cut
    limit = 1.7e308 / 4
    return max(low, -limit), min(high, limit), cut


def ticks(low: float, high: float, log: bool, most: int = 5) -> list[float]:
    """Round values inside a range, at most about `most`."""
    if log and high / low > 8:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        stride = max(1, math.ceil((last - first + 1) / most))
        return [10.0**k for k in range(first, last + 1, stride)]
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    unit = next(size * m for m in (1, 2, 5, 10) if size * m >= raw)
    first, last = math.ceil(low / unit), math.floor(high / unit)
    return [k * unit for k in range(first, min(last, first + 2 * most) + 1)]


def chart(held: Chart, report: Report, most: int, bands: bool, marked: Sequence[Item]) -> Markup:
    """A whole chart.

    Parameters
    ----------
    held : Chart
    report : Report
    most : int
        Points drawn of each line.
    bands : bool
        Whether minima and maxima are shaded.
    marked : sequence of Item
        Findings that may have a mark.
    """
    low, high, _ = domain((line.buckets for line in held.lines), held.log)
    first, last = held.steps
    frame = Frame(first, max(last, first + 1), low, high, held.log, (100, 30, 1104, 356))
    parts = [axes(frame)]
    if not held.own_axis:
        parts.append(_context(frame, report, [i for i in marked if i.chart == held.key]))
    if report.many:
        return drawing(
            "".join([*parts, *_bundles(frame, held, report, most)]), 1120, 400, _title(held)
        )
    order = sorted(held.lines, key=lambda line: report.runs[line.run].colour is not None)
    for line in order:
        run = report.runs[line.run]
        name, colour, dash = _look(run.colour, run.dash, line, held)
        parts.append(line_path(frame, thinned(line.buckets, most), colour, name, dash, bands))
    return drawing("".join(parts), 1120, 400, _title(held))


def _title(held: Chart) -> str:
    return f"{held.metric}: {held.group}"


def _bundles(frame: Frame, held: Chart, report: Report, most: int) -> list[str]:
    """The lines of many runs, those that look alike as one path; the grey ones below."""
    paths: dict[tuple[str, str, str], list[str]] = {}
    for line in held.lines:
        look = _look(report.runs[line.run].colour, report.runs[line.run].dash, line, held)
        few = thinned(line.buckets, most)
        x = frame.x(few.first / 2 + few.last / 2)
        parts = paths.setdefault(look, [])
        for part in _stretches(np.isfinite(few.mean)):
            parts.append(_points(x[part], frame.y(few.mean[part])) + "h0" * (len(part) == 1))
    return [
        f'<path class="{name}" d="{"".join(parts)}" fill="none" stroke="{colour}"'
        f'{_dashed(dash)} stroke-linecap="round" {STROKE}/>'
        for (name, colour, dash), parts in sorted(paths.items(), reverse=True)
    ]


def _look(colour: int | None, dash: int, line: Line, held: Chart) -> tuple[str, str, str]:
    """Class, colour and dashes of a line."""
    dashes = "10 6" if line.split != "train" and _has_train(held) else DASHES[dash % 4]
    return ("rg", GREY, dashes) if colour is None else (f"r{colour}", COLOURS[colour], dashes)


def _dashed(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""


def view(held: View, severity: str) -> Markup:
    """The small chart of a finding."""
    kept = [b for _, b in held.lines]
    low, high, _ = domain(kept[:1], False)
    wide_low, wide_high, _ = domain(kept, False)
    if wide_high - wide_low <= 3 * (high - low):
        low, high = wide_low, wide_high
    else:
        # The other split would flatten what this chart is about.
        kept = kept[:1]
    first, last = min(int(b.first[0]) for b in kept), max(int(b.last[-1]) for b in kept)
    frame = Frame(first, max(last, first + 1), low, high, False, (84, 10, 756, 166))
    shade = shaded(frame, held.first, held.last, SEVERITIES[severity], f"shade {severity}")
    lines = [
        line_path(frame, buckets, GREY if i else "#222222", "rg" if i else "ink", "", not i)
        for i, buckets in reversed(list(enumerate(kept)))
    ]
    return drawing(axes(frame, 3) + shade + "".join(lines), 760, 210, "around the finding")


def spark(value: Floats, colour: int | None) -> Markup:
    """A line of the size of a word; empty below two finite values."""
    good = np.flatnonzero(np.isfinite(value))
    if len(good) < 2:
        return Markup("")
    inner = np.quantile(value[good], (0.02, 0.98), method="nearest") / 2
    span = float(inner[1] - inner[0]) or 1.0
    x = np.rint(2 + good * (188 / max(len(value) - 1, 1))).astype(int)
    y = np.rint(38 - 34 * np.clip((value[good] / 2 - inner[0]) / span, 0, 1)).astype(int)
    stroke, name = (GREY, "rg") if colour is None else (COLOURS[colour], f"r{colour}")
    path = f'<path class="{name}" d="{_points(x, y)}" fill="none" stroke="{stroke}" {STROKE}/>'
    return Markup(
        f'<svg class="spark" width="96" height="20" viewBox="0 0 192 40" aria-hidden="true">'
        f"{path}</svg>"
    )


def thinned(held: Buckets, most: int) -> Buckets:
    """At most about `most` buckets, neighbours merged, extremes kept."""
    if len(held) <= most:
        return held
    start = np.arange(0, len(held), math.ceil(len(held) / most))
    stop = np.append(start[1:], len(held))
    good = held.count - held.bad
    weight = np.add.reduceat(good, start)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        total = np.add.reduceat(np.where(good > 0, held.mean, 0.0) * good, start)
        low, high = np.fmin.reduceat(held.low, start), np.fmax.reduceat(held.high, start)
        mean = np.clip(total / weight, low, high)
    return Buckets(
        held.first[start],
        held.last[stop - 1],
        np.add.reduceat(held.count, start),
        np.add.reduceat(held.bad, start),
        mean,
        low,
        high,
    )


STROKE = 'stroke-width="2.4" stroke-linejoin="round"'


def drawing(body: str, width: int, height: int, title: str) -> Markup:
    """A whole static picture with a title for screen readers."""
    return Markup(
        f'<svg class="fixed" width="{width // 2}" height="{height // 2}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="22">'
        f"<title>{escape(visible(title))}</title>{body}</svg>"
    )


def _has_train(held: Chart) -> bool:
    return any(line.split == "train" for line in held.lines)


def _points(x: NDArray[np.int64], y: NDArray[np.int64]) -> str:
    return "M" + " ".join(f"{a} {b}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def axes(frame: Frame, most: int = 5) -> str:
    """Lines and labels of both axes; `most` ticks on each."""
    left, top, right, bottom = frame.box
    out = [f'<path d="M{left} {top}V{bottom}" stroke="currentColor" stroke-opacity=".4"/>']
    levels = ticks(frame.low, frame.high, frame.log, most)
    # Below 0.001 the zeros would not fit beside the axis.
    tiny = max(map(abs, levels), default=1.0) < 1e-3
    digits = 3 if frame.log else _digits(levels)
    for value in levels:
        text = _exponent(value) if tiny else words.number(value, digits)
        y = int(frame.y(np.array([value]))[0])
        out.append(
            f'<path d="M{left} {y}H{right}" stroke="currentColor" stroke-opacity=".12"/>'
            f'<text x="{left - 10}" y="{y + 8}" text-anchor="end" fill="currentColor" '
            f'fill-opacity=".7">{text}</text>'
        )
    for value in ticks(frame.first, frame.last, False, most):
        if value != int(value):
            continue
        x = int(frame.x(np.array([value]))[0])
        anchor = "end" if x > right - 40 else "middle"
        out.append(
            f'<text x="{x}" y="{bottom + 32}" text-anchor="{anchor}" fill="currentColor" '
            f'fill-opacity=".7">{words.step(int(value))}</text>'
        )
    return "".join(out)


def _digits(levels: Sequence[float]) -> int:
    """Significant digits with which neighbouring ticks read differently."""
    largest = max(map(abs, levels), default=0.0)
    if len(levels) < 2 or not largest:
        return 3
    apart = math.log10(largest) - math.log10(levels[1] - levels[0])
    return min(8, max(3, math.ceil(apart + 1)))


def _exponent(value: float) -> str:
    mantissa, exponent = f"{value:.2e}".split("e")
    told = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}" if value else "0"
    return told.replace("-", words.MINUS)


def line_path(frame: Frame, held: Buckets, colour: str, name: str, dash: str, bands: bool) -> str:
    """A line with its gaps, its band between extremes, and marks of what is not finite."""
    x = frame.x(held.first / 2 + held.last / 2)
    good = np.isfinite(held.mean)
    dashes = _dashed(dash)
    out = []
    for part in _stretches(good):
        if bands and not held.exact and len(part) > 1:
            low, high = frame.y(held.low[part]), frame.y(held.high[part])
            ring = _points(np.append(x[part], x[part][::-1]), np.append(high, low[::-1]))
            out.append(
                f'<path class="{name} band" d="{ring}Z" fill="{colour}" fill-opacity=".16"/>'
            )
        places, y = x[part], frame.y(held.mean[part])
        if len(part) == 1:
            out.append(
                f'<circle class="{name} dot" cx="{places[0]}" cy="{y[0]}" r="5" fill="{colour}"/>'
            )
        else:
            out.append(f'<path class="{name}" d="{_points(places, y)}" fill="none" '
                       f'stroke="{colour}"{dashes} {STROKE}/>')  # fmt: skip
    bad = np.flatnonzero(held.bad)
    if len(bad):
        bottom = frame.box[3]
        marks = "".join(f"M{a} {bottom}l-5 10h10z" for a in dict.fromkeys(x[bad].tolist()))
        out.append(
            f'<path class="bad" d="{marks}" fill="{SEVERITIES["error"]}">'
            f"<title>{int(held.bad.sum())} values are not finite</title></path>"
        )
    return "".join(out)


def _stretches(good: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    index = np.flatnonzero(good)
    if not len(index):
        return []
    return np.split(index, np.flatnonzero(np.diff(index) > 1) + 1)


def shaded(frame: Frame, first: int, last: int, colour: str, name: str) -> str:
    x = frame.x(np.array([first, last]))
    _, top, _, bottom = frame.box
    width = max(3, int(x[1] - x[0]))
    return (
        f'<rect class="{name}" x="{x[0]}" y="{top}" width="{width}" height="{bottom - top}" '
        f'fill="{colour}" fill-opacity=".1"/>'
    )


def _marks(frame: Frame, items: Sequence[Item]) -> list[str]:
    """Ranges of findings, those that overlap as one, and their numbers."""
    top = frame.box[1]
    ranges: dict[str, list[list[int]]] = {}
    numbers, taken = [], -99
    for item in sorted(items, key=lambda i: i.finding.first_step or 0):
        f = item.finding
        if f.first_step is None:
            continue
        last = f.first_step if f.last_step is None else max(f.last_step, f.first_step)
        held = ranges.setdefault(f.severity.value, [])
        if held and f.first_step <= held[-1][1]:
            held[-1][1] = max(held[-1][1], last)
        else:
            held.append([f.first_step, last])
        x = int(frame.x(np.array([f.first_step]))[0])
        if x - taken >= 30:
            taken = x
            numbers.append(
                f'<a href="#f{item.number}"><circle class="{f.severity.value}" cx="{x}" '
                f'cy="{top - 14}" r="13" fill="{SEVERITIES[f.severity.value]}"/><text x="{x}" '
                f'y="{top - 7}" text-anchor="middle" font-size="18" fill="#fff">{item.number}'
                "</text></a>"
            )
    shades = [
        shaded(frame, a, b, SEVERITIES[severity], f"shade {severity}")
        for severity, held in ranges.items()
        for a, b in held
    ]
    return shades + numbers


def _context(frame: Frame, report: Report, marked: Sequence[Item]) -> str:
    """Shaded findings of this chart, attempts and phases of a lone run."""
    _, top, _, bottom = frame.box
    out = _marks(frame, marked)
    if len(report.runs) == 1:
        run = report.runs[0]
        starts: Sequence[int] = [a.first for a in run.attempts[1:]]
        for x in frame.x(np.array(starts)) if starts else ():
            out.append(
                f'<path d="M{x} {top}V{bottom}" stroke="currentColor" stroke-opacity=".5" '
                f'stroke-dasharray="2 6"/>'
            )
    return "".join(out)
