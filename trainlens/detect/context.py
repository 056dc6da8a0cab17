"""What else happened at the time of an event: reasons to take it for normal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trainlens.detect.base import Event, Floats
from trainlens.run import Run, Series
from trainlens.stats.noise import median


def learning_rate_restart(run: Run, step: int, *, back: int = 30, ratio: float = 1.3) -> float:
    """How many times the learning rate rose just before a step, back to where it had been.

    Parameters
    ----------
    run : Run
    step : int
    back : int
        Logged learning rates before `step` to look at.
    ratio : float
        A smaller rise is none.

    Returns
    -------
    float; 1 where there was no rise, no learning rate, or a rise to a new high (which is no
    restart of a cycle but a change of its own)
    """
    rate = run.main("learning-rate")
    if rate is None:
        return 1.0
    rate = rate.finite
    at = int(np.searchsorted(rate.step, step, "right"))
    first = max(at - back, 0)
    if at == 0 or first == 0:
        return 1.0
    near = slice(max(at - 5 - first, 0), None)
    part = rate.value[first : at + 5]
    # Of the rates before each: a decay is no rise, however steep.
    now, low = part[near], np.minimum.accumulate(part)[near]
    if not (low > 0).all():
        return 1.0
    top = int(np.argmax(now / low))
    rise, before = float(now[top] / low[top]), float(np.max(rate.value[:first]))
    return rise if rise >= ratio and float(now[top]) <= 1.05 * before else 1.0


def warm_restart(run: Run, since: int, until: int, *, ratio: float = 1.3) -> float:
    """How many times the learning rate rose between two steps, back to where it had been.

    Parameters
    ----------
    run : Run
    since, until : int
        Steps; the last logged rate up to `since` counts as well.
    ratio : float
        A smaller rise is none.

    Returns
    -------
    float; 1 as in `learning_rate_restart`
    """
    rate = run.main("learning-rate")
    if rate is None:
        return 1.0
    rate = rate.effective.finite
    first = max(int(np.searchsorted(rate.step, since, "right")) - 1, 0)
    end = int(np.searchsorted(rate.step, until, "right"))
    if end - first < 2 or not first:
        return 1.0
    part = rate.value[first:end]
    low = np.minimum.accumulate(part)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rises = np.where(low > 0, part / low, 1.0)
    at = int(rises.argmax())
    rise, before = float(rises[at]), float(np.max(rate.value[:first]))
    return rise if rise >= ratio and float(part[at]) <= 1.05 * before else 1.0


def period(events: Sequence[Event], jitter: float = 5.0, *, chance: float = 0.01) -> int | None:
    """Steps between events that come back regularly with about the same height.

    Three or more events at multiples of one distance: the pattern of epochs or of a cyclic
    learning rate, not of accidents. Accidents lie so near to such a grid by chance, too; what they
    may is held below `chance`, so that fewer events must fit better. That the grid meets
    the beginning of the run counts as one event more; and where accidents would fit so well once
    in ten thousand times only, the heights may be any.

    Parameters
    ----------
    events : sequence of Event, in order
    jitter : float
        Points by which the beginning of an event is seen early or late.
    chance : float

    Returns
    -------
    int or None where they are irregular or fewer than three
    """
    if len(events) < 3:
        return None
    place = np.array([e.first_index for e in events], np.float64)
    found = min(_by_chance(place, jitter), _by_chance(np.concatenate([[0.0], place]), jitter))
    with np.errstate(over="ignore", invalid="ignore"):
        rises = np.array([_height(e) for e in events])
    if not np.isfinite(rises).all():
        return None
    alike = float(np.max(rises)) <= 3 * float(np.min(rises))
    if found > (chance if alike else 1e-4):
        return None
    first = np.array([e.first_step for e in events], np.float64)
    gaps = np.diff(place)
    every = np.round(gaps / gaps.min())
    return round(median(np.diff(first) / every))


def _by_chance(place: Floats, jitter: float) -> float:
    """How probably accidents lie as near to a grid as these places do; 1 for no grid at all."""
    gaps = np.diff(place)
    width = float(gaps.min())
    if width <= 0:
        return 1.0
    for _ in range(2):  # a width from all gaps together is better known
        every = np.maximum(np.round(gaps / width), 1.0)
        width = float(gaps.sum() / every.sum())
    slots = int(every.sum())
    if slots > 2 * len(place):  # a fine grid meets anything
        return 1.0
    node = np.concatenate([[0.0], np.cumsum(every)])
    off = place - node * width
    away = float(np.abs(off - off.mean()).max())
    if away > max(jitter, 0.005 * width):
        return 1.0
    near = min(2 * max(away, jitter / 2) / width, 1.0)
    return min(math.comb(slots, len(place) - 1) * near ** (len(place) - 2), 1.0)


def starts_epoch(series: Series, event: Event, within: int = 5) -> bool:
    """Whether an event of the effective trajectory begins with the first points of an epoch.

    Parameters
    ----------
    series : Series
    event : Event
    within : int
        Points.
    """
    epoch = series.effective.epoch[max(event.first_index - within, 0) : event.first_index + 1]
    known = epoch[np.isfinite(epoch)]
    return len(known) > 1 and bool(np.floor(known[-1]) > np.floor(known[0]))


def restarts_mean(series: Series, event: Event, within: int = 60) -> bool:
    """Whether the values from an event on are a running mean that begins anew.

    Progress bars show the mean since the beginning of the epoch. Its first values are single
    points, noisy and soon averaged away: the changes from point to point are several times those
    before, they shrink in proportion to the number of points since, and they go up and down,
    unlike those of a loss on its way back from a real spike.

    Parameters
    ----------
    series : Series
    event : Event
        Of its effective trajectory.
    within : int
        Points before and after that are looked at.
    """
    points = series.effective.finite
    at = int(np.searchsorted(points.step, event.first_step))
    value = points.value[max(at - within, 0) : at + within + 1]
    at = min(at, within)
    if float(value.min(initial=np.inf)) > 0:
        value = np.log(value)
    with np.errstate(over="ignore"):
        before, after = np.abs(np.diff(value[:at])), np.diff(value[at:])
    if len(before) < 20 or len(after) < 40 or not np.isfinite(after).all():
        return False
    count = np.arange(1, len(after) + 1)
    size = np.abs(after)
    some = (count >= 3) & (size > 0)
    if some.sum() < 20:
        return False
    x, y = np.log(count[some]), np.log(size[some])
    x, y = x - x.mean(), y - y.mean()
    shrinks = float(x @ y) / float(x @ x) < -0.5
    usual = median(before)
    louder = median(size[4:20]) > 3 * usual and median(size[20:]) > 1.5 * usual
    upward = float(np.mean(after[5:] > 0))
    return shrinks and louder and 0.15 < upward < 0.85 and not falls_at_once(series, event)


def falls_at_once(series: Series, event: Event) -> bool:
    """Whether an event loses two fifths of its height from one point to the next.

    From its sixth point on, and more of it before: a running mean can no longer change as much.

    Parameters
    ----------
    series : Series
    event : Event
        Of its effective trajectory.
    """
    points = series.effective.finite
    first, last = np.searchsorted(points.step, [event.first_step, event.last_step])
    value = points.value[first + 2 : last + 2]
    if len(value) < 2:
        return False
    if float(value.min()) > 0 and event.baseline > 0:
        value, height = np.log(value), _height(event)
    else:
        height = event.peak - event.baseline
    place = np.arange(4, len(value) + 3)  # of the point fallen to, from 1
    least = height * np.maximum(0.4, 2.4 / place)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool((-np.diff(value) > least).any())


def _height(event: Event) -> float:
    if event.baseline > 0:
        return float(np.log(max(event.ratio, 1e-300)))
    return event.peak - event.baseline
