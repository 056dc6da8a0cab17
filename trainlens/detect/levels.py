"""Rises that the data bring and no accident: a second level, and high points that fall together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainlens.detect.base import Bools, Event, Floats
from trainlens.run import Series
from trainlens.stats.noise import MAD_TO_SIGMA, median
from trainlens.stats.rolling import rolling_median

_AROUND = 51  # points whose median is the level
_LEAST = 12  # points of the second level
_NEAR = 1000  # points before and after an event that tell how high single ones reach
_MOST_HIGH = 40
_WIDE = 10_000  # the same for medians of 5, whose tail takes more points to see
_MOST_TAIL = 60
_PARTS = 4  # of the run; the second level must be visited in each


@dataclass(frozen=True)
class SecondLevel:
    """Points that lie a like height above the others, at random places of the whole run.

    Parameters
    ----------
    points : int
        How many.
    ratio : float
        Height of the second level over the first.
    upper : ndarray of bool, shape (n,)
        Which of the finite points of the effective trajectory.
    """

    points: int
    ratio: float
    upper: Bools


def second_level(series: Series) -> SecondLevel | None:
    """The second level of a series with positive values, None without one.

    The points must fall into two groups with a gap between them, the upper one of 3 to 40 % of
    the points, narrow, and spread as by drawing lots: in each quarter of the run, and singly
    rather than in stretches, as spikes would be.

    Parameters
    ----------
    series : Series
    """
    value = series.effective.finite.value
    if len(value) < 2 * _AROUND or not float(value.min()) > 0:
        return None
    y = np.log(value)
    away = y - _level(y)
    half = _half_height(away)
    if half is None:
        return None
    upper = away > half
    # A stretch of many upper points pulls the median up; the level of the others does not.
    level = _level(np.where(upper, y - 2 * half, y))
    away = y - level
    half = median(away[upper]) / 2
    upper = (away > half) & (away < 3 * half)
    if not (half > 0 and _two_groups(away, half) and _by_lots(upper)):
        return None
    return SecondLevel(int(upper.sum()), float(np.exp(2 * half)), upper)


def without(series: Series, second: SecondLevel) -> Floats:
    """Finite values of the effective trajectory with the second level brought to the first."""
    value = series.effective.finite.value
    return np.where(second.upper, value / second.ratio, value)


def _level(y: Floats) -> Floats:
    """Median around each point."""
    half = _AROUND // 2
    ends = np.concatenate([y, y[: -half - 1 : -1]])
    return rolling_median(ends, _AROUND)[half:]


def _half_height(away: Floats) -> float | None:
    """Half the height of a second level, None where nothing stands out."""
    sigma = MAD_TO_SIGMA * median(-away[away <= 0])
    out = away[away > 3.5 * sigma]
    return median(out) / 2 if len(out) >= _LEAST and sigma > 0 else None


def _two_groups(away: Floats, half: float) -> bool:
    """Whether hardly a point lies half-way between the two levels."""
    middle = int((np.abs(away - half) < 0.2 * half).sum())
    top = int((np.abs(away - 2 * half) < 0.2 * half).sum())
    bottom = int((np.abs(away) < 0.2 * half).sum())
    far = away >= 3 * half
    beyond = int((far[1:] & ~far[:-1]).sum())  # stretches: one spike is one
    gap = middle <= (0.5 if top >= 2 * _LEAST else 0.25) * top
    return top >= _LEAST and gap and bottom > top and beyond <= 0.2 * top


def _by_lots(upper: Bools) -> bool:
    n, count = len(upper), int(upper.sum())
    share = count / n
    if not 0.03 <= share <= 0.4:
        return False
    # Stretches of upper points, against those of lots.
    begins = int((upper[1:] & ~upper[:-1]).sum())
    parts = [float(part.mean()) for part in np.array_split(upper, _PARTS)]
    return begins >= 0.6 * count * (1 - share) and min(parts) >= share / 3


def expected_by_chance(series: Series, event: Event, others: Sequence[Event]) -> float:
    """How many events as high and dense a run would hold if its points came in any order.

    Single points that reach as high now and then fall together by chance once in a while: noise
    of heavy tails, or batches of another kind. They are counted around the event, without those
    of any event.

    Parameters
    ----------
    series : Series
    event : Event
        Of its effective trajectory.
    others : sequence of Event
        All events, in order.

    Returns
    -------
    float
        Expected number in the whole run.
    """
    found = _surroundings(series, event, others, _NEAR)
    if found is None:
        return 0.0
    calm, inside = found
    away = np.sort(calm - _level(calm))
    high = np.sort(inside[2:-2])[::-1][:_MOST_HIGH]
    places = max(len(inside) - 4, 5)  # a median of 5 sees them
    least = 1.0
    for count in range(3, len(high) + 1):
        reach = len(away) - int(np.searchsorted(away, high[count - 1])) + 1
        chance = math.log(math.comb(places, count)) + count * math.log(reach / (len(away) + 1))
        least = min(least, math.exp(min(chance, 0.0)))
    return len(series.effective.finite) * least


def expected_by_clumps(series: Series, event: Event, others: Sequence[Event]) -> float:
    """How many events as high a run would hold by the tail of its medians of 5.

    Neighbours that resemble each other are high together more often than points in any order
    would be. The largest medians of 5 around the event, those of all events left out, follow
    an exponential tail, which is too heavy for normal noise and so on the safe side.

    Parameters
    ----------
    series, event, others
        As in `expected_by_chance`.

    Returns
    -------
    float
        Expected number in the whole run; 0 where fewer than 1000 calm points are around.
    """
    found = _surroundings(series, event, others, _WIDE)
    if found is None:
        return 0.0
    calm, inside = found
    if len(calm) < _NEAR:  # too few for a tail
        return 0.0
    fast = rolling_median(calm - _level(calm), 5)[4:]
    top = float(np.max(rolling_median(inside, 5)[4:], initial=-np.inf))
    kept = min(max(len(fast) // 50, 20), _MOST_TAIL)
    tail = np.partition(fast, len(fast) - kept - 1)[-kept - 1 :]
    base = float(tail[0])
    scale = float(tail[1:].mean()) - base
    if not scale > 0:
        return 0.0
    every = len(series.effective.finite) * kept / len(fast)
    return every * math.exp(min((base - top) / scale, 0.0))


def _surroundings(
    series: Series, event: Event, others: Sequence[Event], reach: int
) -> tuple[Floats, Floats] | None:
    """Points around an event without any events, and those of the event above its level.

    On a log scale where all are positive. The event has two points more at either end. None where
    there are too few calm points.
    """
    points = series.effective.finite
    n = len(points)
    first = int(np.searchsorted(points.step, event.first_step))
    end = int(np.searchsorted(points.step, event.last_step, "right"))
    start, stop = max(first - reach, 0), min(end + reach, n)
    value = points.value[start:stop]
    if float(value.min()) > 0:
        value = np.log(value)
    kept = np.ones(len(value), bool)
    for other in others:
        if other.last_step >= points.step[start] and other.first_step <= points.step[stop - 1]:
            a, b = np.searchsorted(points.step, [other.first_step, other.last_step + 1]) - start
            kept[max(a, 0) : max(b, 0)] = False
    kept[first - start : end - start] = False
    if kept.sum() < 2 * _AROUND:
        return None
    calm = value[kept]
    before = value[: first - start][kept[: first - start]][-_AROUND:]
    level = median(before if len(before) else calm)
    edges = np.full(2, level)
    whole = np.concatenate([edges, value, edges])
    return calm, whole[first - start : end - start + 4] - level
