"""What else happened at the time of an event: reasons to take it for normal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainlens.detect.base import Event
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
    now = float(np.max(rate.value[max(at - 5, first) : at + 5]))
    low, before = float(np.min(rate.value[first:at])), float(np.max(rate.value[:first]))
    if low <= 0 or now < ratio * low or now > 1.05 * before:
        return 1.0
    return now / low


def period(events: Sequence[Event]) -> int | None:
    """Steps between events that come back regularly with about the same height.

    Four or more events at multiples of one distance, or three at equal distances: the pattern of
    epochs or of a cyclic learning rate, not of accidents.

    Parameters
    ----------
    events : sequence of Event, in order

    Returns
    -------
    int or None where they are irregular or fewer than three
    """
    if len(events) < 3:
        return None
    first = np.array([e.first_step for e in events], np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        rises = np.array([_height(e) for e in events])
    gaps = np.diff(first)
    base = float(np.min(gaps))
    if base <= 0 or not np.isfinite(rises).all() or float(np.max(rises)) > 3 * float(np.min(rises)):
        return None
    multiple = gaps / base
    if len(events) == 3:
        regular = bool(np.all(np.abs(multiple - 1) < 0.12))
    else:
        regular = bool(np.all(np.abs(multiple - np.round(multiple)) < 0.15))
    return round(median(gaps / np.round(multiple))) if regular else None


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


def _height(event: Event) -> float:
    if event.baseline > 0:
        return float(np.log(max(event.ratio, 1e-300)))
    return event.peak - event.baseline
