"""Is B really better than A? Runs at matched places, with their noise taken seriously.

`compare` holds one or more candidates against a baseline. Every metric that both have becomes a
`Row`: matched points, the mean difference with an interval that knows that neighbouring points of
a curve are alike, whether the two scatter alike, and a verdict with the reason for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from trainlens.comparison.arms import unique
from trainlens.comparison.comparing import Asked, Comparing
from trainlens.comparison.model import Arm, Comparison, Row
from trainlens.errors import UsageError
from trainlens.expectation import Expectation
from trainlens.run import Run

__all__ = ["Arm", "Comparison", "Row", "compare"]

Side = Run | Arm | Sequence[Run]


def compare(
    baseline: Side,
    candidates: Side | Sequence[Side],
    *,
    metrics: Iterable[str] = (),
    splits: Iterable[str] = (),
    at: Iterable[float] = (),
    by: str = "step",
    thresholds: Mapping[str, float] | None = None,
    score: str = "late",
    expect: Iterable[Expectation | str] = (),
    rng: np.random.Generator | None = None,
) -> Comparison:
    """Hold candidates against a baseline, metric by metric.

    Parameters
    ----------
    baseline : Run, Arm, or sequence of Run
        Several runs are one arm: runs that differ in their seeds.
    candidates : Run, Arm, or sequence of these or of sequences of Run
        A sequence of runs is one candidate each; a sequence within it is an arm of several runs.
    metrics : iterable of str
        Names or patterns (``bbox/*``); without any all losses and measures of quality.
    splits : iterable of str
        ``train``, ``val``, ...; without any all.
    at : iterable of float
        Places to show both at; without any six that are spread over what both cover, and none of
        arms of several runs.
    by : str
        ``step``, ``epoch``, ``time`` (seconds since the start) or ``samples``.
    thresholds : mapping of metric to float
        Where each run reaches them is told.
    score : str
        What a run of an arm of several counts by: ``late``, ``best``, ``last`` or ``mean``.
    expect : iterable of Expectation or str
        Held against every candidate: ``mean(val/mpjpe) < 80 mm``.
    rng : numpy.random.Generator, optional
        Of the bootstrap; seeded with 0 where it is not given.

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        No candidate, no common metric, an axis or a score that does not exist.
    """
    asked = Asked(tuple(metrics), tuple(splits), tuple(at), by, dict(thresholds or {}), score)
    rng = np.random.default_rng(0) if rng is None else rng
    return Comparing(_arms(baseline, candidates), asked, rng).result(expect)


def _arms(baseline: Side, candidates: Side | Sequence[Side]) -> tuple[Arm, ...]:
    sides: Sequence[Side] = [candidates] if isinstance(candidates, Run | Arm) else list(candidates)
    arms = [_arm(side) for side in (baseline, *sides)]
    if len(arms) < 2:
        raise UsageError("nothing to compare: a baseline and at least one candidate are needed")
    return tuple(unique(arms))


def _arm(side: Side) -> Arm:
    runs = side.runs if isinstance(side, Arm) else (side,) if isinstance(side, Run) else tuple(side)
    if not runs:
        raise UsageError("an arm of a comparison has no runs")
    if isinstance(side, Arm):
        return side
    name = runs[0].name if len(runs) == 1 else f"{runs[0].name} and {len(runs) - 1} more"
    return Arm(name, runs)
