"""A detector that is troubled only when there may be something for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from trainlens.detect.base import Event, Floats, Ints

__all__ = ["Near", "OpenDetector", "Patient"]

_LATE = 1024


class OpenDetector(Protocol):
    """A detector that tells what is going on."""

    @property
    def open(self) -> Event | None:
        """The event that is going on, as far as it is known."""

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""


class Patient:
    """Gathers single points that begin no event, and gives them to a detector many at once.

    How a series is cut into chunks changes no event of a detector, but the arrays of one point
    cost as much as those of hundreds.

    Parameters
    ----------
    detector : OpenDetector
        A new one.
    calm : callable
        Is asked about each value, in order; where it says True, the value begins no event.
    """

    def __init__(self, detector: OpenDetector, calm: Callable[[float], bool]) -> None:
        self._detector, self._calm = detector, calm
        self._steps: list[int] = []
        self._values: list[float] = []

    @property
    def open(self) -> Event | None:
        """The event that is going on, as far as it is known."""
        return self._detector.open

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """Events that ended, after one more point, or after many."""
        self._steps += step.tolist()
        self._values += value.tolist()
        calm = [self._calm(number) for number in value.tolist()]
        if all(calm) and self.open is None and len(self._steps) < _LATE:
            return []
        return self._feed()

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        return self._feed() + self._detector.finish()

    def _feed(self) -> list[Event]:
        step, value = np.array(self._steps, np.int64), np.array(self._values, np.float64)
        self._steps, self._values = [], []
        return self._detector.update(step, value)


class Near:
    """Whether a value is below so many times the least of the last ones, and so of their median.

    Parameters
    ----------
    ratio : float
    window : int
        Values of the median; the least is that of as many, or up to twice as many.
    """

    def __init__(self, ratio: float, window: int) -> None:
        # Short of the ratio, as the detector compares logarithms, rounded in another way.
        self._ratio, self._window = 0.999 * ratio, window
        self._least = self._before = math.inf
        self._count = 0

    def __call__(self, value: float) -> bool:
        """Ask about the next value; those that are not above 0 and finite are left out."""
        if not (math.isfinite(value) and value > 0):
            return True
        near = value <= self._ratio * min(self._least, self._before)
        if self._count == self._window:
            self._before, self._least, self._count = self._least, math.inf, 0
        self._least = min(self._least, value)
        self._count += 1
        return near
