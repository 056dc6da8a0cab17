"""Arms of several runs at chosen places: the mean of each, and the difference with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trainlens.comparison import intervals
from trainlens.comparison.arms import seed_pairs
from trainlens.comparison.axis import placed
from trainlens.comparison.model import Arm, At, Interval, Key
from trainlens.run import Floats

_FEWEST = 3
"""Runs of an arm, or pairs of seeds, below which there is no interval."""


def arms_at(
    baseline: Arm, candidate: Arm, key: Key, places: Sequence[float], by: str
) -> tuple[At, ...]:
    """Both arms at some places.

    Runs that share a seed are paired where at least three do; else all runs of an arm that have a
    finite point near the place count. The interval is that of one place by itself: of twenty places
    one may lie beside 0 by chance.

    Parameters
    ----------
    baseline, candidate : Arm
    key : (metric, split)
    places : sequence of float
        On the axis.
    by : str
        Axis, as in `trainlens.comparison.axis.placed`.

    Returns
    -------
    tuple of At
        NaN where an arm has no point; no interval below three runs an arm.
    """
    wanted = np.array(places, np.float64)
    first, second = (_values(arm, key, wanted, by) for arm in (baseline, candidate))
    pairs = seed_pairs(baseline, candidate)
    return tuple(
        _at(place, first[:, i], second[:, i], pairs) for i, place in enumerate(wanted.tolist())
    )


def _values(arm: Arm, key: Key, wanted: Floats, by: str) -> Floats:
    """Values of shape (runs, places), NaN where a run has none."""
    none = np.full(len(wanted), np.nan)
    rows = [
        none if (series := run.series.get(key)) is None else placed(run, series, by).near(wanted)
        for run in arm.runs
    ]
    held = np.array(rows, np.float64)
    return np.where(np.isfinite(held), held, np.nan)


def _at(place: float, x: Floats, y: Floats, pairs: Sequence[tuple[int, int]]) -> At:
    known = [(a, b) for a, b in pairs if math.isfinite(x[a]) and math.isfinite(y[b])]
    paired = len(known) >= _FEWEST
    if paired:
        x, y = (side[[pair[k] for pair in known]] for k, side in enumerate((x, y)))
    else:
        x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not (len(x) and len(y)):
        return At(place, _mean(x), _mean(y), math.nan, math.nan, None)
    before, after = _mean(x), _mean(y)
    delta = after - before
    percent = delta / abs(before) if before else math.nan
    return At(place, before, after, delta, percent, _interval(x, y, paired))


def _mean(value: Floats) -> float:
    return float(value.mean()) if len(value) else math.nan


def _interval(x: Floats, y: Floats, paired: bool) -> Interval | None:
    if min(len(x), len(y)) < _FEWEST:
        return None
    found = intervals.paired(x, y) if paired else intervals.independent(x, y)
    return None if found is None else found.interval
