"""The look of pictures: that of trainlens' own plots, which the companion cannot import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "FONT", "INK", "RULE", "SOFT", "legend", "new_axes", "style"]

# Okabe and Ito's palette, toned for thin lines on white.
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#a89b00",
)  # fmt: skip
INK, SOFT, RULE = "#1f2328", "#59636e", "#e3e6e9"
FONT = 9.5
_DPI = 100


def new_axes(width: float, height: float, box: tuple[float, float, float, float]) -> Axes:
    """Axes of a new figure, which nothing global knows about.

    Parameters
    ----------
    width, height : float
        Of the figure, in inches.
    box : tuple of float
        Left, bottom, width and height of the axes, as shares of it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes: Axes = figure.add_axes(box)
    return axes


def style(ax: Axes) -> None:
    """No frame, hairlines."""
    for side, spine in ax.spines.items():
        spine.set_visible(side == "left")
        spine.set_color(RULE)
    ax.set_axisbelow(True)
    ax.grid(axis="y", color=RULE, linewidth=0.8)
    size = FONT - 0.5
    ax.tick_params(axis="x", which="both", color=SOFT, labelcolor=SOFT, labelsize=size)
    ax.tick_params(axis="x", which="major", length=3, width=0.8)
    ax.tick_params(axis="y", length=0, labelcolor=SOFT, labelsize=size)


def legend(ax: Axes, columns: int) -> None:
    """Names above the axes, from the left."""
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.01), ncols=columns, frameon=False, fontsize=FONT,
        labelcolor=INK, handlelength=2.2, borderaxespad=0.0, borderpad=0.2, labelspacing=0.3,
        columnspacing=1.8,
    )  # fmt: skip
