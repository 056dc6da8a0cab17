"""Where values lie on an axis: linear or logarithmic, its round numbers, columns of a course."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.monitor.model import Floats, Trail
from trainlens.render.braille import Spans

_ROUND = (1, 2, 5)


@dataclass(frozen=True)
class Axis:
    """The values between two ends.

    Parameters
    ----------
    low, high : float
        Finite, `low` <= `high`; above 0 where `log`.
    log : bool
    """

    low: float
    high: float
    log: bool = False

    def share(self, value: Floats) -> Floats:
        """How far up each value lies, in [0, 1]; NaN stays, an axis without extent has 0.5."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = np.log(value), math.log(low), math.log(high)
        # Halves, because the extent of an axis may be more than the largest float.
        extent = high / 2 - low / 2
        if extent <= 0:
            return np.where(np.isnan(value), np.nan, 0.5)
        return np.asarray(np.clip((value / 2 - low / 2) / extent, 0.0, 1.0))


def axis(trail: Trail, *, log: bool) -> Axis | None:
    """The axis that a course needs.

    Parameters
    ----------
    trail : Trail
    log : bool
        Taken only where there is a value above 0.

    Returns
    -------
    Axis or None
        None where no value is finite.
    """
    low, high = trail.low, trail.high
    if log:
        known = np.concatenate([low[low > 0], high[high > 0]])
        if len(known):
            return Axis(float(known.min()), float(known.max()), True)
    if not np.isfinite(high).any():
        return None
    return Axis(float(np.nanmin(low)), float(np.nanmax(high)))


def ticks(held: Axis, most: int) -> list[tuple[float, str]]:
    """Round numbers on an axis, ascending, at most so many, each with its words.

    Examples
    --------
    >>> ticks(Axis(0.0, 1.0), 3)
    [(0.0, '0'), (0.5, '0.5'), (1.0, '1')]
    >>> ticks(Axis(0.01, 30.0, True), 4)
    [(0.01, '0.01'), (0.1, '0.1'), (1.0, '1'), (10.0, '10')]
    """
    if held.low == held.high or most < 2:
        return [(held.high, words.number(held.high))] if most > 0 else []
    found = _decades(held, most) if held.log else []
    if len(found) > 1:
        return [(value, words.number(value)) for value in found]
    return _evenly(held, most)


def _decades(held: Axis, most: int) -> list[float]:
    """Powers of ten on a logarithmic axis, and where there are few of them what lies between."""
    first, last = math.floor(math.log10(held.low)), math.ceil(math.log10(held.high))
    # Not 10.0 ** power: that is off by a bit below 1, and fails above the largest float.
    found = [float(f"{k}e{p}") for p in range(first, last + 1) for k in _ROUND]
    slack = 1 + 1e-9
    top = min(held.high * slack, sys.float_info.max)
    found = [v for v in found if held.low / slack <= v <= top]
    if len(found) > most:
        found = [v for v in found if f"{v:e}"[0] == "1"]
    return found[:: max(1, math.ceil(len(found) / most))]


def _evenly(held: Axis, most: int) -> list[tuple[float, str]]:
    for stride in _strides(held.high / most - held.low / most):
        first, last = math.ceil(held.low / stride - 1e-9), math.floor(held.high / stride + 1e-9)
        if last - first < most:
            # As many digits as tell neighbours apart.
            size = max(abs(first), abs(last), 1)
            digits = min(12, max(4, 1 + math.ceil(math.log10(size))))
            found = [stride * k for k in range(first, last + 1)]
            return [(value, words.number(value, digits)) for value in found]
    return []


def _strides(least: float) -> Iterator[float]:
    """Round numbers from just below `least` upward, as far as floats go."""
    if not (math.isfinite(least) and least > 1e-300):
        return
    power = math.floor(math.log10(least))
    for at in range(power, power + 4):
        # What lies above the largest float reads as infinity.
        yield from (s for s in (float(f"{k}e{at}") for k in _ROUND) if math.isfinite(s))


def course(trail: Trail, held: Axis, columns: int, rows: int) -> Spans:
    """Lowest and highest row of each of so many columns; None for an empty one.

    Parameters
    ----------
    trail : Trail
    held : Axis
    columns, rows : int

    Returns
    -------
    list of (int, int) or None
        Rows from 0 at the bottom. Columns between two known ones are joined by a line; where the
        values of a column are NaN or infinite there is a gap.
    """
    low, high = trail.low, trail.high
    if held.log:
        # What reaches below 0 reaches to the bottom.
        high = np.where(high > 0, high, np.nan)
        low = np.where(np.isnan(high), np.nan, np.maximum(low, held.low))
    place = _places(trail, columns)
    lows, highs = np.full(columns, np.nan), np.full(columns, np.nan)
    np.fmin.at(lows, place, low)
    np.fmax.at(highs, place, high)
    filled = np.zeros(columns, bool)
    filled[place] = True
    _joined(lows, filled)
    _joined(highs, filled)
    bottom, top = _rows(held.share(lows), rows), _rows(held.share(highs), rows)
    known = np.isfinite(lows) & np.isfinite(highs)
    return _touching(
        [
            (b, t) if k else None
            for b, t, k in zip(bottom.tolist(), top.tolist(), known.tolist(), strict=True)
        ]
    )


def _places(trail: Trail, columns: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The column of each bucket, by its step."""
    step = trail.step
    first, last = (step[0], max(step[-1], trail.last_step)) if len(step) else (0.0, 0.0)
    extent = max(last - first, 1.0)
    return np.clip((step - first) / extent * (columns - 1), 0, columns - 1).astype(np.int64)


def _joined(value: Floats, filled: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    """Fill columns between two known ones, in place; none beside a column of NaN."""
    at = np.flatnonzero(filled)
    if len(at) < 2:
        return
    between = np.arange(at[0], at[-1] + 1)
    between = between[~filled[between]]
    # Quarters, for the difference of two floats may be none.
    value[between] = np.interp(between, at, value[at] / 4) * 4


def _rows(share: Floats, rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.nan_to_num(share * (rows - 1)).round().astype(np.int64)


def _touching(held: Spans) -> Spans:
    """Each column reaches as far as the one before it, so that steep parts are lines too."""
    drawn: Spans = list(held)
    before = None
    for k, span in enumerate(held):
        if span is not None and before is not None:
            drawn[k] = (min(span[0], before[1] + 1), max(span[1], before[0] - 1))
        before = drawn[k]
    return drawn
