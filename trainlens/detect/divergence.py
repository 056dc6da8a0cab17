"""A loss that rises and stays up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.detect.base import Event, Floats, Ints
from trainlens.stats.blocks import row_medians
from trainlens.stats.climb import climb
from trainlens.stats.noise import MAD_TO_SIGMA, median
from trainlens.stats.rolling import rolling_median

SAMPLE = 2048  # points of the whole series that are remembered, evenly spaced
TAIL = 64  # and the last ones, all of them
WINDOWS = 20


@dataclass(frozen=True)
class Limits:
    """What counts as divergence.

    Parameters
    ----------
    ratio : float
        Last level over the best one, whatever the pace.
    slow : float
        Last level over the best one for a slow but very clear rise at the end.
    held : float
        Last level over the best one for a rise, at any time, that has stayed and is twice as sure;
        infinite for what may well rise to another level.
    z : float
        The rise in standard deviations of a level.
    blowup : float
        Ratio at which the last 3 points are enough.
    climb : float
        Standard errors of a line to the end at which half of `z` is enough for a slow rise.
    points : int
        No judgement on shorter series.
    """

    ratio: float = 1.5
    slow: float = 1.15
    held: float = float("inf")
    z: float = 6.0
    blowup: float = 10.0
    climb: float = 4.5
    points: int = 30


class DivergenceDetector:
    """Compares the level at the end with the best level before.

    It keeps an even sample of at most 2048 points of the series and the last 64. The levels are
    the medians of 20 windows; the last two are compared with the best two neighbours before. The
    noise of a level is inflated by the autocorrelation of the points, which is estimated from
    differences so that no trend looks like autocorrelation. A rise that the curve has shown
    before, on the way to its best level, is its habit (a cyclic learning rate) and none. A
    divergence lasts to the end: `update` never has one to report, `open` and `finish` have.
    NaN and infinite values are left out.

    Parameters
    ----------
    limits : Limits, optional

    Attributes
    ----------
    seen : int
        Finite points so far.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._stride = 1
        self._step = np.empty(0, np.int64)
        self._value = np.empty(0)
        self._place = np.empty(0, np.int64)  # position of a sampled point in the fed series
        self._tail_step = np.empty(0, np.int64)
        self._tail = np.empty(0)
        self._fed = 0
        self.seen = 0
        self._judged: tuple[int, _Curve] | None = None  # as of so many points

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`; always empty."""
        good = np.isfinite(value)
        place = np.flatnonzero(good) + self._fed
        self._fed += len(value)
        if len(place) < len(value):
            step, value = step[good], value[good]
        before = self.seen
        self.seen += len(value)
        while -(-self.seen // self._stride) > SAMPLE:
            self._stride *= 2
            self._step, self._value = self._step[::2], self._value[::2]
            self._place = self._place[::2]
        kept = slice(-before % self._stride, None, self._stride)
        self._step = np.concatenate([self._step, step[kept]])
        self._value = np.concatenate([self._value, value[kept]])
        self._place = np.concatenate([self._place, place[kept]])
        self._tail_step = np.concatenate([self._tail_step, step])[-TAIL:]
        self._tail = np.concatenate([self._tail, value])[-TAIL:]
        return []

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        event = self.open
        return [event] if event else []

    @property
    def rise(self) -> float:
        """Last level over the best one, NaN before there are enough points."""
        if self.seen < self._limits.points:
            return float("nan")
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            curve = self._curve()
            return float(curve.ratio(curve.rise))

    @property
    def open(self) -> Event | None:
        """The divergence up to here, None where there is none."""
        if self.seen < self._limits.points:
            return None
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            curve = self._curve()
            if self._risen(curve):
                onset = curve.onset()
                return self._event(curve, onset, curve.best_level, curve.z)
            return self._blown_up(curve)

    def _curve(self) -> _Curve:
        if self._judged is None or self._judged[0] != self.seen:
            log = bool(np.all(self._value > 0) and np.all(self._tail > 0))
            self._judged = self.seen, _Curve(self._value, log)
        return self._judged[1]

    def _risen(self, curve: _Curve) -> bool:
        """Whether the level at the end is far above the best level, and never was before."""
        if curve.rise <= 1.5 * curve.habit or curve.came_back:
            return False
        limits, rise = self._limits, curve.rise
        surely = limits.z * (1 + 20 / self.seen)  # the noise of short series is less known
        steady = curve.climbs and not curve.regained
        late = curve.turn >= len(curve.level) * 0.4
        slow = steady and late and rise >= curve.least(limits.slow)
        if curve.z < surely:
            line = limits.climb * (1 + 10 / self.seen)
            return slow and curve.z >= surely / 2 and curve.climbs_by(line)
        # Early on a harder part of the data may lift a loss a little; so much, and for good, not.
        held = steady and rise >= curve.least(limits.held) and curve.z >= 2 * surely
        return slow or held or rise >= curve.least(limits.ratio)

    def _blown_up(self, curve: _Curve) -> Event | None:
        """A rise in the very last points, too late for the levels."""
        limits, tail = self._limits, self._tail
        y = _scale(tail, curve.log)
        calm = median(curve.level[-3:])
        height = max(curve.least(limits.ratio), limits.z * curve.sigma, 1.5 * curve.habit)
        below = np.flatnonzero(~(y > calm + height))
        first = int(below[-1]) + 1 if len(below) else 0
        count = len(tail) - first
        huge = count >= 3 and float(np.max(y[first:])) >= calm + curve.least(limits.blowup)
        if not huge and count < 15:
            return None
        sigma = max(curve.sigma, 1e-300)
        z = (median(y[first:]) - calm) / sigma
        step = self._tail_step[first:]
        return self._make(step, tail[first:], self._fed - count, calm, z, curve.log)

    def _event(self, curve: _Curve, onset: int, base: float, z: float) -> Event:
        step, value = self._step[onset:], self._value[onset:]
        step = np.append(step, self._tail_step[-1])
        value = np.append(value, self._tail[-1])
        return self._make(step, value, int(self._place[onset]), base, z, curve.log)

    def _make(
        self, step: Ints, value: Floats, index: int, base: float, z: float, log: bool
    ) -> Event:
        top = int(np.argmax(value))
        return Event(
            kind="divergence",
            first_step=int(step[0]),
            last_step=int(step[-1]),
            first_index=index,
            points=self._fed - index,
            peak_step=int(step[top]),
            peak=float(value[top]),
            baseline=float(np.exp(base)) if log else base,
            z=float(min(z, 1e9)),
            recovered_step=None,
        )


class _Curve:
    """Levels of a sampled curve and how sure they are, in the analysis scale.

    Parameters
    ----------
    value : ndarray of shape (n,), finite
    log : bool
    """

    def __init__(self, value: Floats, log: bool) -> None:
        self.log = log
        self.y = _scale(value, log)
        size = max(len(value) // WINDOWS, 1)
        used = self.y[len(self.y) % size :]
        self.window = size
        self.level = row_medians(used.reshape(-1, size))
        pairs = (self.level[1:] + self.level[:-1]) / 2
        self.pairs = pairs
        self.best = int(np.argmin(pairs[:-1]))
        self.best_level = float(pairs[self.best])
        self.rise = float(pairs[-1]) - self.best_level
        self.sigma, self.rho = _ar1(self.y, self._slope(len(self.y) % size), max(size, 8))

    def _slope(self, skipped: int) -> Floats:
        """Trend from point to point, shape (n - 1,), from levels two windows apart."""
        smooth = np.convolve(self.level, np.ones(3) / 3, "valid")
        wide = np.empty(len(smooth))
        wide[1:-1] = (smooth[2:] - smooth[:-2]) / 2
        wide[0], wide[-1] = smooth[1] - smooth[0], smooth[-1] - smooth[-2]
        wide /= self.window
        centre = skipped + self.window * (np.arange(len(wide)) + 1.5)
        return np.asarray(np.interp(np.arange(1, len(self.y)), centre, wide))

    @property
    def deviation(self) -> float:
        """Standard deviation of a pair of levels, by the noise model and by their own scatter."""
        inflated = (1 + self.rho) / (1 - self.rho) / (2 * self.window)
        model = 1.2533 * self.sigma * float(np.sqrt(min(inflated, 1.0)))
        own = MAD_TO_SIGMA * median(np.abs(np.diff(self.level, 2))) / np.sqrt(6.0)
        return float(max(model, own))

    @property
    def z(self) -> float:
        """The rise in standard deviations of a level."""
        deviation = self.deviation
        if deviation > 0:
            return self.rise / deviation
        return float("inf") if self.rise > 0 else 0.0

    @property
    def habit(self) -> float:
        """The largest rise on the way to the best level: all of them came back."""
        before = self.pairs[: self.best + 1]
        return float(np.max(before - np.minimum.accumulate(before)))

    @property
    def turn(self) -> int:
        """Where the curve was last near its best level: a flat one has its best anywhere."""
        near = self.pairs[:-1] <= self.best_level + 0.2 * self.rise
        return int(np.flatnonzero(near)[-1]) if near.any() else self.best

    @property
    def regained(self) -> bool:
        """Whether the rise only takes back a sudden fall, as a loss does within each epoch."""
        early, middle = self.pairs[max(self.best - 4, 0)], self.pairs[max(self.best - 2, 0)]
        fell = middle - self.best_level
        # What is no sudden fall but a steep curve has fallen as far just before.
        return bool(fell > 0.8 * self.rise and fell > 2 * (early - middle))

    @property
    def came_back(self) -> bool:
        """Whether the last points are down again: what rose in the last levels was a spike."""
        last = median(self.y[-max(5, self.window // 4) :])
        return last < self.best_level + 0.5 * self.rise

    @property
    def climbs(self) -> bool:
        """Whether the way from the best level to the end leads up, not up and down."""
        after = self.pairs[self.turn :]
        up = after - np.minimum.accumulate(after)
        drawdown = float(np.max(np.maximum.accumulate(after) - after))
        return drawdown < 0.3 * float(np.max(up))

    def climbs_by(self, z: float) -> bool:
        """Whether the line from the turn to the end leads up by so many standard errors."""
        turn = len(self.y) % self.window + (self.turn + 1) * self.window
        found = climb(self.y, turn)
        return found is not None and found.upper(z) < 0

    def least(self, ratio: float) -> float:
        """The rise that a ratio of levels means: of values <= 0, a share of the drop so far."""
        if self.log:
            return float(np.log(ratio))
        drop = float(np.max(self.level[: self.best + 1])) - self.best_level
        return (ratio - 1) * max(drop, 6 * self.sigma)

    def ratio(self, rise: float) -> float:
        """Last level over the best one; of values <= 0, 1 + rise as a share of the drop."""
        if self.log:
            return float(np.exp(np.minimum(rise, 700.0)))
        unit = self.least(2.0)
        return 1 + rise / unit if unit > 0 else 1.0

    def onset(self) -> int:
        """Position in the sample where the curve left the best level for good."""
        line = self.best_level + 0.2 * self.rise
        n = len(self.y)
        ends = [median(self.y[i:]) for i in (-4, -3)]  # no two points behind these
        smooth = np.concatenate([rolling_median(self.y, 5)[2:], ends])
        below = np.flatnonzero(smooth <= line)
        return min(int(below[-1]) + 1, n - 1) if len(below) else 0


def _ar1(y: Floats, slope: Floats, lag: int) -> tuple[float, float]:
    """Standard deviation and lag-1 correlation of noise on a trend.

    Differences of points far enough apart have the variance 2 s^2, those of neighbours
    2 (1 - rho) s^2. What the trend, `slope` from point to point, leaves in them is taken off.
    """
    trend = np.concatenate([[0.0], np.cumsum(slope)])
    lag = max(min(lag, len(y) // 3), 1)
    near = np.abs(y[1:] - y[:-1] - slope)
    far = np.abs(y[lag:] - y[:-lag] - (trend[lag:] - trend[:-lag]))
    one = MAD_TO_SIGMA * median(near)
    if not one > 0:  # rounded or constant values: most differences are 0
        return float(np.mean(near)), 0.0
    sigma = max(MAD_TO_SIGMA * median(far), one)
    rho = min(max(1 - (one / sigma) ** 2, 0.0), 0.98)
    return float(sigma / np.sqrt(2)), rho


def _scale(value: Floats, log: bool) -> Floats:
    """Log values, or the values themselves, held where no sum of a few overflows."""
    return np.log(value) if log else np.clip(value, -1e300, 1e300)
