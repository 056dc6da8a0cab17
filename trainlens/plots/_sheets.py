"""All pictures of one metric of a comparison on one sheet, and what a report of it consists of."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainlens.comparison.model import Arm, Comparison, Key
from trainlens.plots._comparing import (
    NAMED,
    ComparisonPlot,
    arm_style,
    chosen,
    comparison_plots,
    rows_of,
    shown_arms,
)
from trainlens.plots._text import legend, put
from trainlens.plots.base import COLOURS, FONT, INK, LEFT, RIGHT, SOFT, new_figure, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, PANEL, HEAD, LINE = 10.0, 2.5, 0.55, 0.2
"""Inches: of the sheet, the height of a panel, of the head without and of a line of it."""
PANELS = (
    "seed-bands",
    "run-scores",
    "comparison-overlay",
    "comparison-difference",
    "matched-steps",
    "gap-comparison",
    "variance-comparison",
)
"""In this order, as far as a comparison has data for them."""
_LETTERS, _LINES = 118, 3
_MOST, _COLUMNS = 6, 4


def panels_of(comparison: Comparison, key: Key) -> list[ComparisonPlot]:
    """Pictures that a metric of a comparison has data for."""
    plots = comparison_plots()
    return [plots[name] for name in PANELS if plots[name].applies(comparison, key)]


def sheet(comparison: Comparison, key: Key | None = None) -> Figure:
    """See `trainlens.plots.comparison_sheet`."""
    key = chosen(comparison, key)
    shown = panels_of(comparison, key)
    told = _told(comparison, key)
    arms = shown_arms(comparison, key)
    named = -(-len(arms) // _COLUMNS) if len(arms) > NAMED else 0
    top = HEAD + LINE * (len(told) + named)
    rows = -(-len(shown) // 2)
    height = top + PANEL * max(rows, 1)
    figure = new_figure(WIDTH, height)
    if named:
        _names(figure, arms, (height - top) / height)
    _head(figure.add_axes((0.0, 0.0, 1.0, 1.0)), comparison, told, height)
    for index, panel in enumerate(shown):
        row, column = divmod(index, 2)
        # The last of an odd number takes the whole width.
        alone = column == 0 and index == len(shown) - 1
        left, width = column * WIDTH / 2, WIDTH if alone else WIDTH / 2
        box = (left, (rows - 1 - row) * PANEL, width, PANEL)
        panel.draw(comparison, key, place(figure, box))
    return figure


def _names(figure: Figure, arms: Sequence[tuple[int, Arm]], y: float) -> None:
    """Names of many arms once, above all panels."""
    ax = figure.add_axes(((LEFT - 0.4) / WIDTH, y, 1 - (LEFT + RIGHT) / WIDTH, 0.01))
    ax.set_axis_off()
    lines = [ax.plot([], [], linewidth=1.8, **arm_style(i))[0] for i, _ in arms]
    legend(ax, lines, [arm.name for _, arm in arms], 34, loc="lower left", ncols=_COLUMNS,
           fontsize=FONT - 0.5, handlelength=2.2, borderaxespad=0, borderpad=0)  # fmt: skip


def _told(comparison: Comparison, key: Key) -> list[str]:
    rows = rows_of(comparison, key)
    if len(rows) != 1 or not rows[0].because:
        return []
    sentence = f"{rows[0].because.rstrip('.')}."
    return textwrap.wrap(sentence, _LETTERS, max_lines=_LINES, placeholder=" …")


def _head(ax: Axes, comparison: Comparison, told: list[str], height: float) -> None:
    ax.set_axis_off()
    names = comparison.candidates
    lone = len(names) == 1
    title = names[0] if lone else f"{len(names)} candidates"
    # Of two, the names above are what names the colours below.
    colours = (COLOURS[1], COLOURS[0]) if lone else (INK, SOFT)
    x = (LEFT - 0.4) / WIDTH
    put(ax, x, 1 - 0.34 / height, title, limit=44, fontsize=FONT + 4, fontweight="bold",
        color=colours[0])  # fmt: skip
    against, right = f"against {comparison.baseline}", 1 - RIGHT / WIDTH
    put(ax, right, 1 - 0.34 / height, against, ha="right", fontsize=FONT, color=colours[1],
        limit=50)  # fmt: skip
    for line, text in enumerate(told):
        y = 1 - (0.6 + LINE * line) / height
        put(ax, x, y, text, limit=_LETTERS + 2, fontsize=FONT, color=INK)


def telling(comparison: Comparison) -> list[Key]:
    """The metrics that get a sheet, the most telling first."""
    return list(dict.fromkeys(row.key for row in comparison.rows))[:_MOST]
