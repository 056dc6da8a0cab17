"""Jumps of a validation curve from one evaluation to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.detect._streams import Previous, RollingQuantile
from trainlens.detect.base import Event, Floats, Ints
from trainlens.stats.noise import MAD_TO_SIGMA, robust_scale, second_difference_noise
from trainlens.stats.rolling import rolling_median

BEFORE = 5  # evaluations that make the level before a jump
AFTER = 3  # evaluations that decide whether it came back


def jump_noise(y: Floats, worse: int = 1) -> float:
    """Noise of a curve from one evaluation to the next, known after the fact.

    The noise in second differences; from 30 evaluations on, the scatter around the median of the
    five evaluations before where that is larger, because the first is too small where the noise
    is autocorrelated. (In fewer evaluations that scatter is mostly the fall of the curve; but
    there a jump makes much of the noise, so the worst evaluation and the two behind it are left
    out, and 15 % are added for having picked them.)

    Parameters
    ----------
    y : ndarray of shape (n,)
        In the analysis scale (log, or the value). NaN and infinities are left out.
    worse : {1, -1}
        1 where a higher value is worse.

    Returns
    -------
    float; NaN with fewer than 4 finite values
    """
    good = y[np.isfinite(y)]
    if len(good) < 30:
        return _short_noise(good, worse)
    with np.errstate(over="ignore", invalid="ignore"):
        away = (good - rolling_median(good, BEFORE, lag=1, min_periods=2))[2:]
    own = robust_scale(away) / np.sqrt(1 + np.pi / (2 * BEFORE))
    return float(np.fmax(second_difference_noise(good), own))


def _short_noise(good: Floats, worse: int) -> float:
    noise = second_difference_noise(good)
    if len(good) < 8:
        return noise
    away = worse * (good - rolling_median(good, BEFORE, lag=1, min_periods=2))
    worst = 2 + int(away[2:].argmax())  # the first two have no level before them
    rest = np.concatenate([good[:worst], good[worst + 3 :]])
    return min(noise, 1.15 * second_difference_noise(rest))


@dataclass
class _Open:
    step: int
    index: int
    peak: float
    peak_step: int
    base: float
    rise: float
    z: float
    last_step: int
    points: int = 1


class JumpDetector:
    """Finds evaluations that are much worse than the five before.

    An event fires above `z` standard deviations of the step-to-step noise and a change of `share`,
    where at least half of the rise, and `share` too, came with one evaluation; the next three
    evaluations tell a transient (``jump``) from a new level (``shift``). NaN and infinite values
    are left out.

    Parameters
    ----------
    worse : {1, -1}
        1 where a higher value is worse, -1 where a lower one is.
    log : bool
        Analyse log values (values <= 0 are then left out), else the values themselves.
    noise : float, optional
        Noise in the analysis scale where it is known, from `jump_noise` for a finished series.
        The noise of the evaluations so far counts where it is larger; without `noise`, the first
        eight evaluations are not judged.
    z, share : float
    """

    def __init__(
        self,
        worse: int = 1,
        *,
        log: bool = True,
        noise: float | None = None,
        z: float = 3.5,
        share: float = 0.03,
    ) -> None:
        self._worse, self._log, self._noise = worse, log, noise
        self._z, self._share = z, share
        self._before = RollingQuantile(BEFORE, lag=1, min_periods=2)
        self._bend = RollingQuantile(101, lag=1, min_periods=6)
        self._last, self._last2 = Previous(1), Previous(2)
        self._open: _Open | None = None
        self._seen = self._fed = 0

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        good = np.isfinite(value) & ((value > 0) | (not self._log))
        index = self._fed + np.flatnonzero(good)
        self._fed += len(value)
        step, value = step[good], value[good]
        y = np.log(value) if self._log else np.minimum(np.maximum(value, -1e300), 1e300)
        return self.find(step, value, index, y, *self.judge(y))

    def find(
        self, step: Ints, value: Floats, index: Ints, y: Floats, base: Floats, z: Floats
    ) -> list[Event]:
        """Events that ended within new points that are judged already, each of shape (m,).

        Parameters
        ----------
        step, value : ndarray of shape (m,)
            Points that can be judged: finite, and positive on a log scale.
        index : ndarray of int64, shape (m,)
            Their positions among all points fed.
        y : ndarray of shape (m,)
            Values in the analysis scale.
        base, z : ndarray of shape (m,)
            What `judge` said of them.
        """
        before = self._last.join(y)[:-1]
        with np.errstate(over="ignore", invalid="ignore"):
            rise, step_up = self._worse * (y - base), self._worse * (y - before)
        beyond = (z > self._z) & (rise > self._least(base))
        # A steady climb is no jump: most of the rise must have come with this evaluation.
        sudden = (step_up >= 0.5 * rise) & (step_up >= self._least(before))
        fires = np.flatnonzero(beyond & sudden)
        events: list[Event] = []
        at = 0
        while at < len(value):
            if self._open is None:
                later = int(np.searchsorted(fires, at))
                if later == len(fires):
                    break
                at = int(fires[later])
                self._open = _Open(
                    step=int(step[at]),
                    index=int(index[at]),
                    peak=float(value[at]),
                    peak_step=int(step[at]),
                    base=float(base[at]),
                    rise=float(rise[at]),
                    z=float(min(z[at], 1e9)),
                    last_step=int(step[at]),
                )
            elif event := self._follow(int(step[at]), float(value[at]), float(y[at])):
                events.append(event)
                self._open = None
            at += 1
        return events

    def _least(self, level: Floats) -> Floats | np.float64:
        """The smallest change that counts, on the scale of the analysis."""
        return np.log1p(self._share) if self._log else self._share * np.abs(level)

    def _follow(self, step: int, value: float, y: float) -> Event | None:
        """The event, once the evaluations after it have told what it is."""
        held = self._open
        assert held is not None
        if self._worse * (y / 2 - held.base / 2) <= 0.25 * held.rise:  # halves cannot overflow
            return self._event(held, step)
        held.points += 1
        held.last_step = step
        if self._worse * (value - held.peak) > 0:
            held.peak, held.peak_step = value, step
        return self._event(held, None) if held.points > AFTER else None

    def _event(self, held: _Open, recovered: int | None) -> Event:
        return Event(
            kind="shift" if held.points > AFTER else "jump",
            first_step=held.step,
            last_step=held.last_step,
            first_index=held.index,
            points=held.points,
            peak_step=held.peak_step,
            peak=held.peak,
            baseline=float(np.exp(held.base)) if self._log else held.base,
            z=held.z,
            recovered_step=recovered,
        )

    def judge(self, y: Floats) -> tuple[Floats, Floats]:
        """Level before and standardised worsening of new points, each of shape (m,)."""
        base = self._before.update(y)
        joined = self._last2.join(y)
        with np.errstate(over="ignore", invalid="ignore"):
            rise = self._worse * (y - base)
            bend = np.abs(joined[2:] - 2 * joined[1:-1] + joined[:-2])
        first = min(max(2 - self._seen, 0), len(y))
        past = np.full(len(y), np.nan)
        past[first:] = MAD_TO_SIGMA / np.sqrt(6.0) * self._bend.update(bend[first:])
        error = np.fmax(past, np.nan if self._noise is None else self._noise)
        early = max(BEFORE - self._seen, 0)  # points with fewer than five before them
        count = np.maximum(np.arange(self._seen, self._seen + early), 1)[: len(y)]
        self._seen += len(y)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            error[:early] *= np.sqrt(1 + np.pi / (2 * count))
            error[early:] *= np.sqrt(1 + np.pi / (2 * BEFORE))
            z = np.asarray(rise / error)
            if not (error > 0).all():
                z = np.where(error > 0, z, np.where(rise > 0, np.inf, 0.0))
        z[~(np.isfinite(error) & np.isfinite(base))] = 0.0
        return base, z

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        events = [self._event(self._open, None)] if self._open else []
        self._open = None
        return events
