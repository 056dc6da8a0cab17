"""Where the points of a series lie: by step, epoch, time or samples."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from trainlens.leaves import leaves
from trainlens.run import Floats, Run, Series
from trainlens.stats.nearby import interval, nearest
from trainlens.stats.noise import second_difference_noise

_SEEN = re.compile(
    r"^(?:(?:num|n|total|train|consumed)_)*(?:samples|examples|images|tokens)"
    r"(?:_(?:seen|processed|consumed|so_far))?$",
    re.IGNORECASE,
)
_NOISY = 8
_WHOLE_BATCH = (
    "global_batch_size",
    "total_batch_size",
    "effective_batch_size",
    "total_train_batch_size",
)
_BATCH = ("train_batch_size", "batch_size", "per_device_train_batch_size", "batchsize", "bs")
_TIMES = (
    ("gradient_accumulation_steps", "accumulation_steps", "accumulate_grad_batches", "grad_accum"),
    ("world_size", "num_gpus", "n_gpus", "gpus"),
)
_NOT_FINITE = "all its values are NaN or infinite"


@dataclass(frozen=True, eq=False)
class Placed:
    """The finite points of a series in the order of an axis.

    Parameters
    ----------
    at : ndarray of float64, shape (n,)
        Ascending, no place twice.
    value : ndarray of float64, shape (n,)
    step : ndarray of int64, shape (n,)
    why : str
        Why there are none, empty where there are some.
    """

    at: Floats
    value: Floats
    step: np.ndarray[Any, np.dtype[np.int64]]
    why: str = ""

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of what a single point scatters by; NaN with fewer than 8 points."""
        return second_difference_noise(self.value) if len(self) >= _NOISY else math.nan

    def near(self, wanted: Floats) -> Floats:
        """Values at some places, else at the nearest point within half a logging interval.

        Parameters
        ----------
        wanted : ndarray of shape (m,)

        Returns
        -------
        ndarray of float64, shape (m,)
            NaN where no point is near.
        """
        if not len(self):
            return np.full(len(wanted), np.nan)
        index = nearest(self.at, wanted)
        away = np.abs(self.at[index] - wanted)
        return np.where((away == 0) | (away <= self._interval / 2), self.value[index], np.nan)

    @cached_property
    def _interval(self) -> float:
        return interval(self.at)


def placed(run: Run, series: Series, by: str = "step") -> Placed:
    """The points of a series along an axis, of the trajectory that led to the last weights.

    Where several points share a place (rows of one epoch), the last one counts.

    Parameters
    ----------
    run : Run
        Whose start is the zero of time, and whose settings tell what a step takes in.
    series : Series
    by : str
        ``step``, ``epoch``, ``time`` (seconds since the first point of the run) or ``samples``.
    """
    held = series.finite
    if by == "step":
        return _ordered(held.step.astype(np.float64), held, _NOT_FINITE)
    if by == "epoch":
        return _ordered(_epochs(run, held), held, "no epochs in this log")
    if by == "time":
        times = run.wall_times
        start = times[0] if times else math.nan
        return _ordered(held.wall_time - start, held, "no times in this log")
    at = _samples(run, held)
    return _ordered(at, held, "neither samples seen nor a batch size in this log")


def _ordered(at: Floats, held: Series, why: str) -> Placed:
    known = np.isfinite(at)
    if not known.any():
        empty = np.empty(0)
        return Placed(empty, empty, np.empty(0, np.int64), why if len(held) else _NOT_FINITE)
    if known.all() and bool((at[1:] > at[:-1]).all()):
        return Placed(at, held.value, held.step)
    index = np.flatnonzero(known)
    order = index[np.argsort(at[index], kind="stable")]
    last = np.append(at[order][1:] != at[order][:-1], True)
    kept = order[last]
    return Placed(at[kept], held.value[kept], held.step[kept])


def _epochs(run: Run, held: Series) -> Floats:
    if np.isfinite(held.epoch).any():
        return held.epoch
    counter = run.main("epoch")
    return _looked_up(counter, held) if counter is not None else np.full(len(held), np.nan)


def _samples(run: Run, held: Series) -> Floats:
    for series in run.series.values():
        seen = _SEEN.match(series.metric.rsplit("/", 1)[-1])
        if seen and len(series.finite) > 1 and bool((np.diff(series.finite.value) >= 0).all()):
            return _looked_up(series, held)
    batch = batch_size(run)
    return held.step.astype(np.float64) * (batch or math.nan)


def _looked_up(counter: Series, held: Series) -> Floats:
    """What a counter says at the steps of a series, between its points on a line."""
    known = counter.finite
    if not len(known):
        return np.full(len(held), np.nan)
    return np.interp(held.step, known.step, known.value, left=np.nan, right=np.nan)


def batch_size(run: Run) -> float | None:
    """Samples that a step takes in, as far as the settings tell."""
    held: dict[str, float] = {}
    for name, value in leaves(run.config):
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            held.setdefault(name.replace("/", ".").rsplit(".", 1)[-1].lower(), float(value))
    for name in _WHOLE_BATCH:
        if name in held:
            return held[name]
    one = next((held[name] for name in _BATCH if name in held), None)
    if one is None:
        return None
    return one * math.prod(next((held[n] for n in names if n in held), 1.0) for names in _TIMES)
