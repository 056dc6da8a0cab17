"""Stretches of a run in which a curve surely moves by next to nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.detect.curves import curve_of
from trainlens.run import Floats, Series
from trainlens.stats.blocks import condense
from trainlens.stats.gains import Gain, gains
from trainlens.stats.trend import as_share

PIECES = 20
"""A stretch begins and ends at a twentieth of the run."""
_SHORTEST = 3
_LEAST_POINTS = 30
_FALLEN = 0.1
"""A stretch that is flat falls by less than this share of what the whole run would lead to."""


@dataclass(frozen=True)
class Flat:
    """A stagnant stretch.

    Parameters
    ----------
    first, last : int
        Steps.
    share : float
        Of the run.
    moved, error : float
        Fall over the stretch as share of the value, and how far that is uncertain (95 %).
    """

    first: int
    last: int
    share: float
    moved: float
    error: float


def flat_stretches(series: Series, most: float = 0.02) -> list[Flat]:
    """Stretches in which a loss moves by less than `most` of its value with 95 % certainty.

    The longest one is taken first, then the longest beside it, and so on. Both bounds of the
    fall over the stretch (a line through block medians, its error inflated for autocorrelation)
    must lie within `most`, and the fall be small beside that of the run as a whole.

    Parameters
    ----------
    series : Series
        A loss.
    most : float

    Returns
    -------
    list of Flat
        In order of steps; none for fewer than 30 finite points.
    """
    kept = series.finite
    if len(kept) < _LEAST_POINTS or kept.span[0] == kept.span[1]:
        return []
    known = curve_of(kept)
    x, y = condense(known.place, known.level)
    edge = np.linspace(float(x[0]), float(x[-1]), PIECES + 1)
    spans = [
        (a, a + width)
        for width in range(PIECES, _SHORTEST - 1, -1)
        for a in range(PIECES - width + 1)
    ]
    found = gains(x, y, [(float(edge[a]), float(edge[b])) for a, b in spans], least=12)
    fall = max(float(np.median(y[: max(3, len(y) // 50)]) - np.median(y[-len(y) // 10 :])), 0.0)
    taken: list[tuple[int, int, Gain]] = []
    for (a, b), moved in zip(spans, found, strict=True):
        if moved is None or any(a < last and first < b for first, last, _ in taken):
            continue
        if _still(moved, most, max(fall * (b - a) / PIECES * _FALLEN, 0.2 * most)):
            taken.append((a, b, moved))
    return [_flat(kept, known.place, edge, one) for one in sorted(taken, key=lambda t: t[0])]


def _still(moved: Gain, most: float, little: float) -> bool:
    return -most < moved.lower() and moved.upper() < most and abs(moved.value) <= little


def _flat(kept: Series, x: Floats, edge: Floats, one: tuple[int, int, Gain]) -> Flat:
    a, b, moved = one
    first, last = np.searchsorted(x, [edge[a], edge[b]])
    end = int(kept.step[min(int(last), len(kept) - 1)])
    middle = -as_share(-moved.value, kept.value)
    return Flat(
        int(kept.step[int(first)]),
        end,
        (b - a) / PIECES,
        middle,
        abs(-as_share(-moved.upper(), kept.value) - middle),
    )
