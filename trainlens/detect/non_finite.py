"""NaN and infinities."""

from __future__ import annotations

import numpy as np

from trainlens.detect._episodes import Episodes
from trainlens.detect.base import Event, Floats, Ints

MACHINE = frozenset({"system", "epoch", "progress", "gpu-usage", "memory-limit", "limit"})
"""Roles of which a NaN says nothing about the training."""


class NonFiniteDetector:
    """Finds stretches of values that are NaN or infinite.

    Stretches fewer than `gap` points apart are one event. Its peak is the first such value, its
    baseline the last finite value before (NaN where there is none).

    Parameters
    ----------
    gap : int

    Attributes
    ----------
    seen, nans, infinities : int
        Points so far: all, NaN, infinite.
    """

    def __init__(self, gap: int = 20) -> None:
        self._episodes = Episodes("non-finite", gap)
        self.seen = self.nans = self.infinities = 0

    @property
    def open(self) -> Event | None:
        """The event that is going on, as far as it is known."""
        return self._episodes.open

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`; steps may come in any order."""
        bad = ~np.isfinite(value)
        self.seen += len(value)
        if bad.any():
            self.nans += int(np.isnan(value).sum())
            self.infinities += int(np.isinf(value).sum())
        return self._episodes.update(step, value, bad, value)

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        return self._episodes.finish()
