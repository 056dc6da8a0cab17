"""Whether a curve of evaluations has stopped to get better, as far as its noise lets one see."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.stats.noise import second_difference_noise

__all__ = ["Course", "course", "noise_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """Straight line through the last evaluations.

    Parameters
    ----------
    gain : float
        By how much the value falls from one evaluation to the next, in its own unit.
    error : float
        Standard error of that.
    """

    gain: float
    error: float

    def most(self, sure: float) -> float:
        """Largest gain that is compatible with the evaluations, `sure` standard errors up."""
        return self.gain + sure * self.error


def course(value: Floats, noise: float) -> Course:
    """Least squares line through evenly spaced values with independent noise of known size.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Finite; at least 2.
    noise : float
        Standard deviation.

    Examples
    --------
    >>> course(np.array([4.0, 3.0, 2.0]), 1.0).gain
    1.0
    """
    place = np.arange(len(value)) - (len(value) - 1) / 2
    power = float(place @ place)
    return Course(-float(place @ (value - value.mean())) / power, noise / math.sqrt(power))


def noise_of(value: Floats) -> float:
    """Noise from one evaluation to the next, robust, with the trend taken out; 0 of too few.

    See `trainlens.stats.noise.second_difference_noise`.
    """
    found = second_difference_noise(value)
    return found if math.isfinite(found) else 0.0
