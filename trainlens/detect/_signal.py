"""What the spike detector looks at: levels, their noise, and where they are exceeded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trainlens.detect._point import Point, chances, larger, resolution, standardised, whitened
from trainlens.detect._streams import Previous, RollingQuantile, RunningExtreme, SignAgreement
from trainlens.detect._tail import PeaksOverThreshold
from trainlens.detect.base import Bools, Floats, Ints
from trainlens.stats.noise import MAD_TO_SIGMA

NORMAL_85 = 1.4395  # the 0.85 quantile of |standard normal|
NORMAL_975 = 1.96
_ROOT = math.sqrt(2.0)
GAP = 10  # points over which a rise is compared with itself to find its noise


@dataclass(frozen=True)
class Tuning:
    """Settings of a spike detector; windows in points.

    Parameters
    ----------
    window, short : int
        The level before a spike is the median of `short` points, so that a slow rise is none; a
        spike lies above the median of `window` points, too, so that the way back up from a
        trough is none.
    memory : int
        Points from which the noise is estimated.
    spread : float
        A median of 5 must rise by so many of its own robust standard deviations (by two less at
        the start, where few points mean few chances of a false alarm).
    mad : float
        And by so many median absolute deviations of single points.
    rise : float
        And by this share of the level.
    z, ratio : float
        A single point counts above the tail's 1e-5 level (at least `z` standard deviations), or
        above `z` and `ratio` times the level.
    points : int
        No judgement on the first so many.
    """

    window: int = 101
    short: int = 15
    memory: int = 501
    spread: float = 6.0
    mad: float = 4.0
    rise: float = 0.02
    z: float = 8.0
    ratio: float = 2.0
    points: int = 20


@dataclass(frozen=True)
class Signal:
    """One entry a point of the chunk, in the analysis scale (log, or the value itself).

    Parameters
    ----------
    position : count of finite points before
    y : value
    fast : median of 5
    base : level before
    limit : rise above `base` that counts
    sigma : standard deviation of single points
    spike, outlier : whether the sustained and the single-point channel fire
    z : standardised single point
    """

    position: Ints
    y: Floats
    fast: Floats
    base: Floats
    limit: Floats
    sigma: Floats
    z: Floats
    spike: Bools
    outlier: Bools

    @classmethod
    def of(cls, point: Point) -> Signal:
        """The signal of one point."""
        return cls(*(np.array([x]) for x in point))


def _asked(index: Ints) -> Floats:
    # More points, more chances; but the very first noise is hardly known.
    return np.minimum(np.log10(1 + index / 100), 2) + 25 / np.maximum(index - 5, 1)


_EARLY = _asked(np.arange(2048))


class SpikeSignal:
    """Turns values into a `Signal`, chunk by chunk.

    Parameters
    ----------
    tuning : Tuning
    log : bool
        Analyse log values (all values must be positive), else the values themselves.
    """

    def __init__(self, tuning: Tuning, log: bool) -> None:
        t = self._t = tuning
        self._log = log
        self._seen = 0
        self._fast = RollingQuantile(5)
        self._long = RollingQuantile(t.window, lag=5)
        self._centre = RollingQuantile(t.memory, lag=5)
        self._spread = RollingQuantile(t.memory, lag=5)
        self._spread85 = RollingQuantile(t.memory, 0.85, lag=5, min_periods=t.memory // 2)
        self._upper = RollingQuantile(t.memory, 0.975, lag=5, min_periods=100)
        self._lately = RollingQuantile(60, lag=5, min_periods=30)
        self._rise_before = Previous(GAP)
        self._near = RollingQuantile(t.short, lag=1)
        self._near_before = Previous(4)
        self._error = RollingQuantile(t.memory, lag=1)
        self._rho = SignAgreement(t.memory)
        self._before = Previous(1)
        self._last_raw = Previous(1)
        self._quantum = RunningExtreme(largest=False)
        self._top, self._bottom = RunningExtreme(largest=True), RunningExtreme(largest=False)
        self._tail = PeaksOverThreshold(low=t.z)
        self._log_rise, self._log_ratio = float(np.log1p(t.rise)), float(np.log(t.ratio))

    def update(self, raw: Floats) -> Signal:
        """Signal of new finite values, shape (m,)."""
        index = np.arange(self._seen, self._seen + len(raw))
        y = np.log(raw) if self._log else raw
        far, near = self._long.update(y), self._near.update(y)
        base = self._near_before.join(near)[: len(y)]  # the short level with a lag of 5
        floor, least = self._resolution(raw, base), self._least(base)
        fast = self._fast.update(y)
        rise = fast - base
        spread = np.fmax(self._own_spread(rise), floor)
        z, sigma = self._single(y, near, floor)
        limit = np.fmax(least, (self._t.spread - 2 + self._chances(index)) * spread)
        limit = np.fmax(limit, self._t.mad / MAD_TO_SIGMA * sigma)
        ready = index >= self._t.points
        spike = ready & (rise > limit) & (fast > far)
        outlier = self._outliers(y - base, z, least) & ready
        self._seen += len(raw)
        return Signal(index, y, fast, base, limit, sigma, z, spike, outlier)

    def one(self, raw: float) -> Point:
        """The signal of one new finite value; `update` says the same of many."""
        t, log, index = self._t, self._log, self._seen
        y = float(np.log(raw)) if log else raw
        far, near = self._long.one(y), self._near.one(y)
        base = self._near_before.one(near)
        gap = abs(raw - self._last_raw.one(raw))
        floor = resolution(self._quantum.one(gap if gap > 0 else math.nan), base, log)
        least = self._least_of(base)
        fast = self._fast.one(y)
        rise = fast - base
        spread = larger(self._own_spread_of(rise), floor)
        off = 0.0 if near != near else y - near
        rho = self._rho.one(off)
        error = whitened(off, self._before.one(off), rho)
        sigma = larger(MAD_TO_SIGMA * self._error.one(abs(error)), floor)
        z = standardised(error, sigma)
        limit = larger(least, (t.spread - 2 + chances(index, _EARLY)) * spread)
        limit = larger(limit, t.mad / MAD_TO_SIGMA * sigma)
        ready = index >= t.points
        up = y - base
        doubled = up > (self._log_ratio if log else 20 * least)
        fires = z > self._tail.one(z) or (z > t.z and doubled)
        self._seen += 1
        spike = ready and rise > limit and fast > far
        return Point(index, y, fast, base, limit, sigma, z, spike, fires and up > least and ready)

    def _least_of(self, base: float) -> float:
        if self._log:
            return self._log_rise
        drop = self._top.one(base) - self._bottom.one(base)
        return larger(2.5 * self._t.rise * drop, 0.0)

    def _own_spread_of(self, rise: float) -> float:
        change = (rise - self._rise_before.one(rise)) / _ROOT
        out = math.nan
        if math.isfinite(change):
            centre = self._centre.one(change)
            away = abs(change - (0.0 if centre != centre else centre))
            middle = MAD_TO_SIGMA * self._spread.one(away)
            out = larger(middle, self._spread85.one(away) / NORMAL_85)
            out = larger(out, 0.9 * MAD_TO_SIGMA * self._lately.one(away))
        return larger(out, 1.1 / NORMAL_975 * self._upper.one(rise))

    def _chances(self, index: Ints) -> Floats:
        """What is asked of a rise beyond its least number of deviations, by its place."""
        if self._seen + len(index) <= len(_EARLY):
            return _EARLY[self._seen : self._seen + len(index)]
        return _asked(index)

    def _resolution(self, raw: Floats, base: Floats) -> Floats:
        """The step between rounded values, in the analysis scale: noise is at least that."""
        gap = np.abs(np.diff(self._last_raw.join(raw)))
        quantum = self._quantum.update(np.where(gap > 0, gap, np.nan))
        if self._log:
            quantum = np.log1p(quantum / np.exp(base))
        return np.where(np.isfinite(base) & np.isfinite(quantum), quantum, 0.0)

    def _least(self, base: Floats) -> Floats:
        """The smallest rise worth a word: a share of the level, or of the drop so far."""
        if self._log:
            return np.full(len(base), np.log1p(self._t.rise))
        top, bottom = self._top.update(base), self._bottom.update(base)
        return np.asarray(np.fmax(2.5 * self._t.rise * (top - bottom), 0.0))

    def _own_spread(self, rise: Floats) -> Floats:
        """Noise of `rise`, from its changes over a few points: a trend hardly disturbs it."""
        change = (rise - self._rise_before.join(rise)[: len(rise)]) / np.sqrt(2.0)
        # The first points have no level before them and no place in the noise either.
        known = np.flatnonzero(np.isfinite(change))
        first = int(known[0]) if len(known) else len(rise)
        out = np.full(len(rise), np.nan)
        change = change[first:]
        centre = self._centre.update(change)
        centre[np.isnan(centre)] = 0.0
        away = np.abs(change - centre)
        middle = MAD_TO_SIGMA * self._spread.update(away)
        out[first:] = np.fmax(middle, self._spread85.update(away) / NORMAL_85)
        # A restless time, or noise that is skewed to the upper side: more than its changes tell.
        out[first:] = np.fmax(out[first:], 0.9 * MAD_TO_SIGMA * self._lately.update(away))
        return np.asarray(np.fmax(out, 1.1 / NORMAL_975 * self._upper.update(rise)))

    def _single(self, y: Floats, near: Floats, floor: Floats) -> tuple[Floats, Floats]:
        """Standardised single points, prewhitened where neighbours resemble each other."""
        off = y - near
        off[np.isnan(near)] = 0.0
        rho = self._rho.update(off)
        before = self._before.join(off)[:-1]
        alike = rho > 0.3
        error = np.where(alike, off - rho * np.nan_to_num(before), off) if alike.any() else off
        sigma = np.fmax(MAD_TO_SIGMA * self._error.update(np.abs(error)), floor)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            z = error / sigma
        still = np.flatnonzero(~(sigma > 0))
        z[still] = np.where(error[still] > 0, np.inf, 0.0)
        return z, sigma

    def _outliers(self, rise: Floats, z: Floats, least: Floats) -> Bools:
        level = self._tail.update(z)
        doubled = rise > np.log(self._t.ratio) if self._log else rise > 20 * least
        fires = (z > level) | ((z > self._t.z) & doubled)
        return np.asarray(fires & (rise > least))
