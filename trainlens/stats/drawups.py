"""How far a curve ever rose above what it had reached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.stats.blocks import Floats, row_medians


@dataclass(frozen=True)
class Drawup:
    """The largest rise of later values above an earlier one, and the indices of both."""

    size: float
    low: int
    high: int


def blocks_of(level: Floats, width: int) -> Floats:
    """Medians of consecutive blocks of exactly `width` values; what is left over is not taken."""
    count = len(level) // width
    return row_medians(level[: count * width].reshape(count, width)) if count else np.zeros(0)


def drawup(level: Floats) -> Drawup:
    """Largest rise above the lowest value before it; 0 of a curve that only falls.

    Examples
    --------
    >>> drawup(np.array([3.0, 1.0, 2.0, 1.5]))
    Drawup(size=1.0, low=1, high=2)
    """
    if len(level) < 2:
        return Drawup(0.0, 0, 0)
    rise = level - np.minimum.accumulate(level)
    high = int(np.argmax(rise))
    return Drawup(float(rise[high]), int(np.argmin(level[: high + 1])), high)
