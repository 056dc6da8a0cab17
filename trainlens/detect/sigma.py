"""Losses so many standard deviations above their mean: the spikes of the seed profile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainlens.detect._episodes import Episodes
from trainlens.detect.base import Event, Floats, Ints
from trainlens.stats.rolling import rolling_mean, rolling_std

__all__ = ["SigmaDetector", "above"]


class SigmaDetector:
    """Finds values above the mean of the last `window` by so many of their standard deviations.

    Those of the rule ``loss-spike`` of the profile "seed". It takes noise for normal and a loss
    for flat. NaN and infinities are left out.

    Parameters
    ----------
    sigma : float
    window, least : int
        Points of the mean, and how many it needs.
    """

    def __init__(self, sigma: float = 3.0, *, window: int = 100, least: int = 20) -> None:
        self._sigma, self._window, self._least = sigma, window, least
        self._held: Floats = np.empty(0)
        self._episodes = Episodes("spike")

    @property
    def open(self) -> Event | None:
        """The event that is going on, as far as it is known."""
        return self._episodes.open

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        good = np.isfinite(value)
        step, value = step[good], value[good]
        if not len(value):
            return []
        start, joined = len(self._held), np.concatenate([self._held, value])
        mean, _, marked = above(joined, self._sigma, self._window, self._least, start)
        self._held = joined[-(self._window + 1) :].copy()
        return self._episodes.update(step, value, marked, mean)

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        return self._episodes.finish()


def above(
    value: Floats, sigma: float, window: int, least: int, start: int = 0
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Which values lie so many standard deviations above the mean of those before them.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Finite.
    sigma : float
    window, least : int
        Points of the mean, and how many it needs.
    start : int
        First value that is asked about.

    Returns
    -------
    mean, spread : ndarray of shape (n - start,)
        Of the last `window` values before each; NaN where they are fewer than `least`.
    marked : ndarray of bool, shape (n - start,)
    """
    mean = rolling_mean(value, window, lag=1, min_periods=least, start=start)
    spread = rolling_std(value, window, lag=1, min_periods=least, start=start)
    with np.errstate(invalid="ignore", over="ignore"):
        return mean, spread, value[start:] > mean + sigma * spread
