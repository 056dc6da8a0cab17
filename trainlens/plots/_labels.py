"""Short texts beside points, none over another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainlens.plots._text import put
from trainlens.plots.base import SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_AWAY = 7.0
"""Pixels between a point and its text."""


def label_points(ax: Axes, points: Sequence[tuple[float, float, str]], colour: str) -> int:
    """Write beside each point, the first ones first; where no place is free, nothing.

    Other texts of the axes are kept free as well.

    Parameters
    ----------
    ax : Axes
        Scaled already.
    points : sequence of (x, y, text)
    colour : str

    Returns
    -------
    int
        How many were written.
    """
    inner = ax.get_window_extent()
    at = [tuple(map(float, ax.transData.transform((x, y)))) for x, y, _ in points]
    taken = [text.get_window_extent() for text in ax.texts]
    written = 0
    for (px, py), (*_, said) in zip(at, points, strict=True):
        text = put(
            ax, 0.0, 0.0, said, fontsize=SMALL, color=colour, va="bottom", zorder=4,
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1},
        )  # fmt: skip
        size = text.get_window_extent()
        free = _free(inner, taken, at, (px, py), (size.width, size.height))
        if free is None:
            text.remove()
            continue
        taken.append(free)
        # In shares of the axes: an SVG counts other pixels.
        left, bottom = ax.transAxes.inverted().transform((free.x0, free.y0))
        text.set_position((float(left), float(bottom)))
        written += 1
    return written


def _free(
    inner: Bbox,
    taken: Sequence[Bbox],
    points: Sequence[tuple[float, ...]],
    at: tuple[float, float],
    size: tuple[float, float],
) -> Bbox | None:
    """The first place beside a point, then above and below it, that nothing else needs."""
    from matplotlib.transforms import Bbox

    (x, y), (width, height) = at, size
    y = min(max(y, inner.y0), inner.y1)
    lefts = (x + _AWAY, x - _AWAY - width, x - width / 2)
    for row in (0, 1, -1, 2, -2):
        for left in lefts:
            bottom = y - height / 2 + row * (height + 3)
            box = Bbox.from_bounds(left, bottom, width, height)
            beyond = (
                box.x0 < inner.x0 or box.x1 > inner.x1 or box.y0 < inner.y0 or box.y1 > inner.y1
            )
            covers = any(box.x0 - 3 < px < box.x1 + 3 and box.y0 - 3 < py < box.y1 + 3
                         for px, py in points)  # fmt: skip
            if not beyond and not covers and not any(box.overlaps(other) for other in taken):
                return box
    return None
