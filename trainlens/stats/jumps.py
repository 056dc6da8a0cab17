"""Sudden rises of a schedule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST = 500
"""Jumps that are told at most."""

_WITHIN, _FEW = 3, 30
_LEAST = 0.02
"""A rise to less than this share of the peak is no jump: schedules end with such."""


@dataclass(frozen=True)
class Jump:
    """A rise within a few points, or a drop that is undone.

    Parameters
    ----------
    before, after : int
        Steps of the last low and of the first high point.
    low, high : float
        Values there.
    peak : float
        Highest value before.
    dropped : int or None
        Step of the sudden drop that this rise undoes.
    level : float
        Value before that drop.
    missing : int
        Points between a sudden drop and a sudden return; 0 where either is slow.
    """

    before: int
    after: int
    low: float
    high: float
    peak: float
    dropped: int | None = None
    level: float = 0.0
    missing: int = 0


def jumps(step: NDArray[np.int64], value: Floats, factor: float, early: float) -> list[Jump]:
    """Rises to `factor` times a value within three points, behind the first rise.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
        Ascending.
    value : ndarray of shape (n,)
        Finite, none below zero.
    factor : float
    early : float
        Share of the steps within which a rise above all before is a warmup.
    """
    peak = float(value.max())
    ahead = _ahead(value)
    with np.errstate(over="ignore"):
        rises = np.flatnonzero((ahead >= factor * value[:-1]) & (ahead >= _LEAST * peak))
    highest = np.maximum.accumulate(value)
    last = np.flatnonzero(np.append(np.diff(rises) > 1, True)[: len(rises)])
    place = step.astype(np.float64)
    limit = place[0] + early * (place[-1] - place[0])
    found: list[Jump] = []
    at = rises[last][:MOST].tolist()
    few = len(at) <= _FEW
    for i in at:
        j = i + 1 + int(np.argmax(value[i + 1 : i + 1 + _WITHIN]))
        first = value[j] > 0.95 * highest[i] and (place[j] <= limit or _growing(value, i, factor))
        again = bool(found) and found[-1].after == step[j]
        if not first and not again:
            found.append(_jump(step, value, highest, i, j, few))
    if few:
        found += _undone(step, value, highest, found)
    return sorted(found, key=lambda f: f.after)


def _undone(
    step: NDArray[np.int64], value: Floats, highest: Floats, found: list[Jump]
) -> list[Jump]:
    """Sudden drops that are made good slowly, as by a second warmup."""
    low = -_ahead(-value)
    with np.errstate(over="ignore"):
        drops = np.flatnonzero((low <= value[:-1] / 3) & (value[:-1] >= 0.1 * highest[-1]))
    drops = drops[np.append(np.diff(drops) > 1, True)][:_FEW] if len(drops) else drops
    made: list[Jump] = []
    for d in drops.tolist():
        back = np.flatnonzero(value[d + 1 :] >= 0.5 * value[d])
        if not len(back):
            continue
        j = d + 1 + int(back[0])
        known = any(k.before < step[j] and k.after > step[d] for k in [*found, *made])
        if j - d > 2 * _WITHIN and not known:
            i = d + 1 + int(np.argmin(value[d + 1 : j]))
            made.append(
                Jump(int(step[i]), int(step[j]), float(value[i]), float(value[j]),
                     float(highest[d]), int(step[d + 1]), float(value[d]))
            )  # fmt: skip
    return made


def _ahead(value: Floats) -> Floats:
    """Highest of the next three values, shape (n - 1,)."""
    ahead = value[1:].copy()
    for k in range(1, _WITHIN):
        np.maximum(ahead[:-k], value[1 + k :], out=ahead[:-k])
    return ahead


def _growing(value: Floats, i: int, factor: float) -> bool:
    """Whether the rise began before: a range test, an exponential warmup."""
    if i == 0:  # so far a line through the first points, the begin of a warmup
        by = np.diff(value[: _WITHIN + 1])
        return len(by) > 1 and bool(by.min() > 0 and by.max() <= factor * by.min())
    some = value[max(0, i - 3) : i + 1]
    if i < 3:  # the log begins with a rise that goes on
        return bool((np.diff(value[: i + 2]) > 0).all())
    return len(some) == 4 and bool((np.diff(some) > 0).all()) and value[i] > 1.5 * some[0]


def _jump(
    step: NDArray[np.int64], value: Floats, highest: Floats, i: int, j: int, look: bool
) -> Jump:
    low, high = float(value[i]), float(value[j])
    plain = Jump(int(step[i]), int(step[j]), low, high, float(highest[i]))
    back = np.flatnonzero(value[:i] >= 0.5 * high) if look else np.zeros(0, np.intp)
    if not len(back):
        return plain
    d = int(back[-1])
    sudden = bool(value[d + 1 : d + 1 + _WITHIN].min() <= value[d] / 3)
    if not sudden or high > 2 * float(value[d]):
        return plain
    return Jump(
        plain.before, plain.after, low, high, plain.peak, int(step[d + 1]), float(value[d]), i - d
    )


def regular(found: list[Jump]) -> bool:
    """Whether jumps look like restarts: to about one level, or one that decays, in even time.

    Three of them, at distances that are equal or grow by one factor.
    """
    if len(found) < 3:
        return False
    apart = np.diff([float(j.after) for j in found])
    if (apart <= 0).any():
        return False
    grows = apart[1:] / apart[:-1]
    top = np.array([j.high for j in found])
    heights = top[1:] / top[:-1]
    even = bool(np.ptp(grows) <= 0.2 * grows.max()) and float(grows.min()) >= 0.5
    return even and bool(np.ptp(heights) <= 0.1) and float(heights.max()) <= 1.05
