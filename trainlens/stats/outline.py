"""The outline of a schedule: few points that keep its jumps and turns, and its level runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_MOST = 600
_TURNS = 24


@dataclass(frozen=True)
class Outline:
    """A schedule in few points.

    Parameters
    ----------
    x, y : ndarray of shape (m,)
        Steps, and values as share of the peak.
    tau : float
        Half of the last digit that the log keeps, as share of the peak.
    """

    x: Floats
    y: Floats
    tau: float

    def part(self, index: Places) -> Outline:
        """Only these points."""
        return Outline(self.x[index], self.y[index], self.tau)


def outline(x: Floats, y: Floats, tau: float) -> Outline:
    """Thin a schedule out to some 600 points, both sides of every jump among them.

    Where it turns more often than 24 times, only the first 24 turns are kept.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Ascending steps; values as share of the peak.
    tau : float
        See `Outline`.
    """
    if len(y) > _MOST:
        moved = y[1:] - y[:-1]
        end = _end_of_turns(moved, max(1e-7, 2.5 * tau))
        x, y, moved = x[:end], y[:end], np.abs(moved[: end - 1])
        jumps = np.flatnonzero(moved > max(0.02, 6 / len(y)))[:200]
        even = np.linspace(0, len(y) - 1, min(_MOST, len(y))).round().astype(np.intp)
        kept = np.unique(np.concatenate([even, jumps, jumps + 1]))
        x, y = x[kept], y[kept]
    return Outline(x, y, tau)


def _end_of_turns(moved: Floats, least: float) -> int:
    at = np.flatnonzero(np.abs(moved) > least)
    if not len(at):
        return len(moved) + 1
    up = moved[at] > 0
    turned = np.flatnonzero(up[1:] != up[:-1])
    return int(at[turned[_TURNS]]) + 1 if len(turned) > _TURNS else len(moved) + 1


def rounding(value: Floats) -> float:
    """Half of the last decimal digit that the larger of these values keep, in their unit.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Finite, none below zero.
    """
    peak = float(value.max())
    # Digits behind the first: a value below the decade of the peak has a place more.
    decade = 10.0 ** np.floor(np.log10(peak))
    large = value[value >= (decade if peak > 1.5 * decade else 0.3 * peak)]
    some = np.unique(large[:: max(1, len(large) // 64)])
    top = int(np.ceil(np.log10(peak)))
    for digits in range(1, 8):
        unit = 10.0 ** (top - digits)
        held = some / unit
        if (np.abs(held - np.rint(held)) <= 1e-3 + 1e-7 * held).all():
            return unit / 2
    return 0.5e-7 * peak


def level_runs(y: Floats) -> tuple[Places, Places]:
    """Begin and length of the runs of equal values.

    Parameters
    ----------
    y : ndarray of shape (m,), m >= 1
    """
    change = np.abs(y[1:] - y[:-1]) > 1e-6 * np.maximum(np.abs(y[1:]), np.abs(y[:-1]))
    begin = np.concatenate([[0], np.flatnonzero(change) + 1])
    return begin, np.diff(np.append(begin, len(y)))


def turns(y: Floats, least: float = 0.05) -> list[int]:
    """Indices where a schedule begins, turns by more than `least`, and ends.

    The first highest point of a top, the last lowest one of a bottom.

    Examples
    --------
    >>> turns(np.array([0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0, 1.0]))
    [0, 2, 6, 7]
    """
    values, found, heading, high, low = y.tolist(), [], 0, 0, 0
    for i, v in enumerate(values):
        if heading >= 0 and v > values[high]:
            high = i
        if heading <= 0 and v <= values[low]:
            low = i
        if heading <= 0 and v - values[low] > least:
            found.append(low)
            heading, high = 1, i
        elif heading >= 0 and values[high] - v > least:
            found.append(high)
            heading, low = -1, i
    return [*found, high if heading > 0 else len(values) - 1]
