"""Counts of what should not happen, and shares: detectors that know what a log may mean by them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from trainlens.detect.base import Event, Floats, Ints
from trainlens_torch.record._patient import OpenDetector

__all__ = ["Rise", "Share"]


class Rise:
    """A count that went up: each time is an event of its own.

    A count that falls within a training is none but a flag of each step: from there on each value
    above 0 is an event. After a restart a count begins at 0. What is no number, or below 0, is
    left out.
    """

    def __init__(self) -> None:
        self._before = 0.0
        self._last: int | None = None
        self._flags = False
        self._index = 0
        self.open: Event | None = None

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`; steps may go back."""
        found: list[Event] = []
        self.open = None
        for at, one in zip(step.tolist(), value.tolist(), strict=True):
            if math.isfinite(one) and one >= 0:
                found += self._one(at, one)
            self._index += 1
        return found

    def finish(self) -> list[Event]:
        """None: each event has ended where it began."""
        return []

    def _one(self, step: int, value: float) -> list[Event]:
        if self._last is not None and step < self._last:
            self._before = 0.0
        self._flags = self._flags or value < self._before
        before = 0.0 if self._flags else self._before
        self._before, self._last = value, step
        if not value > before:
            return []
        nan = math.nan
        self.open = Event("above", step, step, self._index, 1, step, value, before, nan, step)
        return [self.open]


class Share:
    """A limit on a share of 0 to 1; of percent, once a value tells that it is one.

    Parameters
    ----------
    make : callable
        From a limit to the detector of values beyond it.
    limit : float
    most : float
        A value above it, or below 0, is of no share: then nothing is found any more.
    """

    def __init__(self, make: Callable[[float], OpenDetector], limit: float, most: float) -> None:
        self._make, self._limit, self._most = make, limit, most
        self._detector: OpenDetector | None = make(limit)
        self._percent = False

    @property
    def open(self) -> Event | None:
        """The event that is going on, as far as it is known."""
        return None if self._detector is None else self._detector.open

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        if self._detector is None:
            return []
        good = value[np.isfinite(value)]
        if len(good) and not -0.01 <= float(good.min()) <= float(good.max()) <= self._most:
            self._detector = None
            return []
        ended: list[Event] = []
        if not self._percent and len(good) and float(good.max()) > 1.5:
            self._percent, ended = True, self._detector.finish()
            self._detector = self._make(100 * self._limit)
        return ended + self._detector.update(step, value)

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        return [] if self._detector is None else self._detector.finish()
