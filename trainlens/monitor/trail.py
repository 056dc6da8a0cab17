"""The course of a metric while it grows, in space that does not."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trainlens.monitor.model import Floats, Trail
from trainlens.run import Series
from trainlens.stats.ema import ema

_ORDER = ("loss", "metric", "learning-rate", "gradient-norm", "throughput", "batch-time")
_SPLITS = {"val": 0, "train": 1, "test": 2}
MACHINE = frozenset({"system", "gpu-usage", "gpu-memory", "memory-limit", "memory-retries"})
"""Roles of readings of the machine."""
BUCKETS = 512
"""Most buckets of a course: enough for any terminal, 12 KiB a metric."""
_FEW = 16
"""So many points are taken one by one in plain Python: arrays cost more than they."""
_SHARE, _SHORTEST = 0.02, 5.0
"""Half-life of the exponential mean: this share of the points so far, at least so many points."""


class Course:
    """What is kept of one metric.

    All buckets but the last hold the same number of points; when they are used up, every two
    become one. The exponential mean fades with a half-life of 2 % of the points so far.

    Parameters
    ----------
    meta : Series
        Without points: name and meaning.

    Attributes
    ----------
    rank : tuple
        Sorts courses, the most telling first.
    """

    def __init__(self, meta: Series) -> None:
        self.meta = meta
        self.rank = _rank(meta)
        self.points = self.bad = 0
        self.last, self.last_step = math.nan, 0
        self.best: float | None = None
        self.best_step: int | None = None
        self._sign = {"min": 1.0, "max": -1.0}.get(meta.role.direction, 0.0)
        self._step = np.empty(BUCKETS)
        self._low = np.full(BUCKETS, np.nan)
        self._high = np.full(BUCKETS, np.nan)
        self._used, self._per, self._filled = 0, 1, 0
        self._mean, self._weight = math.nan, 0.0

    def take(self, step: NDArray[np.int64], value: Floats) -> None:
        """Add points, shape (m,), in the order of the log."""
        if not len(value):
            return
        if len(value) <= _FEW:
            for at, x in zip(step.tolist(), value.tolist(), strict=True):
                self._one(at, x)
        else:
            self._many(step, value)
        self.last, self.last_step = float(value[-1]), int(step[-1])

    def trail(self) -> Trail:
        """The course as it is now; later points do not change what was given."""
        meta, n = self.meta, self._used
        return Trail(
            meta.metric, meta.split, meta.unit, meta.role.name, meta.role.direction,
            meta.role.priority, self._step[:n].copy(), self._low[:n].copy(), self._high[:n].copy(),
            self.points, self.bad, self.last, self.last_step, self._mean, self.best,
            self.best_step,
        )  # fmt: skip

    # --- points one by one --------------------------------------------------------------------

    def _one(self, step: int, x: float) -> None:
        self.points += 1
        at = self._bucket(step)
        if not math.isfinite(x):
            self.bad += 1
            return
        # Comparisons with NaN are false: the first value of a bucket counts as both.
        if not self._low[at] <= x:
            self._low[at] = x
        if not self._high[at] >= x:
            self._high[at] = x
        self._average(x)
        if self._sign and (self.best is None or self._sign * x < self._sign * self.best):
            self.best, self.best_step = x, step

    def _bucket(self, step: int) -> int:
        """Place of the bucket that the next point goes to."""
        if self._used == BUCKETS and self._filled == self._per:
            self._halve()
        if self._used and self._filled < self._per:
            self._filled += 1
        else:
            self._step[self._used] = step
            self._low[self._used] = self._high[self._used] = np.nan
            self._used, self._filled = self._used + 1, 1
        return self._used - 1

    def _halve(self) -> None:
        half = BUCKETS // 2
        self._step[:half] = self._step[::2]
        self._low[:half] = np.fmin(self._low[::2], self._low[1::2])
        self._high[:half] = np.fmax(self._high[::2], self._high[1::2])
        self._used, self._filled = half, self._filled + self._per
        self._per *= 2

    def _average(self, x: float) -> None:
        keep = 0.5 ** (1 / max(_SHORTEST, _SHARE * self.points))
        self._weight = keep * self._weight + 1 - keep
        share = (1 - keep) / self._weight
        self._mean = x if math.isnan(self._mean) else (1 - share) * self._mean + share * x

    # --- many points at once ------------------------------------------------------------------

    def _many(self, step: NDArray[np.int64], value: Floats) -> None:
        self.points += len(value)
        finite = np.isfinite(value)
        known = value[finite]
        self.bad += len(value) - len(known)
        self._fill(step, np.where(finite, value, np.nan))
        if not len(known):
            return
        if self._sign:
            at = int(np.argmin(self._sign * known))
            if self.best is None or self._sign * known[at] < self._sign * self.best:
                self.best, self.best_step = float(known[at]), int(step[finite][at])
        self._average_of(known)

    def _fill(self, step: NDArray[np.int64], value: Floats) -> None:
        """Put points into buckets; NaN stands for what is not finite."""
        while len(value):
            if self._used == BUCKETS and self._filled == self._per:
                self._halve()
            if self._used and self._filled < self._per:
                taken = min(self._per - self._filled, len(value))
                self._complete(value[:taken])
            else:
                taken = min((BUCKETS - self._used) * self._per, len(value))
                self._append(step[:taken], value[:taken])
            step, value = step[taken:], value[taken:]

    def _complete(self, value: Floats) -> None:
        at = self._used - 1
        self._low[at] = np.fmin(self._low[at], np.fmin.reduce(value))
        self._high[at] = np.fmax(self._high[at], np.fmax.reduce(value))
        self._filled += len(value)

    def _append(self, step: NDArray[np.int64], value: Floats) -> None:
        starts = np.arange(0, len(value), self._per)
        where = slice(self._used, self._used + len(starts))
        self._step[where] = step[starts]
        self._low[where] = np.fmin.reduceat(value, starts)
        self._high[where] = np.fmax.reduceat(value, starts)
        self._used += len(starts)
        self._filled = len(value) - int(starts[-1])

    def _average_of(self, known: Floats) -> None:
        # One half-life for the whole chunk; what lies 64 half-lives back no longer counts.
        half = max(_SHORTEST, _SHARE * self.points)
        recent = known[-math.ceil(64 * half) :]
        keep = 0.5 ** (1 / half)
        fade = keep ** len(recent)
        mean = float(ema(recent, 1 - keep)[-1])
        before = 0.0 if math.isnan(self._mean) else self._weight * fade
        self._weight = before + 1 - fade
        share = before / self._weight
        self._mean = mean if not share else share * self._mean + (1 - share) * mean


def _rank(meta: Series) -> tuple[object, ...]:
    """Losses, then measures of quality, and readings of the machine last."""
    role, split = meta.role, _SPLITS.get(meta.split, 3)
    known = _ORDER.index(role.name) if role.name in _ORDER else len(_ORDER)
    machine = role.name in MACHINE
    return machine, known, -role.priority, split, len(meta.metric), meta.metric
