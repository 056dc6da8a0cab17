"""Values of the baseline and a candidate at chosen steps, side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.comparison.model import At, Comparison, Key, Row
from trainlens.plots._comparing import (
    VERDICT_COLOURS,
    arm_style,
    chosen,
    comparison_plot,
    named_head,
    rows_of,
    scale_values,
    title_of,
    told_place,
)
from trainlens.plots._text import put
from trainlens.plots.base import FONT, INK, SOFT, axes_or_new, nothing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 12


@comparison_plot(
    "matched-steps",
    title="Values at chosen steps",
    applies=lambda comparison, key: any(len(row.at) > 1 for row in rows_of(comparison, key)),
)
def matched_steps(comparison: Comparison, key: Key | None = None, ax: Axes | None = None) -> Axes:
    """Values at chosen steps as dots that a line joins, with their difference above each.

    Parameters
    ----------
    comparison : Comparison
    key : (metric, split), optional
        None takes the most telling metric.
    ax : Axes, optional
        None draws into a new figure.

    Returns
    -------
    Axes
        Of several candidates, the first that has values is shown.
    """
    ax, key = axes_or_new(ax), chosen(comparison, key)
    row = next((r for r in rows_of(comparison, key) if r.at), None)
    if row is None:
        return nothing(ax, title_of(comparison, key), "no value at the chosen steps")
    ends = {arm.name: arm_style(i)["color"] for i, arm in enumerate(comparison.arms)}
    colours = (ends[row.baseline], ends[row.candidate])
    told = row.at[:_MOST]
    scale_values(ax, np.array([v for a in told for v in (a.baseline, a.candidate)]))
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.22 * (high - low))  # room for the differences
    for place, one in enumerate(told):
        _pair(ax, place, one, row, colours)
    ax.set_xlim(-0.6, len(told) - 0.4)
    ax.set_xticks(range(len(told)), [told_place(a.step, comparison.by) for a in told])
    keys = list(zip((row.baseline, row.candidate), colours, strict=True))
    named_head(ax, f"Chosen steps, {title_of(comparison, key)}", keys)
    return ax


def _pair(ax: Axes, place: int, one: At, row: Row, colours: tuple[str, str]) -> None:
    values = (one.baseline, one.candidate)
    ax.plot([place, place], values, color=SOFT, linewidth=1.0, zorder=1)
    for value, colour in zip(values, colours, strict=True):
        ax.plot([place], [value], "o", color=colour, markersize=7)
    if not math.isfinite(one.delta):
        return
    colour = _colour(one, row.direction)
    y = max(values)
    share = f"\n{words.percent(one.percent, 2, signed=True)}" if math.isfinite(one.percent) else ""
    for line, text in enumerate(f"{words.signed(one.delta, 3)}{share}".split("\n")):
        # Two lines of text; each is put by itself as text from logs is.
        shift = (1.75 - line) * 0.075 * np.ptp(ax.get_ylim())
        put(ax, place, y + shift, text, transform=ax.transData, ha="center", va="bottom",
            fontsize=FONT - 1 + 0.5 * (line == 0), color=colour if line == 0 else SOFT)  # fmt: skip


def _colour(one: At, direction: str) -> str:
    """A difference beyond the noise of single points has the colour of what it means."""
    if not direction or one.interval is None or 0.0 in one.interval or not one.delta:
        return INK
    good = (one.delta < 0) == (direction == "min")
    return VERDICT_COLOURS["better" if good else "worse"]
