"""What forecasts are worth: Brier score, calibration, coverage, false advice to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STOP = 0.05


@dataclass(frozen=True)
class Asked:
    """One question and what came of it.

    Parameters
    ----------
    probability : float or None
        None where it was refused.
    reached : bool
    inside : bool or None
        Whether the interval held the value at the end; None without one.
    group : str
    """

    probability: float | None
    reached: bool
    inside: bool | None = None
    group: str = ""


@dataclass(frozen=True)
class Score:
    """What many forecasts are worth.

    Parameters
    ----------
    count : int
    refused : float
        Share of the questions.
    brier : float
        Of those answered.
    coverage : float
        Share of the 90 % intervals that held the end; NaN without any.
    false_stop : float
        Share of the answered questions of reached targets that said stop.
    stops : float
        Share of the answered questions of missed targets that said stop.
    wrong_stop : float
        Of the advices to stop, the share in which the target would have been reached.
    """

    count: int
    refused: float
    brier: float
    coverage: float
    false_stop: float
    stops: float
    wrong_stop: float

    @classmethod
    def of(cls, asked: Sequence[Asked]) -> Score:
        """The score of some questions."""
        told = [a for a in asked if a.probability is not None]
        p = np.array([a.probability for a in told], np.float64)
        y = np.array([a.reached for a in told], bool)
        held = [a.inside for a in told if a.inside is not None]
        stop = p < STOP
        return cls(
            len(asked),
            1 - len(told) / max(len(asked), 1),
            _mean((p - y) ** 2),
            _mean(np.array(held, np.float64)),
            _mean(stop[y]),
            _mean(stop[~y]),
            _mean(y[stop]),
        )


def _mean(value: NDArray[np.bool_] | Floats) -> float:
    return float(np.mean(value)) if len(value) else float("nan")


def calibration(asked: Sequence[Asked], bins: int = 10) -> list[tuple[float, float, int]]:
    """Mean probability, share reached, and count of each of equal bins of the probability."""
    told = [(a.probability, a.reached) for a in asked if a.probability is not None]
    p, y = np.array([a for a, _ in told]), np.array([b for _, b in told], np.float64)
    bin_of = np.minimum((p * bins).astype(int), bins - 1)
    return [
        (float(p[bin_of == k].mean()), float(y[bin_of == k].mean()), int((bin_of == k).sum()))
        for k in range(bins)
        if (bin_of == k).any()
    ]
