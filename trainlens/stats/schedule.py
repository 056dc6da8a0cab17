"""Which schedule a logged learning rate (or any other planned value) follows.

Recognition is by exclusion: a family is named where its formula leaves hardly more than the
rounding of the log and no other comes near; else it is unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.cycles import cycles_of
from trainlens.stats.falls import (
    Fall,
    Found,
    Rise,
    fall_of,
    hold_of,
    rise_of,
    shape_of,
)
from trainlens.stats.outline import Floats, Outline, level_runs, outline, rounding, turns

FAMILIES = (
    "constant", "linear", "cosine", "cosine-restarts", "polynomial", "exponential",
    "inverse-sqrt", "step", "warmup-stable-decay", "one-cycle", "cyclic", "ramp", "unknown",
)  # fmt: skip

_CONSTANT = 2e-3


@dataclass(frozen=True)
class Schedule:
    """What a series of planned values follows.

    Parameters
    ----------
    family : str
        One of `FAMILIES`. A warmup before it does not change the family.
    warmup : float or None
        Steps of the first rise, None without one.
    curved : bool
        Whether the warmup is no straight line.
    peak, floor : float
        Highest value; value at the end of the fall, which for a log that is cut is an estimate.
    last : float
        Last value of the log.
    restarts : tuple of float
        Steps at which a new cycle begins.
    hold : float
        Steps at the peak before the fall.
    decay_start : float or None
        Step at which the fall begins.
    horizon : float or None
        Step at which the fall ends; it may lie behind the end of the log.
    error : float
        Root mean square of what the formula leaves, as share of the peak; NaN where unknown.
    power : float
        Of a polynomial.
    levels : int
        Of a step schedule.
    """

    family: str
    warmup: float | None = None
    curved: bool = False
    peak: float = math.nan
    floor: float = math.nan
    restarts: tuple[float, ...] = ()
    hold: float = 0.0
    decay_start: float | None = None
    horizon: float | None = None
    error: float = math.nan
    power: float = 1.0
    levels: int = 0
    last: float = math.nan


def recognise(step: NDArray[np.int64], value: Floats) -> Schedule:
    """Recognise the schedule of a series.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
        Ascending.
    value : ndarray of shape (n,)
        Finite.

    Returns
    -------
    Schedule
        Of family ``unknown`` with fewer than 3 points, with values below zero, and where the log
        ends too early to tell.
    """
    if len(value) < 3 or not float(value.max()) > 1e-300 or float(value.min()) < 0:
        return Schedule("unknown")
    peak, floor = float(value.max()), float(value.min())
    if peak - floor <= _CONSTANT * peak:
        return Schedule("constant", peak=peak, floor=floor, error=(peak - floor) / peak)
    tau = max(1e-7, rounding(value) / peak)
    found = _of(outline(step.astype(np.float64), value / peak, tau), float(step[0]))
    return replace(found, peak=peak, floor=found.floor * peak, last=float(value[-1]))


def _of(o: Outline, origin: float) -> Schedule:
    stairs = _stairs(o)
    if stairs is None:
        return _smooth(o)
    # A curve that moves once an epoch, in a log of every step, is a staircase as well.
    levels = len(stairs.x)
    if levels >= 6 and _even(stairs):
        found = _smooth(Outline(stairs.x, stairs.y, max(o.tau, 2e-4)))
        few = found.family == "exponential" and levels <= 12
        if found.family != "unknown" and not few:
            return found
    late = float(stairs.x[0]) - origin
    return Schedule(
        "step",
        warmup=late if late > 0 else None,
        floor=float(stairs.y[-1]),
        restarts=tuple(stairs.x[1:][np.diff(stairs.y) > 0.05].tolist()),
        decay_start=float(stairs.x[1]),
        error=0.0,
        levels=levels,
    )


def _stairs(o: Outline) -> Outline | None:
    """The beginnings of the levels of a staircase, behind its warmup; None for other curves."""
    begin, length = level_runs(o.y)
    flat = np.flatnonzero(length >= 2)
    if len(flat) < 2 or (np.diff(o.y[: begin[flat[0]] + 1]) < 0).any():
        return None
    # Between two levels a mean over an epoch may lie, not more; a last level may just begin.
    if (np.diff(flat) > 2).any() or len(begin) - 1 - flat[-1] > 1:
        return None
    if length[flat].sum() < 1.9 * (len(begin) - flat[0]):
        return None
    kept = np.append(flat, len(begin) - 1) if flat[-1] != len(begin) - 1 else flat
    return Outline(o.x[begin[kept]], o.y[begin[kept]], o.tau)


def _even(stairs: Outline) -> bool:
    wide = np.diff(stairs.x)[1:-1]
    return bool(wide.max() - wide.min() <= max(2.0, 0.1 * float(np.median(wide))))


def _smooth(o: Outline) -> Schedule:
    at = turns(o.y)
    if len(at) < 2:
        return Schedule("unknown", floor=float(o.y[-1]))
    rises = o.y[at[1]] > o.y[at[0]]
    rise = rise_of(o.x, o.y, at[0], at[1]) if rises else None
    if rise is not None and len(at) == 2:
        return _rising(o, rise, at)
    first = at[1] if rises else at[0]
    tops = at[1 if rises else 0 :]
    if len(tops) <= 2:
        return _falling(o, rise, first)
    return _cycles(o, rise, tops)


def _rising(o: Outline, rise: Rise, at: list[int]) -> Schedule:
    rest = o.x[-1] - o.x[at[1]]
    level = float(o.y[at[1] :].min())
    if level < o.y[at[1]] - max(_CONSTANT, 2 * o.tau):
        return Schedule("unknown", floor=float(o.y[-1]))
    share = float(rest) / max(float(o.x[-1] - o.x[0]), 1.0)
    late = at[0] > 0 and o.x[at[0]] - o.x[0] > 0.02 * (o.x[-1] - o.x[0])
    constant = share >= 0.1 and len(o.x) - at[1] >= 3 and not late
    return Schedule(
        "constant" if constant else "ramp",
        warmup=rise.length,
        curved=rise.curved,
        floor=float(o.y[at[0]]) if not constant else level,
        horizon=float(o.x[at[1]]),
        error=rise.error,
    )


def _falling(o: Outline, rise: Rise | None, first: int) -> Schedule:
    """A single fall from the point `first` on."""
    warmup, curved = (rise.length, rise.curved) if rise is not None else (None, False)
    known = Schedule("unknown", warmup, curved, floor=float(o.y[-1]))
    fall = fall_of(o, first)
    if fall is None:
        return known
    hold = hold_of(o, first, fall)
    held = float(o.x[hold] - o.x[first])
    span = float(o.x[fall.end] - o.x[first])
    natural = 0.64 * math.sqrt(2 * o.tau + 1e-5) * span
    gap = span / max(fall.end - first, 1)
    if held > max(0.03 * span, 2 * natural, 2.5 * gap):
        whole = shape_of(o, first, fall.end, only=("cosine",))
        if whole is None or whole.fit.shape != "cosine":
            return _stable(o, known, hold, fall, held)
    found = shape_of(o, first, fall.end)
    if found is None:
        return known
    start, end = float(o.x[first]), _end(o, fall, found)
    cycle = rise is not None and _one_cycle(
        rise, found, end - rise.start, None if fall.tail is None else float(o.y[-1])
    )
    return replace(
        known,
        family="one-cycle" if cycle else found.family,
        floor=max(found.fit.floor, 0.0) if fall.tail is None else float(o.y[-1]),
        decay_start=start,
        horizon=end if math.isfinite(end) else None,
        error=found.fit.error,
        power=found.fit.power,
    )


def _end(o: Outline, fall: Fall, found: Found | None) -> float:
    """Step at which a fall ends: between two points of the log the formula tells, if it can."""
    if fall.tail is None:
        return found.end if found is not None else math.nan
    gap = fall.tail - float(o.x[fall.end])
    told = found is not None and abs(found.end - fall.tail) <= 2 * gap
    return found.end if found is not None and told else fall.tail


def _stable(o: Outline, known: Schedule, hold: int, fall: Fall, held: float) -> Schedule:
    found = shape_of(o, hold, fall.end, rooted=True) if fall.end - hold >= 4 else None
    end = _end(o, fall, found)
    return replace(
        known,
        family="warmup-stable-decay",
        hold=held,
        decay_start=float(o.x[hold]),
        horizon=end if math.isfinite(end) else float(o.x[fall.end]),
        error=found.fit.error if found is not None else math.nan,
    )


def _one_cycle(rise: Rise, found: Found, length: float, tail: float | None) -> bool:
    """Whether a rise and a fall are the two arms of one cycle (Smith 2018, arXiv:1708.07120)."""
    if found.family not in ("cosine", "linear"):
        return False
    share = rise.length / length if length > 0 else 0.0
    floor = found.fit.floor if tail is None else tail
    # A line that is cut says nothing of its floor.
    if floor > rise.low + 0.01 and (tail is not None or found.family == "cosine"):
        return False
    if rise.curved:
        wave = rise.cosine and rise.low > 0.004
        return found.family == "cosine" and (wave or share >= 0.22)
    return share >= 0.22


def _cycles(o: Outline, rise: Rise | None, tops: list[int]) -> Schedule:
    found = cycles_of(o, rise, tops)
    own = rise if not found.takes_rise else None
    return Schedule(
        found.family,
        warmup=own.length if own is not None else None,
        curved=own.curved if own is not None else False,
        floor=found.floor,
        restarts=found.restarts,
        decay_start=float(o.x[tops[0]]),
        error=found.error,
    )
