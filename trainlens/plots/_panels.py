"""Several small axes in the place of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainlens.plots.base import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    axes_or_new,
    new_figure,
    place,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE, _HIGH = 2.8, 1.35
"""Inches that a panel needs at least, its ticks and title among them."""
WIDTH, HEIGHT = 10.0, 2.2
"""Inches of a new sheet, and of each row of it."""
COLUMNS = 2


def panels(ax: Axes | None, count: int) -> tuple[Axes, list[Axes]]:
    """Divide the place of some axes, or a new sheet of two columns, into panels.

    Parameters
    ----------
    ax : Axes, optional
        Becomes empty and invisible.
    count : int
        Panels that are wanted, 1 or more; there may be no room for all of them.

    Returns
    -------
    ax : Axes
        Those given, or the empty ones that fill the new sheet.
    parts : list of Axes
        In the house style, at least one.
    """
    if ax is None:
        rows = -(-count // COLUMNS)
        figure = new_figure(WIDTH, HEIGHT * rows + (0.8 if rows == 1 else 0.0))
        wide, high = map(float, figure.get_size_inches())
        ax = place(figure, (0.0, 0.0, wide, high))
        columns = min(COLUMNS, count)
    else:
        columns = 0
    left, bottom, width, height = _outer(ax)
    columns = columns or max(1, min(count, int(width / _WIDE)))
    rows = max(1, min(-(-count // columns), int(height / _HIGH)))
    figure = ax.figure.get_figure(root=True)
    ax.set_axis_off()
    parts = []
    for index in range(min(count, rows * columns)):
        row, column = divmod(index, columns)
        # The last row shares the whole width.
        beside = min(columns, min(count, rows * columns) - row * columns)
        wide, high = width / beside, height / rows
        box = (left + column * wide, bottom + (rows - 1 - row) * high, wide, high)
        parts.append(axes_or_new(place(figure, box)))
    return ax, parts


def _outer(ax: Axes) -> tuple[float, float, float, float]:
    """Left, bottom, width and height in inches with the room for ticks and titles around."""
    wide, high = map(float, ax.figure.get_figure(root=True).get_size_inches())
    box = ax.get_position()
    return (
        box.x0 * wide - LEFT,
        box.y0 * high - BOTTOM,
        box.width * wide + LEFT + RIGHT,
        box.height * high + TOP + BOTTOM,
    )
