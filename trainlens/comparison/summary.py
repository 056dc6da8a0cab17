"""What one curve amounts to: mean, best, last, area, time to thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trainlens.comparison.axis import Placed
from trainlens.comparison.model import Summary
from trainlens.run import Floats
from trainlens.stats.summaries import mean, std

_SHARE = 20
"""The window of the windowed best is this part of the points, and 3 points at least."""
_STAYS = 2
"""Points in a row at or beyond a threshold that count as having reached it."""


_GONE = math.nan
NOTHING = Summary(
    n=0, mean=_GONE, std=_GONE, min=_GONE, min_step=-1, max=_GONE, max_step=-1, last=_GONE,
    last_step=-1, best=_GONE, best_step=-1, best_windowed=_GONE, best_windowed_step=-1, window=3,
    area=_GONE, last_at=0.0,
)  # fmt: skip
"""Of a curve without a finite point."""


def summarise(held: Placed, direction: str, thresholds: Sequence[float] = ()) -> Summary:
    """A curve in numbers.

    Parameters
    ----------
    held : Placed
    direction : str
        ``min``, ``max`` or empty.
    thresholds : sequence of float
        In the unit of the metric; the place where each is reached first.

    Returns
    -------
    Summary
    """
    if not len(held):
        return replace(NOTHING, reached={t: None for t in thresholds if direction})
    value, step = held.value, held.step
    low, high = int(value.argmin()), int(value.argmax())
    best = {"min": low, "max": high}.get(direction, -1)
    window = max(3, len(value) // _SHARE)
    smooth, middle = _windowed_best(value, window, direction)
    return Summary(
        n=len(value),
        mean=mean(value),
        std=std(value) if len(value) > 1 else math.nan,
        min=float(value[low]),
        min_step=int(step[low]),
        max=float(value[high]),
        max_step=int(step[high]),
        last=float(value[-1]),
        last_step=int(step[-1]),
        best=float(value[best]) if best >= 0 else math.nan,
        best_step=int(step[best]) if best >= 0 else -1,
        best_windowed=smooth,
        best_windowed_step=int(step[middle]) if middle >= 0 else -1,
        window=window,
        area=_area(held.at, value),
        last_at=float(held.at[-1]),
        reached={t: _reached(held, t, direction) for t in thresholds if direction},
    )


def _windowed_best(value: Floats, window: int, direction: str) -> tuple[float, int]:
    """Best mean of a window, and the index of its middle; NaN and -1 where there is none."""
    if len(value) < window or not direction:
        return math.nan, -1
    size = float(np.abs(value).max()) or 1.0
    sums = np.cumsum(np.concatenate([[0.0], value / size]))
    means = (sums[window:] - sums[:-window]) / window
    at = int(means.argmin() if direction == "min" else means.argmax())
    return mean(value[at : at + window]), at + window // 2


def _area(at: Floats, value: Floats) -> float:
    span = float(at[-1] - at[0])
    if span <= 0:
        return mean(value)
    return float(np.diff(at) / span @ (value[1:] / 2 + value[:-1] / 2))


def _reached(held: Placed, threshold: float, direction: str) -> float | None:
    beyond = held.value <= threshold if direction == "min" else held.value >= threshold
    if len(beyond) < _STAYS:
        return None
    stays = beyond[:-1] & beyond[1:]
    return float(held.at[int(stays.argmax())]) if stays.any() else None
