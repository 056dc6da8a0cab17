"""Settings of many runs against their result: the axes of a parallel-coordinates chart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.reporting.runs import RunSummary

_FEWEST = 8
"""Runs below which a table says more."""
_AXES = 7
_WORDS = 12
"""Different values that a setting of words may have to be an axis."""
_TICKS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Axis:
    """A setting, or the result, as an axis from 0 (below) to 1.

    Parameters
    ----------
    name : str
    place : ndarray of float64, shape (n,)
        Of each run; NaN where it lacks the setting.
    ticks : tuple of (place, label)
    explains : float
        Share of the variance of the results' ranks that goes with this setting alone, less what
        chance gives; NaN for the result.
    """

    name: str
    place: Floats
    ticks: tuple[tuple[float, str], ...]
    explains: float = math.nan


@dataclass(frozen=True, eq=False)
class Sweep:
    """Runs with a result, and the settings that differ among them.

    Parameters
    ----------
    runs : tuple of int
        Indexes of the runs, the best last so that it is drawn on top.
    axes : tuple of Axis
        The result last, before it the settings, what goes with the result most nearest to it.
    rank : ndarray of float64, shape (n,)
        1 for the best run, 0 for the worst.
    left_out : int
        Settings that differ and are no axis.
    """

    runs: tuple[int, ...]
    axes: tuple[Axis, ...]
    rank: Floats
    left_out: int


def sweep(
    runs: Sequence[RunSummary], differences: Sequence[tuple[str, tuple[str, ...]]]
) -> Sweep | None:
    """The chart of a sweep; None where there are too few runs or no setting differs.

    Parameters
    ----------
    runs : sequence of RunSummary
    differences : sequence of (setting, value of each run)
        As text, empty where a run lacks it.
    """
    held = [r for r in runs if r.standing is not None and math.isfinite(r.standing.best)]
    if not held:
        return None
    key, count = Counter((r.standing.metric, r.standing.split) for r in held if r.standing
                         ).most_common(1)[0]  # fmt: skip
    if count < _FEWEST:
        return None
    ranked = [(r.index, s) for r in held if (s := r.standing) and (s.metric, s.split) == key]
    better_is_less = ranked[0][1].direction != "max"
    ranked.sort(key=lambda pair: pair[1].best, reverse=better_is_less)
    best = np.array([s.best for _, s in ranked])
    rank = _ranks(best if not better_is_less else -best)
    chosen = [i for i, _ in ranked]
    axes = [
        axis
        for name, values in differences
        if (axis := _setting(name, [values[i] for i in chosen], rank)) is not None
    ]
    if not axes:
        return None
    axes.sort(key=lambda a: a.explains)
    first = ranked[0][1]
    unit = f" ({first.unit})" if first.unit else ""
    result = _numbers(f"best {first.split}/{first.metric}{unit}", best)
    shown = axes[-_AXES:]
    return Sweep(tuple(chosen), (*shown, result), rank, len(differences) - len(shown))


def _ranks(value: Floats) -> Floats:
    """From 0 for the least to 1 for the greatest, equal values alike."""
    _, inverse, count = np.unique(value, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    spread: Floats = middle[inverse] / max(len(value) - 1, 1)
    return spread


def _setting(name: str, values: Sequence[str], rank: Floats) -> Axis | None:
    known = [v for v in values if v]
    distinct = set(known)
    if len(known) < _FEWEST or len(distinct) < 2:
        return None
    numbers = [_number(v) for v in values]
    if all(n is not None for n, v in zip(numbers, values, strict=True) if v):
        value = np.array([math.nan if n is None else n for n in numbers])
        axis = _numbers(name, value)
        groups = _groups(value, 8)
    elif len(distinct) <= _WORDS:
        axis = _worded(name, values)
        groups = axis.place
    else:
        return None
    return Axis(name, axis.place, axis.ticks, _explains(groups, rank))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _numbers(name: str, value: Floats) -> Axis:
    known = value[~np.isnan(value)]
    low, high = float(known.min()), float(known.max())
    logs = low > 0 and high / low >= 50
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.log(value) if logs else value
    a, b = (math.log(low), math.log(high)) if logs else (low, high)
    span = b - a or 1.0
    distinct = np.unique(known)
    shown = distinct if len(distinct) <= _TICKS + 1 else np.linspace(a, b, _TICKS)
    if logs and len(distinct) > _TICKS + 1:
        shown = np.exp(shown)
    places = (np.log(shown) if logs else shown) - a
    ticks = tuple(
        (float(p) / span, words.number(float(v), 3)) for p, v in zip(places, shown, strict=True)
    )
    return Axis(name, (scaled - a) / span, ticks)


def _worded(name: str, values: Sequence[str]) -> Axis:
    order = sorted({v for v in values if v})
    place = {v: i / max(len(order) - 1, 1) for i, v in enumerate(order)}
    return Axis(
        name,
        np.array([place.get(v, math.nan) for v in values]),
        tuple((p, v) for v, p in place.items()),
    )


def _groups(value: Floats, most: int) -> Floats:
    """Numbers as groups of equal size, so that any shape of a dependence shows."""
    known = value[~np.isnan(value)]
    distinct = np.unique(known)
    if len(distinct) <= most:
        return value
    edges = np.quantile(known, np.linspace(0, 1, most + 1)[1:-1])
    grouped = np.searchsorted(edges, value, side="right").astype(float)
    grouped[np.isnan(value)] = math.nan
    return grouped


def _explains(group: Floats, rank: Floats) -> float:
    """Adjusted eta squared of ranks by group (Kelley's epsilon squared), at least 0."""
    good = ~np.isnan(group)
    labels, inverse = np.unique(group[good], return_inverse=True)
    y = rank[good]
    n, k = len(y), len(labels)
    total = float(((y - y.mean()) ** 2).sum())
    if n <= k or total == 0:
        return 0.0
    means = np.bincount(inverse, y) / np.bincount(inverse)
    within = float(((y - means[inverse]) ** 2).sum())
    return max(0.0, 1 - (within / (n - k)) / (total / (n - 1)))
