"""Names of several curves: below the axes where there is room for them, else in a corner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainlens.plots._text import legend
from trainlens.plots.base import DPI, FONT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 16
"""Names that are told."""
_HANDLE = 62
"""Pixels of the line before a name and of the gaps around it."""
_IN_CORNER = 10
_LINE = 0.22
"""Inches that a row takes."""


def rows(lines: int) -> int:
    """Rows that the names of so many lines take below some axes; one line needs no name."""
    return 0 if lines < 2 else -(-min(lines, MOST) // _columns(lines))


def room(lines: int) -> float:
    """Inches that the names of so many lines need below some axes."""
    return _LINE * rows(lines)


def name_lines(ax: Axes, lines: Sequence[Any], names: Sequence[str], below: bool) -> None:
    """Name lines below the axes, or in the upper right corner within them.

    Parameters
    ----------
    ax : Axes
    lines : sequence of artists
    names : sequence of str
    below : bool
        Whether `room` was left there.
    """
    if len(lines) < 2:
        return
    if not below:
        most = _IN_CORNER
        legend(ax, lines[:most], names[:most], 28, loc="upper right", fontsize=FONT - 1)
        return
    size = ax.get_window_extent()
    inches, columns = size.height / DPI, _columns(len(lines))
    # What a column has beside the line: its letters are about 0.6 of their size wide.
    letters = int((size.width / columns - _HANDLE) / (0.6 * (FONT - 1) * DPI / 72))
    legend(
        ax, lines[:MOST], names[:MOST], min(34, letters), loc="upper left",
        bbox_to_anchor=(0, -0.29 / inches), ncols=columns, fontsize=FONT - 1,
        handlelength=2.4, borderaxespad=0,
    )  # fmt: skip


def _columns(lines: int) -> int:
    return 2 if lines < 9 else 3
