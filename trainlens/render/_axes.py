"""The axes of static charts: where steps and values lie, round levels, and their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens import words

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """Maps steps and values to whole units of a drawing (two a pixel).

    Parameters
    ----------
    first, last : float
        Steps at the left and right edge.
    low, high : float
        Values at the bottom and top edge.
    log : bool
    box : (left, top, right, bottom)
    """

    first: float
    last: float
    low: float
    high: float
    log: bool
    box: tuple[int, int, int, int]

    def x(self, step: Floats | NDArray[np.int64]) -> NDArray[np.int64]:
        """Horizontal places, shape of `step`."""
        left, _, right, _ = self.box
        share = (step - self.first) / max(self.last - self.first, 1e-9)
        return np.rint(left + np.clip(share, 0, 1) * (right - left)).astype(np.int64)

    def y(self, value: Floats) -> NDArray[np.int64]:
        """Vertical places, cut at the edges; finite values only."""
        _, top, _, bottom = self.box
        v, low, high = value, self.low, self.high
        if self.log:
            v = np.log(np.maximum(value, self.low))
            low, high = math.log(low), math.log(high)
        share = np.clip(v / (high - low) - low / (high - low), 0, 1)
        return np.rint(bottom - share * (bottom - top)).astype(np.int64)


def ticks(low: float, high: float, log: bool, most: int = 5) -> list[float]:
    """Round values inside a range, at most about `most`."""
    if log and high / low > 8:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        stride = max(1, math.ceil((last - first + 1) / most))
        return [10.0**k for k in range(first, last + 1, stride)]
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    unit = next(size * m for m in (1, 2, 5, 10) if size * m >= raw)
    first, last = math.ceil(low / unit), math.floor(high / unit)
    return [k * unit for k in range(first, min(last, first + 2 * most) + 1)]


def axes(frame: Frame, most: int = 5) -> str:
    """Lines and labels of both axes; `most` ticks on each."""
    left, top, right, bottom = frame.box
    levels = ticks(frame.low, frame.high, frame.log, most)
    heights = frame.y(np.array(levels)).tolist()
    lines = "".join(f"M{left} {y}H{right}" for y in heights)
    # What many elements share stands once around them: a page has a hundred charts.
    return (
        f'<path d="M{left} {top}V{bottom}" stroke="currentColor" stroke-opacity=".4"/>'
        f'<path d="{lines}" stroke="currentColor" stroke-opacity=".12"/>'
        '<g fill="currentColor" fill-opacity=".7" text-anchor="end">'
        f"{_levels(levels, heights, frame)}"
        f'<g text-anchor="middle">{_steps(frame, most)}</g></g>'
    )


def _levels(levels: Sequence[float], heights: Sequence[int], frame: Frame) -> str:
    # Below 0.001 the zeros would not fit beside the axis.
    tiny = max(map(abs, levels), default=1.0) < 1e-3
    digits = 3 if frame.log else _digits(levels)
    told = [_exponent(value) if tiny else words.number(value, digits) for value in levels]
    x = frame.box[0] - 10
    return "".join(
        f'<text x="{x}" y="{y + 8}">{text}</text>' for y, text in zip(heights, told, strict=True)
    )


def _steps(frame: Frame, most: int) -> str:
    _, _, right, bottom = frame.box
    shown = [v for v in ticks(frame.first, frame.last, False, most) if v == int(v)]
    out = []
    for value, x in zip(shown, frame.x(np.array(shown)).tolist(), strict=True):
        end = ' text-anchor="end"' if x > right - 40 else ""
        out.append(f'<text x="{x}" y="{bottom + 32}"{end}>{words.step(int(value))}</text>')
    return "".join(out)


def _digits(levels: Sequence[float]) -> int:
    """Significant digits with which neighbouring ticks read differently."""
    largest = max(map(abs, levels), default=0.0)
    if len(levels) < 2 or not largest:
        return 3
    apart = math.log10(largest) - math.log10(levels[1] - levels[0])
    return min(8, max(3, math.ceil(apart + 1)))


def _exponent(value: float) -> str:
    mantissa, exponent = f"{value:.2e}".split("e")
    told = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}" if value else "0"
    return told.replace("-", words.MINUS)
