"""The curve of each series of one run, summarised: all that a report draws of its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainlens.compact import Compact
from trainlens.roles import Role
from trainlens.rules.base import Finding
from trainlens.run import Key, Run, Series, unknown
from trainlens.stats.aligned import aligned_edges, aligned_width
from trainlens.stats.resample import Buckets, bucket, points, refined_edges

# All lines of a report share this many buckets, so that a page of 12 runs x 8 metrics stays
# below 1 MB; few lines get no more than a screen has pixels.
_BUCKETS, _MOST, _LEAST = 40_000, 640, 48
# Points kept one by one around a finding, and findings of a series that get them.
_WINDOW_POINTS, _WINDOWS = 160, 4

Window = tuple[int, int]


def share(lines: int) -> int:
    """Buckets that each of so many lines of a report may have."""
    return min(max(_BUCKETS // max(lines, 1), _LEAST), _MOST)


@dataclass(frozen=True, eq=False, slots=True)
class Curve(Compact):
    """A series of a run, summarised on the grid of `trainlens.stats.aligned`.

    Parameters
    ----------
    metric, split, unit : str
    role : Role
    apart : bool
        Its steps count something else than those of its training twin (epochs, say).
    buckets : Buckets
        Of the trajectory that led to the last weights.
    width : int
        Steps a bucket; 1 where every point is held.
    windows : tuple of (finding's place, first, last)
        Ranges of steps held point by point, each with the index of its finding in the run.
    points : int
        Points summarised; one a step.
    replaced : int
        Points that a later attempt or a later value of the same step replaced.
    best, best_step : float and int, or None
        At full precision; None without direction or finite point.
    final, final_step : float and int
        Last point, which may be NaN.
    """

    metric: str
    split: str
    unit: str
    role: Role
    apart: bool
    buckets: Buckets
    width: int
    windows: tuple[tuple[int, int, int], ...]
    points: int
    replaced: int
    best: float | None
    best_step: int | None
    final: float
    final_step: int

    @property
    def steps(self) -> tuple[int, int]:
        """First and last step."""
        return int(self.buckets.first[0]), int(self.buckets.last[-1])


def curves(run: Run, findings: Sequence[Finding], runs: int) -> tuple[Curve, ...]:
    """The curves of a run.

    Parameters
    ----------
    run : Run
    findings : sequence of Finding
        The gravest first: the surroundings of the first few stay at full resolution.
    runs : int
        How many runs the report will have: of many, each gets few buckets.
    """
    held = [s for s in run.series.values() if len(s)]
    most = share(len(held) * runs)
    windows = _windows(findings)
    return tuple(
        _curve(s, _counts_differently(run, s), most, windows.get((s.metric, s.split), []))
        for s in held
    )


def _windows(findings: Sequence[Finding]) -> dict[Key, list[tuple[int, int, int]]]:
    held: dict[Key, list[tuple[int, int, int]]] = {}
    for place, f in enumerate(findings):
        if f.first_step is not None and f.metric:
            last = f.first_step if f.last_step is None else f.last_step
            held.setdefault((f.metric, f.split), []).append((place, f.first_step, last))
    return held


def _counts_differently(run: Run, series: Series) -> bool:
    # Validation that counts epochs beside training that counts iterations.
    train = run.series.get((series.metric, "train"))
    if series.split == "train" or train is None or len(series) < 2 or not len(train):
        return False
    last, end = int(series.step.max()), int(train.step.max())
    return end >= 20 * max(last, 1) and len(train) > len(series)


def _curve(
    series: Series, apart: bool, most: int, findings: Sequence[tuple[int, int, int]]
) -> Curve:
    kept = series.effective
    near = tuple((i, *_around(kept.step, a, b)) for i, a, b in findings[:_WINDOWS])
    buckets, width = _summary(kept, most, [(a, b) for _, a, b in near])
    best, best_step = _best(kept)
    return Curve(
        series.metric,
        series.split,
        series.unit,
        series.role,
        apart,
        buckets,
        width,
        near,
        len(kept),
        len(series) - len(kept),
        best,
        best_step,
        float(kept.value[-1]),
        int(kept.step[-1]),
    )


def _summary(kept: Series, most: int, near: Sequence[Window]) -> tuple[Buckets, int]:
    if len(kept) <= most:
        return points(kept.step, kept.value), 1
    first, last = int(kept.step[0]), int(kept.step[-1])
    width = aligned_width(first, last, most)
    edges = aligned_edges(first, last, width)
    return bucket(kept.step, kept.value, refined_edges(edges, kept.step, near)), width


def _around(step: NDArray[np.int64], first: int, last: int) -> Window:
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


def sketch(name: str, held: Sequence[Curve]) -> Run:
    """A run of the means of its curves' buckets, for pictures in which it is one of many."""
    return Run(
        name,
        "",
        "",
        {
            (c.metric, c.split): Series(
                c.metric,
                c.split,
                step=c.buckets.last,
                value=c.buckets.mean,
                wall_time=unknown(len(c.buckets)),
                epoch=unknown(len(c.buckets)),
                meaning=replace(c.role, unit=c.unit),
            )
            for c in held
        },
    )
