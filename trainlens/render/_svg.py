"""Static charts that stand without a script: presentation attributes only.

A page may be shown under a policy that forbids styles as well as scripts, so colours, dashes and
sizes are attributes; the style sheet refines them through classes where it is allowed to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from trainlens.render._axes import Floats, Frame, axes
from trainlens.render._visible import visible
from trainlens.reporting import Chart, Item, Line, Report, View
from trainlens.reporting.phases import Phase
from trainlens.stats.resample import Buckets

COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#a89b00",
)  # fmt: skip
"""Okabe and Ito's palette, its black and yellow toned for thin lines on white."""
GREY = "#9a9a9a"
DASHES = ("", "14 6", "4 5", "14 5 4 5")
SEVERITIES = {"error": "#b3261e", "warning": "#8a5a00", "info": "#1f5fa8"}


def domain(parts: Iterable[Buckets], log: bool) -> tuple[float, float, bool]:
    """Range of an axis, and whether extremes were cut off.

    A range that a few extremes blow up to more than four times the range of 98 % of the buckets
    is cut to the latter, on the side of these extremes.
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
    most = inner_high - inner_low
    cut = high / 4 - low / 4 > most > 0
    if cut and low < inner_low - most:
        low = inner_low
    if cut and high > inner_high + most:
        high = inner_high
    pad = (high / 2 - low / 2) * 0.1 or abs(high) * 0.05 or 0.5
    low, high = low - pad, high + pad
    if log:
        return math.exp(max(low, -700)), math.exp(min(high, 700)), cut
    limit = 1.7e308 / 4
    return max(low, -limit), min(high, limit), cut


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
    told = _phases(held, report)
    top = 54 if told else 30
    frame = Frame(first, max(last, first + 1), low, high, held.log, (100, top, 1104, 356))
    parts = [axes(frame), *_ticks_of(frame, told)]
    if not held.own_axis:
        parts.append(_context(frame, report, [i for i in marked if i.chart == held.key]))
    if report.many:
        return drawing(
            "".join([*parts, *_bundles(frame, held, report, most)]), 1120, 400, _title(held)
        )
    lines = []
    order = sorted(held.lines, key=lambda line: report.runs[line.run].colour is not None)
    for line in order:
        run = report.runs[line.run]
        name, colour, dash = _look(run.colour, run.dash, line, held)
        lines.append(line_path(frame, thinned(line.buckets, most), colour, name, dash, bands))
    return drawing("".join([*parts, stroked(lines)]), 1120, 400, _title(held))


def _phases(held: Chart, report: Report) -> Sequence[Phase]:
    """What is named above a chart: the phases of a lone run, where they tell most."""
    apt = held.role == "learning-rate" or held.key == "c0"
    return report.runs[0].phases if len(report.runs) == 1 and apt and not held.own_axis else ()


def _ticks_of(frame: Frame, told: Sequence[Phase]) -> list[str]:
    out, free = [], frame.box[0]
    _, top, right, _ = frame.box
    for phase in told:
        if not frame.first <= phase.step <= frame.last:
            continue
        x = int(frame.x(np.array([phase.step]))[0])
        out.append(f'<path d="M{x} {top - 16}V{top}" stroke="currentColor" stroke-opacity=".6"/>')
        # A letter is about half as wide as it is high.
        wide = 10 * len(phase.label)
        start = x - 8 - wide if x + 8 + wide > right else x + 8
        if start < free:
            continue
        free = max(x, start + wide) + 16
        out.append(
            f'<text x="{start}" y="{top - 4}" font-size="20" fill="currentColor" '
            f'fill-opacity=".7">{escape(phase.label)}</text>'
        )
    return out


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
    return drawing(axes(frame, 3) + shade + stroked(lines), 760, 210, "around the finding")


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


def stroked(lines: Iterable[str]) -> str:
    """Paths of `line_path` with the attributes that all of them share."""
    return f'<g fill="none" {STROKE}>{"".join(lines)}</g>'


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
    """A path through places: the first one, then the way to each next."""
    steps = np.stack([np.diff(x), np.diff(y)], axis=1).ravel().tolist()
    # A minus separates as well as a space does.
    told = "".join(str(step) if step < 0 else f" {step}" for step in steps)
    return f"M{x[0]} {y[0]}" + (f"l{told.lstrip()}" if told else "")


def line_path(frame: Frame, held: Buckets, colour: str, name: str, dash: str, bands: bool) -> str:
    """A line with its gaps, its band between extremes, and marks; for `stroked`."""
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
            path = _points(places, y)
            out.append(f'<path class="{name}" d="{path}" stroke="{colour}"{dashes}/>')
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
    """Shaded findings of this chart, and attempts of a lone run."""
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
