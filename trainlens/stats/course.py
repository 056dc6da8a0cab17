"""The past of a curve as a forecast needs it: scaled, fitted, its noise and its misses known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trainlens.stats.annealing import Floats, Posterior, Rate, features, posterior
from trainlens.stats.noise import (
    MAD_TO_SIGMA,
    lag1_autocorrelation,
    median,
    second_difference_noise,
)

LEAST = 8
"""Values below which nothing is forecast."""

BIAS = 0.25
"""No law is right: what it says of a change is off by such a share of it, one deviation."""
DRIFT = 0.8
"""Of how far the curve moved lately, counted as a change that no law has foretold."""

_CUTS = (0.45, 0.6, 0.75)
_PRIOR, _PRIOR_WEIGHT = 1.3, 3.0
"""What forecasts of other runs missed by, in their own deviations, and how many that counts as."""
_FEW = 5.0
"""By how much more a forecast of few values misses: twice of five, a tenth more of fifty."""
_STEEP = 0.05
"""Above the present level, laws are off by such a share of the height."""


class Unknowable(ValueError):
    """There is no honest forecast; the message says why, in words for people."""


@dataclass(frozen=True, eq=False)
class Course:
    """The past of a curve of which lower is better.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Places and values, the latter in `unit` from `level` on.
    level, unit : float
        Level now, and how far the curve has come so far.
    rate : Rate
    laws : Posterior
    spread : ndarray of shape (n,)
        Standard deviation of the values around the laws.
    noise, rho : float
        Standard deviation of the newest ones, and autocorrelation.
    rest : ndarray of shape (n,)
        What the laws leave.
    """

    x: Floats
    y: Floats
    level: float
    unit: float
    rate: Rate
    laws: Posterior
    spread: Floats
    noise: float
    rho: float
    rest: Floats

    @classmethod
    def of(cls, x: Floats, value: Floats, rate: Rate) -> Course:
        """Fit the laws twice: the first time shows the noise and what stands out of it.

        Parameters
        ----------
        x, value : ndarray of shape (n,), n >= `LEAST`
        rate : Rate

        Raises
        ------
        Unknowable
            The curve does not move, or its numbers are too large or too close to tell apart.
        """
        level, unit = median(value[-3:]), _moved(value)
        if not unit > 0:
            raise Unknowable("the curve has not moved at all so far")
        if not (1e-290 < unit < 1e290 and unit > 1e-11 * abs(level)):
            raise Unknowable("the numbers are too large, or too close, to be told apart")
        y = (value - level) / unit
        columns = features(rate, x, float(x[-1]))
        rough = max(second_difference_noise(y), 1e-4)
        smooth = smoothed(y)
        steep = _STEEP * np.maximum(smooth - min(float(smooth.min()), 0.0), 0.0)
        spread = np.hypot(rough, steep)
        rest = (y - posterior(columns, y, spread, 0.0).fitted(columns)) / spread
        scale, rho = _left(rest)
        outlying = np.sqrt(np.maximum(np.abs(rest) / (2.5 * scale), 1.0))
        spread = np.hypot(scale * rough, steep) * outlying
        laws = posterior(columns, y, spread, rho)
        left = y - laws.fitted(columns)
        return cls(x, y, level, unit, rate, laws, spread, scale * rough, rho, left)

    def recent(self, n: int, end: float) -> float:
        """How far the first `n` values moved lately, over as much training as is ahead then.

        Half of the past is looked at, at most; what is ahead may be three times as much.
        """
        area = np.interp(np.append(self.x[:n], end), self.rate.place, self.rate.area)
        now, ahead = float(area[-2]), float(area[-1] - area[-2])
        back = max(min(ahead, 0.5 * now), 1e-12)
        first = int(np.searchsorted(area[:-1], now - back))
        part = smoothed(self.y[:n])[min(first, n - 3) :]
        return float(np.ptp(part)) * min(ahead / back, 3.0)

    def left_its_course(self) -> bool:
        """Whether the newest values lie far off what all before them tell."""
        wide = self.noise * math.sqrt((1 + self.rho) / (1 - self.rho))
        newest = self.rest[-3:]
        return bool((newest > 6 * wide).all() or (newest < -6 * wide).all())

    def widened(self) -> float:
        """By how much earlier forecasts missed what is known now, in their own deviations.

        The same laws are fitted to the first 45, 60 and 75 % of the past, and asked for its end.
        """
        missed = [self._missed(int(np.searchsorted(self.x, c * self.x[-1]))) for c in _CUTS]
        squared = [min(m * m, 100.0) for m in missed if m is not None]
        prior = _PRIOR * (1.0 + _FEW / len(self.x))
        total = _PRIOR_WEIGHT * prior**2 + sum(squared)
        return math.sqrt(total / (_PRIOR_WEIGHT + len(squared)))

    def _missed(self, n: int) -> float | None:
        if n < LEAST or len(self.x) - n < 3:
            return None
        then, now = float(self.x[n - 1]), float(self.x[-1])
        columns = features(self.rate, np.append(self.x[:n], self.x[-2]), then)
        laws = posterior(columns[:, :n], self.y[:n], self.spread[:n], self.rho)
        middle, variance = laws.moments(columns[:, n])
        change = abs(middle - float(laws.weight @ laws.mean[:, 0]))
        off = 1.3 * BIAS * (change + DRIFT * self.recent(n, now))
        error = math.sqrt(variance + off**2 + 0.7 * self.noise**2)
        return (median(self.y[-3:]) - middle) / error


def smoothed(y: Floats) -> Floats:
    """Medians of five neighbours, the ends repeated."""
    if len(y) < 5:
        return y
    rows = np.lib.stride_tricks.sliding_window_view(np.pad(y, 2, "edge"), 5)
    return np.asarray(np.median(rows, axis=1))


def _moved(value: Floats) -> float:
    """How far a curve has come down, or else what its values range over."""
    smooth = smoothed(value)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.quantile(value, [0.05, 0.95])
        return float(max(smooth[:3].max() - smooth.min(), high - low))


def _left(rest: Floats) -> tuple[float, float]:
    """Scale and autocorrelation of what the laws leave, of its newer two thirds."""
    newest = rest[-max(LEAST, 2 * len(rest) // 3) :]
    n = len(newest)
    scale = float(np.clip(MAD_TO_SIGMA * median(np.abs(newest)), 0.7, 10.0))
    scale *= math.sqrt(n / (n - 3))
    rho = lag1_autocorrelation(np.clip(newest, -3 * scale, 3 * scale))
    return scale, min(max(rho, 0.0), 0.9)
