"""A function as a table of points with lines between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

__all__ = ["Points", "TooWild", "tabulated"]

Point = tuple[float, float]
Points = tuple[Point, ...]

_GRID = 2048
"""Pieces of [0, 1] that are looked into; what is narrower than one of them may be missed."""
_INSIDE = (0.27, 0.5, 0.77)
"""Where within a piece the function is compared with the line through its ends."""
_SMALLEST = 2.0**-50
_PIECES = 100_000
# Of the error that is allowed, what the samples take; the rest is for leaving points out.
_SAMPLED = 0.05


class TooWild(ValueError):
    """A function that no table of the size allowed follows."""


def tabulated(function: Callable[[float], float], tolerance: float, most: int) -> Points:
    """Points between which lines follow a function on [0, 1].

    Parameters
    ----------
    function : callable
        Finite.
    tolerance : float
        Largest error, as share of the range of the function.
    most : int
        Points that are allowed.

    Returns
    -------
    tuple of (place, value)
        Ascending; a jump is two points at one place.

    Raises
    ------
    TooWild
        More points would be needed.
    """
    grid = [(i / _GRID, function(i / _GRID)) for i in range(_GRID + 1)]
    values = [y for _, y in grid]
    # What rounding makes of a constant is no range.
    scale = max(max(values) - min(values), 1e-6 * max(map(abs, values)), 1e-300)
    allowed = tolerance * scale
    table: list[Point] = []
    for smooth in _between_jumps(function, grid, _SAMPLED * allowed):
        table += _thinned(smooth, (1.0 - _SAMPLED) * allowed)
    if len(table) > most:
        raise TooWild(f"{len(table)} points are needed, {most} are allowed")
    return tuple(table)


def _between_jumps(
    function: Callable[[float], float], grid: list[Point], error: float
) -> Iterator[list[Point]]:
    """Samples close enough for lines between them, a list for each stretch without a jump."""
    held, pieces = [grid[0]], 0
    waiting = list(pairwise(grid))[::-1]
    while waiting:
        a, b = waiting.pop()
        width, rise = b[0] - a[0], b[1] - a[1]
        if width <= _SMALLEST:
            if abs(rise) > error:
                yield [*held, (b[0], a[1])]
                held = []
            held.append(b)
            continue
        if (pieces := pieces + 1) > _PIECES:
            raise TooWild("jump after jump, or a wave of ever shorter length")
        if all(abs(function(a[0] + s * width) - (a[1] + s * rise)) <= error for s in _INSIDE):
            held.append(b)
            continue
        middle = a[0] + 0.5 * width
        between = (middle, function(middle))
        waiting += [(between, b), (a, between)]
    yield held


def _thinned(points: list[Point], error: float) -> Iterator[Point]:
    """Few of the points, the lines between which pass all the others within an error."""
    yield points[0]
    kept, low, high = points[0], -math.inf, math.inf
    for i in range(1, len(points)):
        x, y = points[i][0] - kept[0], points[i][1] - kept[1]
        if x > 0.0 and not low <= y / x <= high:
            kept = points[i - 1]
            yield kept
            x, y, low, high = points[i][0] - kept[0], points[i][1] - kept[1], -math.inf, math.inf
        if x > 0.0:
            low, high = max(low, (y - error) / x), min(high, (y + error) / x)
    if len(points) > 1:
        yield points[-1]
