"""The charts of a report as data: which metrics, in which order, summarised how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainlens.roles import Role
from trainlens.rules.base import Finding
from trainlens.run import Run, Series
from trainlens.stats.resample import Buckets, bucket, points, refined_edges, uniform_edges

# All lines of a report share this many buckets, so that a page of 12 runs x 8 metrics stays
# below 1 MB; few lines get no more than a screen has pixels.
_BUCKETS, _MOST, _LEAST = 30_000, 480, 48
# Points kept one by one around a finding, and findings that get them.
_WINDOW_POINTS, _WINDOWS = 160, 24
KEY_CHARTS = 12
"""Charts that a page shows at once; the others are folded."""

_GROUPS = (
    ("Loss", ("loss",)),
    ("Quality", ("metric",)),
    ("Learning rate", ("learning-rate",)),
    ("Gradient norm", ("gradient-norm",)),
    ("Loss terms", ("loss-term",)),
    ("Gates, coverage, dropout, weights", ("gate", "coverage", "dropout", "loss-weight")),
    ("Speed and memory", ("batch-time", "data-time", "throughput", "gpu-memory")),
    ("Other", ("other", "progress", "epoch")),
    ("System", ("system",)),
)
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
    series: list[tuple[int, Series]] = field(default_factory=list)
    own_axis: bool = False


def build_charts(runs: Sequence[Run], findings: Sequence[tuple[int, Finding]]) -> tuple[Chart, ...]:
    """Charts of all metrics of all runs, the most telling first.

    Parameters
    ----------
    runs : sequence of Run
    findings : sequence of (index of the run, Finding), the gravest first
        Their series are kept at full resolution around them.
    """
    panels = sorted(_panels(runs), key=_order)
    lines = sum(len(p.series) for p in panels)
    share = int(np.clip(_BUCKETS // max(lines, 1), _LEAST, _MOST))
    windows = _windows(findings)
    return tuple(_chart(f"c{i}", p, share, windows) for i, p in enumerate(panels))


def _windows(
    findings: Sequence[tuple[int, Finding]],
) -> Mapping[tuple[int, str, str], list[tuple[int, int]]]:
    held: dict[tuple[int, str, str], list[tuple[int, int]]] = {}
    for run, f in findings[:_WINDOWS]:
        if f.first_step is not None and f.metric:
            last = f.first_step if f.last_step is None else f.last_step
            held.setdefault((run, f.metric, f.split), []).append((f.first_step, last))
    return held


def _panels(runs: Sequence[Run]) -> list[_Panel]:
    panels: dict[tuple[str, str], _Panel] = {}
    for index, run in enumerate(runs):
        for (metric, split), series in run.series.items():
            if not len(series):
                continue
            apart = _counts_differently(run, series)
            panel = panels.setdefault((metric, split if apart else ""), _Panel(metric))
            panel.own_axis = apart
            panel.series.append((index, series))
    return list(panels.values())


def _counts_differently(run: Run, series: Series) -> bool:
    # Validation that counts epochs beside training that counts iterations.
    train = run.series.get((series.metric, "train"))
    if series.split == "train" or train is None or len(series) < 2 or not len(train):
        return False
    last, end = int(series.step.max()), int(train.step.max())
    return end >= 20 * max(last, 1) and len(train) > len(series)


def _order(panel: _Panel) -> tuple[int, int, bool, str, bool]:
    role = panel.series[0][1].role
    watched = any(s.split != "train" for _, s in panel.series)
    return _group(role), -role.priority, not watched, panel.metric, panel.own_axis


def _group(role: Role) -> int:
    # The parts of a loss would otherwise crowd out all that follows.
    name = "loss-term" if role.name == "loss" and role.priority <= 0 else role.name
    return _GROUP_OF.get(name, len(_GROUPS) - 2)


def _chart(
    key: str,
    panel: _Panel,
    share: int,
    windows: Mapping[tuple[int, str, str], list[tuple[int, int]]],
) -> Chart:
    kept = [(run, s, s.effective) for run, s in panel.series]
    span = min(int(e.step[0]) for _, _, e in kept), max(int(e.step[-1]) for _, _, e in kept)
    edges = uniform_edges(*span, share)
    ordered = sorted(kept, key=lambda k: (k[0], k[1].split != "train", k[1].split))
    lines = tuple(
        _line(run, s, e, edges, windows.get((run, s.metric, s.split), [])) for run, s, e in ordered
    )
    first = panel.series[0][1]
    role = first.role
    return Chart(
        key,
        panel.metric,
        first.unit,
        role.direction,
        role.name,
        _GROUPS[_group(role)][0],
        lines,
        panel.own_axis,
        role.name in ("loss", "gradient-norm") and _spans_decades(lines),
        int(edges[1] - edges[0]) if any(not line.buckets.exact for line in lines) else 1,
    )


def _line(
    run: int,
    series: Series,
    kept: Series,
    edges: NDArray[np.int64],
    windows: Sequence[tuple[int, int]],
) -> Line:
    best, best_step = _best(kept)
    buckets = _summary(kept, edges, windows)
    return Line(
        run,
        series.split,
        buckets,
        len(kept),
        len(series) - len(kept),
        int(buckets.bad.sum()),
        best,
        best_step,
        float(kept.value[-1]),
        int(kept.step[-1]),
    )


def _summary(kept: Series, edges: NDArray[np.int64], windows: Sequence[tuple[int, int]]) -> Buckets:
    if len(kept) <= len(edges) - 1:
        return points(kept.step, kept.value)
    first, last = int(kept.step[0]), int(kept.step[-1])
    if last - first < 0.25 * (edges[-1] - edges[0]):
        # A short run among long ones would shrink to a handful of shared buckets.
        edges = uniform_edges(first, last, len(edges) - 1)
    near = [_around(kept.step, a, b) for a, b in windows[:4]]
    return bucket(kept.step, kept.value, refined_edges(edges, kept.step, near) if near else edges)


def _around(step: NDArray[np.int64], first: int, last: int) -> tuple[int, int]:
    # The range with half of it on both sides, or the surroundings of its start where it is long.
    a, b = int(np.searchsorted(step, first)), int(np.searchsorted(step, last, side="right"))
    pad = max(12, (b - a) // 2)
    a, b = max(0, a - pad), min(len(step), b + pad)
    if b - a > _WINDOW_POINTS:
        a = max(a, int(np.searchsorted(step, first)) - _WINDOW_POINTS // 2)
        b = min(b, a + _WINDOW_POINTS)
    return int(step[a]), int(step[max(a, b - 1)])


def _best(kept: Series) -> tuple[float | None, int | None]:
    good = np.isfinite(kept.value)
    if not kept.role.direction or not good.any():
        return None, None
    if kept.role.direction == "max":
        at = int(np.argmax(np.where(good, kept.value, -np.inf)))
    else:
        at = int(np.argmin(np.where(good, kept.value, np.inf)))
    return float(kept.value[at]), int(kept.step[at])


def _spans_decades(lines: Sequence[Line]) -> bool:
    means = np.concatenate([line.buckets.mean for line in lines])
    low = np.concatenate([line.buckets.low for line in lines])
    if np.isnan(means).all() or np.nanmin(low) <= 0:
        return False
    small, large = np.nanquantile(means, (0.01, 0.99), method="nearest")
    return bool(large > 100 * small)
