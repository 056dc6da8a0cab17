"""Where a curve will be at the planned end of its run, and whether it passes a target by then.

The laws of `trainlens.stats.annealing` are fitted to the past, with the learning rate that it had,
and drawn from into the future, with the rate that is planned. How wide the draws must be is asked
of the past as well: the same forecast is made at earlier moments for what is known now. Ratios of
that and of what no law foretells were tuned on small real trainings and on synthetic runs
(`benchmarks.outlook`), so that 90 % intervals hold 90 % of the ends and more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainlens.stats.annealing import GAIN, Floats, Rate, features
from trainlens.stats.blocks import block_medians
from trainlens.stats.course import BIAS, DRIFT, LEAST, Course, Unknowable
from trainlens.stats.noise import median

__all__ = ["EARLIEST", "LEAST", "Outlook", "Unknowable", "condensed", "outlook", "window"]

EARLIEST = 0.15
"""Share of the plan before which nothing is forecast."""

_MOST = 160
_FUTURE = 40
_DRAWS = 500
_CHANCE, _SURPRISE = 0.3, 0.3
"""How often a decay lower than any so far brings what nothing speaks of, and how much on average,
in ranges of the curve."""
_TURN = 0.3
"""What time alone may bring, as share of that: curves that lay flat do fall at times."""


@dataclass(frozen=True)
class Outlook:
    """A forecast of a curve of which lower is better.

    Parameters
    ----------
    probability : float
        That the best window passes the target by the end, 0.01 to 0.99.
    expected, low, high : float
        Window at the end: median and 90 % interval.
    now, best : float
        Newest and best window so far.
    noise : float
        Standard deviation from value to value.
    widened : float
        Factor on the width of the forecast, from how forecasts of the past did.
    gain : float
        What of the expected change is due to a falling learning rate; below 0.
    """

    probability: float
    expected: float
    low: float
    high: float
    now: float
    best: float
    noise: float
    widened: float
    gain: float


def window(count: float) -> int:
    """Values of which the median counts, of a run that will have so many: 3, or 5 from 30 on."""
    return 5 if count >= 30 else 3


def windowed(value: Floats, size: int) -> Floats:
    """Medians of `size` consecutive values along the last axis, shape (..., n - size + 1)."""
    rows = np.lib.stride_tricks.sliding_window_view(value, size, axis=-1)
    return np.asarray(np.partition(rows, size // 2, axis=-1)[..., size // 2])


def condensed(place: Floats, value: Floats) -> tuple[Floats, Floats]:
    """The curve itself, or the medians of 160 blocks of a longer one."""
    return block_medians(place, value, _MOST)


def outlook(
    place: Floats,
    value: Floats,
    end: float,
    rates: Sequence[tuple[float, Rate]],
    target: float,
    *,
    start: float = 0.0,
    limits: tuple[float, float] = (-math.inf, math.inf),
    seed: int = 0,
) -> Outlook:
    """Forecast a curve of which lower is better.

    Parameters
    ----------
    place, value : ndarray of shape (n,)
        Places ascending, the last above 0 and below `end`; finite values.
    end : float
        Planned end.
    rates : sequence of (float, Rate)
        Learning rates that may come, alike up to now, and how likely each is.
    target : float
        To be passed by the median of `window` values.
    start : float
        End of the warmup; values before it are left out.
    limits : (float, float)
        Between which the values must lie.
    seed : int
        Of the draws; the same at each look, so that a forecast moves only where its data do.

    Returns
    -------
    Outlook
        Its probability never falls where the target rises.

    Raises
    ------
    Unknowable
    """
    place, value = condensed(place, value)
    used = place >= start
    if (count := int(used.sum())) < LEAST:
        raise Unknowable(f"only {count} values since the warmup, {LEAST} are needed")
    course = Course.of(place[used], value[used], rates[0][1])
    if course.left_its_course():
        raise Unknowable("the newest values have left the course of all before them")
    rng = np.random.default_rng(seed)
    later = _later(course.x, end)
    wide = course.widened()
    paths, gain = _paths(course, rates, later, start, end, wide, rng)
    clean = np.clip(course.level + course.unit * paths, *limits)
    size = window(len(value) + len(later))
    noise = course.unit * _noise(clean.shape, course, rng)
    return _read(value, clean + noise, size, target, course, wide, gain)


def _read(
    value: Floats,
    paths: Floats,
    size: int,
    target: float,
    course: Course,
    wide: float,
    gain: float,
) -> Outlook:
    """What drawn futures say, joined to the past."""
    head = np.broadcast_to(value[len(value) - (size - 1) :], (len(paths), size - 1))
    seen = windowed(np.concatenate([head, paths], axis=1), size)
    best = float(windowed(value, size).min())
    reached = float(np.mean(np.minimum(seen.min(axis=1), best) <= target))
    low, middle, high = np.quantile(seen[:, -1], [0.05, 0.5, 0.95])
    return Outlook(
        min(max(reached, 0.01), 0.99), float(middle), float(low), float(high),
        median(value[-size:]), best, course.noise * course.unit, wide, gain * course.unit,
    )  # fmt: skip


def _later(x: Floats, end: float) -> Floats:
    """Places of the values to come, as far apart as the newest ones, at most `_FUTURE`."""
    now = float(x[-1])
    gap = max(median(np.diff(x)[-20:]), (end - now) / _FUTURE)
    count = min(max(int((end - now) / gap + 0.01), 1), _FUTURE)
    return now + (end - now) * np.arange(1, count + 1) / count


def _paths(
    course: Course,
    rates: Sequence[tuple[float, Rate]],
    later: Floats,
    start: float,
    end: float,
    wide: float,
    rng: np.random.Generator,
) -> tuple[Floats, float]:
    """Draws of the curve without its noise, shape (draws, places), and what falling rates bring."""
    recent = course.recent(len(course.x), end)
    parts, gains = [], []
    for weight, rate in rates:
        law, constants = course.laws.drawn(max(round(_DRAWS * weight), 2), rng)
        columns = features(rate, later, float(course.x[-1]))
        change = np.einsum("nfk,nk->nf", columns[law, :, 1:], constants[:, 1:])
        off = BIAS * (abs(float(np.median(change[:, -1]))) + DRIFT * recent)
        share = np.sqrt(np.arange(1, len(later) + 1) / len(later))
        change += off * rng.standard_t(5, len(change))[:, None] * share
        change -= _surprise(len(change), rng)[:, None] * _unseen(course, rate, later, start)
        paths = constants[:, :1] + change
        centre = np.median(paths, axis=0)
        parts.append(centre + wide * (paths - centre))
        gains.append(weight * float(np.median(columns[law, -1, GAIN] * constants[:, GAIN])))
    return np.concatenate(parts), sum(gains)


def _unseen(course: Course, rate: Rate, later: Floats, start: float) -> Floats:
    """How much of a surprise each place may bring, 0 to 1.

    As much as the rate will be lower than ever since `start`, as share of its peak so far; a part
    of it for the share of the run that is still to come.
    """
    now, end = float(course.x[-1]), float(later[-1])
    past = rate.value[(rate.place >= start) & (rate.place <= now)]
    ahead = np.interp(later, rate.place, rate.value)
    low, peak = (float(past.min()), float(past.max())) if len(past) else (0.0, 0.0)
    fall = np.maximum(low - ahead, 0.0) / peak if peak > 0 else np.zeros_like(later)
    return np.maximum(fall, _TURN * (later - now) / end)


def _surprise(count: int, rng: np.random.Generator) -> Floats:
    """What a decay may bring that nothing seen so far speaks of: mostly nothing, at times a lot."""
    return np.where(rng.random(count) < _CHANCE, rng.exponential(_SURPRISE, count), 0.0)


def _noise(shape: tuple[int, ...], course: Course, rng: np.random.Generator) -> Floats:
    """Autocorrelated noise of values to come."""
    out = rng.standard_normal(shape) * course.noise
    fresh = math.sqrt(1 - course.rho**2)
    for i in range(1, shape[1]):
        out[:, i] = course.rho * out[:, i - 1] + fresh * out[:, i]
    return out
