"""Surges of a gradient norm: many times the usual size, far out of its noise."""

from __future__ import annotations

import numpy as np

from trainlens.detect._episodes import Episodes
from trainlens.detect._streams import RollingQuantile
from trainlens.detect.base import Event, Floats, Ints
from trainlens.stats.noise import MAD_TO_SIGMA

HUGE = float(np.log(3.0))  # three times the ratio that counts needs less of a z


class SurgeDetector:
    """Finds values that are several times the rolling median and far out in log scale.

    NaN, infinite, zero and negative values are left out: a norm of 0 belongs to a skipped step.

    Parameters
    ----------
    ratio : float
        Times the median of the last `window` values.
    z : float
        Standard deviations of the log values (0.6 of it from three times `ratio` on).
    window, memory : int
        Points for the level and for the noise.
    """

    def __init__(
        self, ratio: float = 10.0, z: float = 8.0, *, window: int = 101, memory: int = 501
    ) -> None:
        self._rise, self._z = float(np.log(ratio)), z
        self._level = RollingQuantile(window, lag=1, min_periods=10)
        # Around the last few values: a norm that falls is no noise.
        self._near = RollingQuantile(15, lag=1, min_periods=5)
        self._noise = RollingQuantile(memory, lag=1, min_periods=10)
        self._skipped = 10
        self._episodes = Episodes("surge")

    @property
    def open(self) -> Event | None:
        """The event that is going on, as far as it is known."""
        return self._episodes.open

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        good = np.isfinite(value) & (value > 0)
        if not good.all():
            step, value = step[good], value[good]
        y = np.log(value)
        level = self._level.update(y)
        away = y - level
        first = min(self._skipped, len(y))  # the first points have no level before them
        self._skipped -= first
        sigma = np.full(len(y), np.nan)
        off = np.abs(y - self._near.update(y))
        sigma[first:] = MAD_TO_SIGMA * self._noise.update(off[first:])
        with np.errstate(invalid="ignore"):
            marked = (away > self._rise) & (away > self._z * sigma)
            marked |= (away > self._rise + HUGE) & (away > 0.6 * self._z * sigma)
        return self._episodes.update(step, value, marked, np.exp(np.minimum(level, 709.0)))

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        return self._episodes.finish()
