"""The charts of a report as data: which metrics, in which order, summarised how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from trainlens.reporting.curves import Curve, Window, share
from trainlens.roles import Role
from trainlens.stats.aligned import aligned_width, coarser
from trainlens.stats.resample import Buckets

# Findings of a report whose surroundings are drawn point by point.
_WINDOWS = 24
KEY_CHARTS = 12
"""Charts that a page shows at once; the others are folded."""
MOST_CHARTS = 400
"""Charts of a page besides those that findings are about."""

_GROUPS = (
    ("Loss", ("loss",)),
    ("Quality", ("metric",)),
    ("Learning rate", ("learning-rate",)),
    ("Gradient norm", ("gradient-norm",)),
    ("Loss terms", ("loss-term",)),
    ("Gates, coverage, dropout, weights", ("gate", "coverage", "dropout", "loss-weight")),
    ("Speed and memory", ("batch-time", "data-time", "throughput", "gpu-memory", "gpu-usage")),
    ("Other", ("other", "progress", "epoch")),
    ("System", ("system",)),
)
_NOT_DRAWN = ("anomaly",)
"""Roles whose points are moments, told as findings."""

_GROUP_OF = {role: i for i, (_, roles) in enumerate(_GROUPS) for role in roles}


@dataclass(frozen=True, eq=False)
class Line:
    """One run's series in a chart.

    Parameters
    ----------
    run : int
        Index into the runs of the report.
    split : str
    buckets : Buckets
        Of the trajectory that led to the last weights, summarised.
    points : int
        Points summarised; one a step.
    replaced : int
        Points that a later attempt or a later value of the same step replaced: not drawn.
    bad : int
        Points that are NaN or infinite.
    best, best_step : float and int, or None
        At full precision; None without direction or finite point.
    final, final_step : float and int, or None
        Last point, which may be NaN.
    """

    run: int
    split: str
    buckets: Buckets
    points: int
    replaced: int
    bad: int
    best: float | None
    best_step: int | None
    final: float | None
    final_step: int | None


@dataclass(frozen=True, eq=False)
class Chart:
    """One metric of all runs.

    Parameters
    ----------
    key : str
        ``c0``, ``c1``, ...: its place on the page.
    metric, unit, direction, role, group : str
    lines : tuple of Line
    own_axis : bool
        Its steps count something else than those of the training series (epochs, say), so it is
        not linked to the other charts.
    log : bool
        Whether a logarithmic axis shows more.
    width : int
        Steps a bucket, 1 where every point is drawn.
    """

    key: str
    metric: str
    unit: str
    direction: str
    role: str
    group: str
    lines: tuple[Line, ...]
    own_axis: bool = False
    log: bool = False
    width: int = 1

    @property
    def steps(self) -> tuple[int, int]:
        """First and last step of any line."""
        held = [b.buckets for b in self.lines if len(b.buckets)]
        return min(int(b.first[0]) for b in held), max(int(b.last[-1]) for b in held)


@dataclass
class _Panel:
    metric: str
    curves: list[tuple[int, Curve]] = field(default_factory=list)
    own_axis: bool = False


def build_charts(
    runs: Mapping[int, Sequence[Curve]],
    found: Sequence[tuple[int, int]],
    needed: Set[str] = frozenset(),
) -> tuple[tuple[Chart, ...], int]:
    """Charts of the metrics of some runs, the most telling first, and how many are left out.

    Parameters
    ----------
    runs : mapping of index of the run to its curves
    found : sequence of (index of the run, place of a finding in it), the gravest first
        The first of them keep full resolution around them.
    needed : set of str
        Metrics that findings are about: drawn also behind `MOST_CHARTS` others.
    """
    every = sorted(_panels(runs), key=_order)
    panels = [p for i, p in enumerate(every) if i < MOST_CHARTS or p.metric in needed]
    most = share(sum(len(p.curves) for p in panels))
    close = frozenset(found[:_WINDOWS])
    charts = tuple(_chart(f"c{i}", p, most, close) for i, p in enumerate(panels))
    return charts, len(every) - len(panels)


def _panels(runs: Mapping[int, Sequence[Curve]]) -> list[_Panel]:
    panels: dict[tuple[str, str], _Panel] = {}
    for index, curves in runs.items():
        for curve in curves:
            if curve.role.name in _NOT_DRAWN:
                continue
            key = (curve.metric, curve.split if curve.apart else "")
            panel = panels.setdefault(key, _Panel(curve.metric))
            panel.own_axis = curve.apart
            panel.curves.append((index, curve))
    return list(panels.values())


def _order(panel: _Panel) -> tuple[int, int, bool, str, bool]:
    role = panel.curves[0][1].role
    watched = any(c.split != "train" for _, c in panel.curves)
    return _group(role), -role.priority, not watched, panel.metric, panel.own_axis


def _group(role: Role) -> int:
    # The parts of a loss would otherwise crowd out all that follows.
    name = "loss-term" if role.name == "loss" and role.priority <= 0 else role.name
    return _GROUP_OF.get(name, len(_GROUPS) - 2)


def _chart(key: str, panel: _Panel, most: int, close: frozenset[tuple[int, int]]) -> Chart:
    spans = [c.steps for _, c in panel.curves]
    first, last = min(a for a, _ in spans), max(b for _, b in spans)
    width = aligned_width(first, last, most)
    ordered = sorted(panel.curves, key=lambda k: (k[0], k[1].split != "train", k[1].split))
    lines = tuple(_line(run, c, width, last - first, most, close) for run, c in ordered)
    told = panel.curves[0][1]
    role = told.role
    return Chart(
        key,
        panel.metric,
        told.unit,
        role.direction,
        role.name,
        _GROUPS[_group(role)][0],
        lines,
        panel.own_axis,
        role.name in ("loss", "gradient-norm") and _spans_decades(lines),
        max(
            [width, *(c.width for _, c in panel.curves)]
            if any(not line.buckets.exact for line in lines)
            else [1]
        ),
    )


def _line(
    run: int, curve: Curve, width: int, span: int, most: int, close: frozenset[tuple[int, int]]
) -> Line:
    first, last = curve.steps
    if last - first < 0.25 * span:
        # A short run among long ones would shrink to a handful of shared buckets.
        width = aligned_width(first, last, most)
    near: list[Window] = [(a, b) for place, a, b in curve.windows if (run, place) in close]
    whole = curve.points <= most and curve.buckets.exact
    buckets = curve.buckets if whole else coarser(curve.buckets, max(width, curve.width), near)
    return Line(
        run,
        curve.split,
        buckets,
        curve.points,
        curve.replaced,
        int(buckets.bad.sum()),
        curve.best,
        curve.best_step,
        curve.final,
        curve.final_step,
    )


def _spans_decades(lines: Sequence[Line]) -> bool:
    means = np.concatenate([line.buckets.mean for line in lines])
    low = np.concatenate([line.buckets.low for line in lines])
    if np.isnan(means).all() or np.nanmin(low) <= 0:
        return False
    small, large = np.nanquantile(means, (0.01, 0.99), method="nearest")
    return bool(large > 100 * small)
