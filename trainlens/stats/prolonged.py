"""A logged learning rate, followed beyond its last point by the schedule that it follows.

Only what has an end, or a formula that needs none, is followed. A rate that was constant, or fell
in steps, does not tell what comes: then there are several futures, each with its weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.schedule import Schedule
from trainlens.stats.shapes import thinned

Floats = NDArray[np.float64]

_MISFIT = 0.03
_LATE = 0.8
"""Share of a plan behind which a decay that nothing has announced may come."""


class Untold(ValueError):
    """The rate does not tell its future; the message says why."""


@dataclass(frozen=True, eq=False)
class Future:
    """A learning rate from the first logged point to the planned end.

    Parameters
    ----------
    place, value : ndarray of shape (k,)
    weight : float
        How likely it is.
    """

    place: Floats
    value: Floats
    weight: float = 1.0


def end_of(schedule: Schedule) -> float | None:
    """Step at which a schedule itself says that the run ends, None where it does not."""
    ends = schedule.family in ("linear", "cosine", "polynomial", "one-cycle", "warmup-stable-decay")
    return schedule.horizon if ends else None


def prolonged(schedule: Schedule, place: Floats, value: Floats, end: float) -> tuple[Future, ...]:
    """What a rate may be up to `end`.

    Parameters
    ----------
    schedule : Schedule
        As `trainlens.stats.schedule.recognise` found it in all points.
    place, value : ndarray of shape (n,), n >= 3
        Ascending, finite.
    end : float

    Returns
    -------
    tuple of Future
        Weights sum to 1. A single one where the rate reaches `end` or is known.

    Raises
    ------
    Untold
    """
    x, y = thinned(place, value, 2000)
    last = float(x[-1])
    if last >= end:
        return (Future(x, y),)
    ahead = np.linspace(last, end, 200)[1:]
    known = [(w, _joined(x, y, ahead, v)) for w, v in _continued(schedule, x, y, ahead, end)]
    return tuple(Future(*curve, weight) for weight, curve in known)


def _joined(x: Floats, y: Floats, ahead: Floats, value: Floats) -> tuple[Floats, Floats]:
    return np.concatenate([x, ahead]), np.concatenate([y, np.maximum(value, 0.0)])


def _continued(
    schedule: Schedule, x: Floats, y: Floats, ahead: Floats, end: float
) -> list[tuple[float, Floats]]:
    family, last = schedule.family, float(y[-1])
    if family == "constant":
        # Whether a decay will come is not in the log: late ones are common.
        return _perhaps(ahead, np.full_like(ahead, last), max(_LATE * end, float(x[-1])), end)
    if family == "step":
        return _perhaps(ahead, np.full_like(ahead, last), float(x[-1]), end, 0.1)
    share = np.maximum(y / schedule.peak, 1e-9)
    if family == "exponential":
        return [(1.0, schedule.peak * np.exp(_straight(x, np.log(share), ahead)))]
    if family == "inverse-sqrt":
        squared = _straight(x, share**-2.0, ahead)
        return [(1.0, schedule.peak * np.maximum(squared, 1.0) ** -0.5)]
    if end_of(schedule) is not None and schedule.decay_start is not None:
        return [(1.0, _falling(schedule, x, y, ahead))]
    if family == "ramp":
        raise Untold("the learning rate is still in its warmup")
    if family in ("cosine-restarts", "cyclic"):
        raise Untold("how the cycles of the learning rate go on is not in the log")
    raise Untold("the learning rate follows no schedule that could be carried on")


def _perhaps(
    ahead: Floats, flat: Floats, start: float, end: float, floor: float = 0.0
) -> list[tuple[float, Floats]]:
    """It stays, or it falls: as a line from `start` to the end, or at once to `floor`."""
    if floor:
        return [(0.5, flat), (0.5, flat * floor)]
    line = flat * np.clip((end - ahead) / max(end - start, 1e-12), 0.0, 1.0)
    return [(0.5, flat), (0.5, line)]


def _straight(x: Floats, y: Floats, ahead: Floats) -> Floats:
    """The straight line through the last half of some values, carried on from the last."""
    half = len(x) // 2
    far = x[half:] - x[half:].mean()
    spread = float(far @ far)
    slope = float(far @ y[half:]) / spread if spread > 0 else 0.0
    return np.asarray(y[-1] + slope * (ahead - x[-1]), np.float64)


def _falling(schedule: Schedule, x: Floats, y: Floats, ahead: Floats) -> Floats:
    """The fall that fits its logged part best, up to its horizon, and its floor from there on."""
    start, horizon = float(schedule.decay_start or 0.0), float(schedule.horizon or 0.0)
    peak, floor = schedule.peak, schedule.floor
    if float(x[-1]) >= horizon:
        return np.full_like(ahead, float(y[-1]))
    inside = x >= start

    def shapes(at: Floats) -> list[Floats]:
        t = np.clip((at - start) / max(horizon - start, 1e-12), 0.0, 1.0)
        bends = [1 - t, (1 + np.cos(np.pi * t)) / 2, 1 - np.sqrt(t), (1 - t) ** schedule.power]
        # A line that is cut says nothing of its floor: it ends at zero.
        return [peak * bends[0], *(floor + (peak - floor) * bend for bend in bends)]

    errors = [float(np.sqrt(np.mean((s - y[inside]) ** 2))) for s in shapes(x[inside])]
    best = int(np.argmin(errors))
    if errors[best] > _MISFIT * peak:
        raise Untold("the learning rate follows no schedule that could be carried on")
    return shapes(ahead)[best]
