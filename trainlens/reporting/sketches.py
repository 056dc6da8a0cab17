"""The course of a run's key metrics in few columns, for a line of text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens import verdict
from trainlens.compact import Compact
from trainlens.run import Run, Series

Floats = NDArray[np.float64]

COLUMNS = 64
"""Columns that a course has at most; a character of braille shows two."""
_MOST = 5


@dataclass(frozen=True, eq=False, slots=True)
class Sketch(Compact):
    """A key metric of a run in short.

    Parameters
    ----------
    metric, split, unit : str
    best, best_step : float and int, or None
        None without a direction or without a finite value.
    final, final_step : float and int
        Last value, which may be NaN.
    low, high : bytes
        One for each column, all of the same number of steps: its extremes as levels from 1, the
        lowest value of the series, to 255, the highest; 0 where no value is finite. A column
        between two points lies on the line that joins them.
    """

    metric: str
    split: str
    unit: str
    best: float | None
    best_step: int | None
    final: float
    final_step: int
    low: bytes
    high: bytes


def sketches(run: Run) -> tuple[Sketch, ...]:
    """The metrics that tell most about a run, at most five.

    Parameters
    ----------
    run : Run

    Returns
    -------
    tuple of Sketch
        The one that its verdict is about first; the longest series where no loss, no measure of
        quality and no learning rate is known.
    """
    held = {(s.metric, s.split): s for s in _key(run) if len(s)}
    chosen = list(held.values()) or sorted(run.training_series, key=len, reverse=True)
    return tuple(_sketch(s) for s in chosen[:_MOST] if len(s))


def _key(run: Run) -> Iterator[Series]:
    wanted = (
        verdict.leading(run),
        run.main("loss", "train"),
        run.main("loss", "val"),
        run.main("metric", "val"),
        run.main("learning-rate"),
    )
    return (series for series in wanted if series is not None)


def _sketch(series: Series) -> Sketch:
    kept = series.effective
    good = np.isfinite(kept.value)
    best = best_step = None
    if kept.role.direction and good.any():
        sign = -1.0 if kept.role.direction == "max" else 1.0
        at = int(np.argmin(np.where(good, sign * kept.value, np.inf)))
        best, best_step = float(kept.value[at]), int(kept.step[at])
    low, high = levels(*columns(kept.step, kept.value))
    return Sketch(
        kept.metric, kept.split, kept.unit, best, best_step,
        float(kept.value[-1]), int(kept.step[-1]), low, high,
    )  # fmt: skip


def columns(step: NDArray[np.int64], value: Floats, most: int = COLUMNS) -> tuple[Floats, Floats]:
    """Extremes of a series within columns of equally many steps.

    Parameters
    ----------
    step : ndarray of int64, shape (n,), ascending
    value : ndarray of float64, shape (n,)
    most : int
        Columns.

    Returns
    -------
    low, high : ndarray of float64, shape (c,)
        NaN where no value is finite; c is 1 where there is one step only.
    """
    if not len(step):
        return np.empty(0), np.empty(0)
    place = step.astype(float) - float(step[0])
    count = most if place[-1] > 0 else 1
    at = (place / (place[-1] or 1.0) * (count - 1) + 0.5).astype(int)
    start = np.flatnonzero(np.diff(at, prepend=-1))
    finite = np.where(np.isfinite(value), value, np.nan)
    return (
        _joined(at[start], np.fmin.reduceat(finite, start), count),
        _joined(at[start], np.fmax.reduceat(finite, start), count),
    )


def levels(low: Floats, high: Floats) -> tuple[bytes, bytes]:
    """Extremes of columns as the levels of a `Sketch`.

    Parameters
    ----------
    low, high : ndarray of float64, shape (c,)

    Examples
    --------
    >>> low, high = levels(np.array([0.0, np.nan, 1.0]), np.array([0.5, np.nan, 1.0]))
    >>> list(low), list(high)
    ([1, 0, 255], [128, 0, 255])
    """
    good = np.isfinite(low)
    if not good.any():
        return bytes(len(low)), bytes(len(low))
    # Halves: the difference of two large numbers may be none.
    bottom, top = float(low[good].min()) / 2, float(high[good].max()) / 2
    span = (top - bottom) or 1.0
    return _coded(low, bottom, span), _coded(high, bottom, span)


def _coded(value: Floats, bottom: float, span: float) -> bytes:
    share = (value / 2 - bottom) / span
    good = np.isfinite(share)
    level = np.where(good, 1 + np.rint(254 * np.clip(np.where(good, share, 0), 0, 1)), 0)
    return level.astype(np.uint8).tobytes()


def _joined(at: NDArray[np.int64], value: Floats, count: int) -> Floats:
    """Columns without a point on the line between their neighbours; NaN stays a gap."""
    with np.errstate(over="ignore", invalid="ignore"):
        between: Floats = np.interp(np.arange(count), at, value)
    between[at] = value
    return between
