"""The charts of a comparison as data: each metric as it went, and candidate minus baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from trainlens.comparison.bands import band
from trainlens.comparison.between import between
from trainlens.comparison.course import Running, apart
from trainlens.comparison.model import Arm, Comparison, Key, Row
from trainlens.render.comparison import _words
from trainlens.reporting.curves import share
from trainlens.reporting.runs import Clock, clock_of
from trainlens.run import Floats, Ints, Run, Series
from trainlens.stats.aligned import aligned_edges, aligned_width, coarser
from trainlens.stats.resample import Buckets, bucket, points

COLOURS = 8
_ARMS, _LINES, _LEAST, _SEEDS = 24, 480, 4, 12
"""Arms that are drawn, lines of all charts together, metrics at least, runs of an arm."""


@dataclass(frozen=True)
class Look:
    """An arm on the page: colour (None is grey) and dashes, the same everywhere."""

    name: str
    colour: int | None
    dash: int
    clock: Clock | None


@dataclass(frozen=True, eq=False)
class Trace:
    """A line of a chart.

    Parameters
    ----------
    arm : int
        Place among the arms that are drawn.
    label : str
        What tells it from the other lines of its arm; empty for the only one.
    buckets : Buckets
    faint : bool
        One run of several, or single points: it lies behind.
    """

    arm: int
    label: str
    buckets: Buckets
    faint: bool = False


@dataclass(frozen=True, eq=False)
class Panel:
    """A chart.

    Parameters
    ----------
    key : str
        Its name on the page.
    metric, split, unit, told : str
        `told` stands at the right of its title.
    verdict : str
    traces : tuple of Trace
    late : int or None
        Of a difference of two runs, the step from which on its last half goes.
    difference : bool
    log : bool
    """

    key: str
    metric: str
    split: str
    unit: str
    told: str
    verdict: str
    traces: tuple[Trace, ...]
    late: int | None = None
    difference: bool = False
    log: bool = False

    @cached_property
    def steps(self) -> tuple[int, int]:
        """First and last step of any line."""
        held = [t.buckets for t in self.traces]
        return min(int(b.first[0]) for b in held), max(int(b.last[-1]) for b in held)


@dataclass(frozen=True, eq=False)
class Curves:
    """All charts of a comparison.

    Parameters
    ----------
    looks : tuple of Look
        Of the arms that are drawn, the baseline first.
    panels : tuple of Panel
        Of each metric how it went, then the difference where there is one.
    note : str
        What was left out, in a sentence; empty where nothing was.
    """

    looks: tuple[Look, ...]
    panels: tuple[Panel, ...]
    note: str


def curves(comparison: Comparison) -> Curves:
    """Charts of the metrics that tell most, as far as a page of a sensible size holds them."""
    arms = _drawn(comparison)
    looks = _looks(comparison, arms)
    keys = _words.metrics(comparison)
    each = 2 * sum(1 if arm.single else 1 + min(len(arm.runs), _SEEDS) for arm in arms)
    shown = keys[: max(_LEAST, _LINES // max(each, 1))]
    most = share(each * len(shown))
    panels = tuple(
        panel
        for number, key in enumerate(shown)
        for panel in _pair(comparison, arms, key, number, most)
    )
    return Curves(looks, panels, _note(comparison, len(arms), len(shown), len(keys)))


def _drawn(comparison: Comparison) -> list[Arm]:
    """The baseline and the candidates: all, or those that are farthest ahead and behind."""
    if len(comparison.arms) <= _ARMS or not comparison.rows:
        return list(comparison.arms)
    ranked = [row.candidate for row in _words.ranked(comparison, _words.leading(comparison))]
    kept = {*ranked[: _ARMS - 1 - _ARMS // 4], *ranked[-(_ARMS // 4) :]}
    return [a for i, a in enumerate(comparison.arms) if i == 0 or a.name in kept]


def _looks(comparison: Comparison, arms: Sequence[Arm]) -> tuple[Look, ...]:
    """How each arm is drawn.

    All have colours in their order, or, where that would only say that there are many, the
    baseline and those that are farthest ahead.
    """
    places = {arm.name: place for place, arm in enumerate(arms)}
    if len(arms) > 2 * COLOURS:
        ahead = _words.ranked(comparison, _words.leading(comparison))[: COLOURS - 1]
        places = {arms[0].name: 0} | {row.candidate: i for i, row in enumerate(ahead, 1)}
    return tuple(_look(arm, places.get(arm.name)) for arm in arms)


def _look(arm: Arm, place: int | None) -> Look:
    clock = clock_of(arm.runs[0])
    if place is None:
        return Look(arm.name, None, 0, clock)
    return Look(arm.name, place % COLOURS, place // COLOURS, clock)


def _note(comparison: Comparison, arms: int, metrics: int, of: int) -> str:
    parts = []
    if arms < len(comparison.arms):
        of_all = f"{arms - 1} of {len(comparison.candidates)} candidates"
        parts.append(f"{of_all}, those that lead and trail,")
    if metrics < of:
        parts.append(f"{metrics} of {of} metrics")
    return f"Curves of {' and of '.join(parts)}." if parts else ""


def _pair(
    comparison: Comparison, arms: Sequence[Arm], key: Key, number: int, most: int
) -> list[Panel]:
    rows = [row for row in comparison.rows if row.key == key]
    unit = next((row.unit for row in rows if row.unit), "")
    lone = rows[0] if len(comparison.candidates) == 1 else None
    traces = tuple(t for place, arm in enumerate(arms) for t in _of_arm(arm, place, key, most))
    if not traces:
        return []
    went = Panel(f"c{number}", *key, unit, _last(lone), "", traces, log=_wants_log(arms, key))
    apart_told = _differences(comparison, arms, rows, most)
    if not apart_told:
        return [went]
    told, verdict = (_words.difference(lone.difference), lone.verdict) if lone else ("", "")
    late = _late(comparison, lone) if lone else None
    return [
        went,
        Panel(f"d{number}", *key, unit, told, verdict, apart_told, late, difference=True),
    ]


def _last(row: Row | None) -> str:
    """Mean of both over all points, for the caption."""
    if row is None:
        return ""
    first, second = (_words.value(s.mean) for s in row.summaries)
    return f"mean {first} and {second}"


def _late(comparison: Comparison, row: Row) -> int | None:
    held = apart(comparison, row)
    return int(held.step[held.late]) if held is not None and len(held) > 1 else None


def _wants_log(arms: Sequence[Arm], key: Key) -> bool:
    held = [run.series[key] for arm in arms for run in arm.runs if key in run.series]
    if held[0].role.name not in ("loss", "gradient-norm"):
        return False
    value = np.concatenate([s.finite.value for s in held])
    if not len(value) or value.min() <= 0:
        return False
    small, large = np.quantile(value, (0.01, 0.99))
    return bool(large > 100 * small)


# --- how a metric went ----------------------------------------------------------------------


def _of_arm(arm: Arm, place: int, key: Key, most: int) -> list[Trace]:
    held = [run for run in arm.runs if key in run.series and len(run.series[key])]
    if arm.single:
        return [Trace(place, "", _buckets(held[0].series[key], most))] if held else []
    single = [
        Trace(place, _label(arm, run), _buckets(run.series[key], most), faint=True)
        for run in held[:_SEEDS]
    ]
    return single + _mean(arm, place, key, most)


def _label(arm: Arm, run: Run) -> str:
    place = arm.runs.index(run)
    return f"seed {arm.seeds[place]}" if place < len(arm.seeds) and arm.seeds[place] else run.name


def _mean(arm: Arm, place: int, key: Key, most: int) -> list[Trace]:
    """Mean over the runs, with one standard deviation as its band."""
    held = band(arm, key)
    if not len(held):
        return []
    away = np.nan_to_num(held.std)
    step = np.rint(held.at).astype(np.int64)
    around = _banded(step, held.mean, held.mean - away, held.mean + away, most)
    return [Trace(place, f"mean of {len(arm.runs)} runs", around)]


def _buckets(series: Series, most: int) -> Buckets:
    kept = series.effective
    if len(kept) <= most:
        return points(kept.step, kept.value)
    first, last = int(kept.step[0]), int(kept.step[-1])
    edges = aligned_edges(first, last, aligned_width(first, last, most))
    return bucket(kept.step, kept.value, edges)


def _banded(step: Ints, mean: Floats, low: Floats, high: Floats, most: int) -> Buckets:
    """Values with a band of their own, thinned to at most about `most`."""
    index = np.unique(np.linspace(0, len(step) - 1, min(most, len(step))).round().astype(int))
    # The steps of two candidates may round to the same one.
    index = index[np.append(True, np.diff(step[index]) > 0)]
    count = np.full(len(index), 2)
    return Buckets(step[index], step[index], count, 0 * count, mean[index], low[index], high[index])


# --- candidate minus baseline ---------------------------------------------------------------


def _differences(
    comparison: Comparison, arms: Sequence[Arm], rows: Sequence[Row], most: int
) -> tuple[Trace, ...]:
    places = {arm.name: place for place, arm in enumerate(arms)}
    lone = len(comparison.candidates) == 1
    traces: list[Trace] = []
    for row in rows:
        if row.candidate not in places:
            continue
        single = apart(comparison, row)
        # The means of several runs are drawn by step, whatever the runs were matched by.
        mean = between(comparison if single is not None else replace(comparison, by="step"), row)
        place = places[row.candidate]
        if single is not None and (lone or mean is None):
            label = "each point" if mean is not None else ""
            each = _each(single.step, single.value, most)
            traces.append(Trace(place, label, each, faint=mean is not None))
        if mean is not None:
            traces.append(Trace(place, _mean_label(mean, lone), _running(mean, most)))
    return tuple(traces)


def _mean_label(mean: Running, lone: bool) -> str:
    return f"mean of {mean.window}" if mean.window > 1 and lone else ""


def _running(mean: Running, most: int) -> Buckets:
    low, high = (np.where(np.isfinite(v), v, mean.mean) for v in (mean.low, mean.high))
    return _banded(mean.step, mean.mean, low, high, most)


def _each(step: Ints, value: Floats, most: int) -> Buckets:
    order = np.argsort(step, kind="stable")
    last = np.append(np.diff(step[order]) > 0, True)
    kept = order[last]
    held = points(step[kept], value[kept])
    if len(held) <= most:
        return held
    first, end = int(held.first[0]), int(held.last[-1])
    return coarser(held, aligned_width(first, end, most))
