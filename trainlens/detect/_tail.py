"""The level that single points of a noise exceed about once in 100 000."""

from __future__ import annotations

import math

import numpy as np

from trainlens.detect.base import Floats


class PeaksOverThreshold:
    """Extreme quantile of a stream, from a generalised Pareto fit to its tail.

    Peaks over threshold as in Siffer et al. 2017 (doi:10.1145/3097983.3098144), but fitted by
    probability-weighted moments (Hosking and Wallis 1987, doi:10.1080/00401706.1987.10488243),
    which have a closed form. Refitted at every `every`-th point counted from the start of the
    series, so that chunks cannot change it.

    Parameters
    ----------
    probability : float
        Share of points above the level.
    low, high : float
        The level is held between them; `early` is the level before the first fit.
    """

    def __init__(
        self, probability: float = 1e-5, low: float = 8.0, high: float = 25.0, early: float = 12.0
    ) -> None:
        self._p, self._low, self._high = probability, low, high
        self._level = early
        self._memory, self._every = 4096, 1024
        self._held = np.empty(0)
        self._new: list[float] = []
        self._count = 0

    def one(self, z: float) -> float:
        """Level for one new point, from the points before it."""
        level = self._level
        self._new.append(z)
        self._count += 1
        if self._count % self._every == 0:
            self._refit()
        return level

    def _refit(self) -> None:
        self._gather()
        self._level = min(max(self._fit(), self._low), self._high)

    def _gather(self) -> None:
        if self._new:
            self._held = np.concatenate([self._held, self._new])[-self._memory :]
            self._new = []

    def update(self, z: Floats) -> Floats:
        """Level for each new point, shape (m,), from the points before it."""
        self._gather()
        out = np.empty(len(z))
        done = 0
        while done < len(z):
            room = self._every - self._count % self._every
            part = z[done : done + room]
            out[done : done + len(part)] = self._level
            self._held = np.concatenate([self._held, part])[-self._memory :]
            self._count += len(part)
            done += len(part)
            if self._count % self._every == 0:
                self._refit()
        return out

    def _fit(self) -> float:
        z = self._held[np.isfinite(self._held)]
        n = len(z)
        k = max(20, n // 50)
        if n < 4 * k:
            return self._level
        z.partition(n - k - 1)
        base, z = float(z[n - k - 1]), np.sort(z[n - k :])
        # The few largest are what is being judged: they must not raise their own bar.
        peaks = np.minimum(z, z[-k // 2] * 4) - base
        mean = float(peaks.sum()) / k
        if not mean > 0:
            return self._low
        rank = (np.arange(k) + 0.65) / k
        weighted = float(((1 - rank) * peaks).sum()) / k
        shape = min(max(2 - mean / max(mean - 2 * weighted, 1e-300), -0.9), 0.9)
        scale = 2 * mean * weighted / max(mean - 2 * weighted, 1e-300)
        over = k / n / self._p
        grown = math.log(over) if abs(shape) < 1e-6 else (over**shape - 1) / shape
        return base + scale * grown
