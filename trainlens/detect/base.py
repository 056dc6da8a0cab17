"""What a detector says, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Event:
    """Something that happened to a series.

    Parameters
    ----------
    kind : str
        What the detector calls it: ``spike``, ``outlier``, ``jump``, ``shift``, ``non-finite``,
        ``above``, ``below``, ``divergence``.
    first_step, last_step : int
        First and last step at which it was seen.
    first_index : int
        Position of `first_step` among all points that the detector was fed, from 0.
    points : int
        Points from the first to the last, both counted.
    peak_step : int
        Step of the worst value.
    peak : float
        The worst value, in the unit of the series.
    baseline : float
        Level just before; NaN where there is none.
    z : float
        Peak minus baseline in standard deviations of the noise; NaN where there is no noise scale.
    recovered_step : int or None
        First step at which the series was back; None where it was not by the last point.
    """

    kind: str
    first_step: int
    last_step: int
    first_index: int
    points: int
    peak_step: int
    peak: float
    baseline: float
    z: float
    recovered_step: int | None

    @property
    def ratio(self) -> float:
        """Peak over baseline; NaN where the baseline is not positive."""
        if not self.baseline > 0:
            return float("nan")
        with np.errstate(over="ignore"):
            return float(np.minimum(np.float64(self.peak) / self.baseline, 1e308))


BLOCK = 32_768
"""Points of a finished series that a detector is given at once: what stays in a near cache."""


class Detector(Protocol):
    """Fed in chunks; any cutting of a series into chunks gives bit-identical events."""

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """Events that ended within this chunk.

        Parameters
        ----------
        step : ndarray of int64, shape (m,)
            Ascending, behind all steps that were fed before.
        value : ndarray of float64, shape (m,)
        """
        ...

    def finish(self) -> list[Event]:
        """Events that are still open at the end of the series."""
        ...


def watch(detector: Detector, step: Ints, value: Floats) -> list[Event]:
    """All events of a finished series.

    It is fed block by block, which changes no event and takes half the time of one long chunk,
    most of which would go into fetching fresh memory for each intermediate result.

    Parameters
    ----------
    detector : Detector
        A new one.
    step : ndarray of int64, shape (n,)
    value : ndarray of float64, shape (n,)
    """
    events: list[Event] = []
    for first in range(0, len(value), BLOCK):
        events += detector.update(step[first : first + BLOCK], value[first : first + BLOCK])
    return events + detector.finish()
