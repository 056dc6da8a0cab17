"""A fixed limit and the stretches beyond it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from trainlens.detect._episodes import Episodes
from trainlens.detect.base import Event, Floats, Ints


class ThresholdDetector:
    """Finds stretches of values above or below a fixed limit.

    NaN and infinities are left out: they belong to `NonFiniteDetector`. The baseline of an event
    is the last value on the right side of the limit before it.

    Parameters
    ----------
    limit : float
        In the unit of the series.
    side : {"above", "below"}
        On which side of the limit a value is an event.
    least : int
        Stretches with fewer points beyond the limit are dropped.
    gap : int
        Stretches fewer than so many points apart are one.
    """

    def __init__(
        self,
        limit: float,
        side: Literal["above", "below"] = "above",
        *,
        least: int = 1,
        gap: int = 20,
    ) -> None:
        self._limit, self._above = limit, side == "above"
        self._episodes = Episodes(side, gap, least, 1 if self._above else -1)

    @property
    def open(self) -> Event | None:
        """The event that is going on, as far as it is known."""
        return self._episodes.open

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        good = np.isfinite(value)
        step, value = step[good], value[good]
        marked = value > self._limit if self._above else value < self._limit
        return self._episodes.update(step, value, marked, value)

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        return self._episodes.finish()
