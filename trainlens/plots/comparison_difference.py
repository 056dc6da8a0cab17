"""Candidate minus baseline along the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainlens.comparison.between import between
from trainlens.comparison.course import Apart, Running, apart
from trainlens.comparison.model import Comparison, Key, Row
from trainlens.plots._comparing import (
    VERDICT_COLOURS,
    arm_style,
    chosen,
    comparison_plot,
    named_head,
    rows_of,
    scale_places,
    scale_values,
    shown_arms,
    title_of,
    told_difference,
)
from trainlens.plots._lines import LARGEST
from trainlens.plots._text import put
from trainlens.plots.base import FONT, SOFT, axes_or_new, nothing
from trainlens.run import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 2000


def _matches(row: Row) -> bool:
    pairs = row.alignment
    return row.replicates is not None if pairs is None else len(pairs) > 0


@comparison_plot(
    "comparison-difference",
    title="Difference",
    applies=lambda comparison, key: any(_matches(row) for row in rows_of(comparison, key)),
)
def comparison_difference(
    comparison: Comparison, key: Key | None = None, ax: Axes | None = None
) -> Axes:
    """Candidate minus baseline: its running mean, or over several runs its mean, with intervals.

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
        Of two single runs each matched point is a dot, and their last half, which tells how
        training ended, is shaded.
    """
    ax, key = axes_or_new(ax), chosen(comparison, key)
    places = {arm.name: i for i, arm in shown_arms(comparison, key)}
    rows = [row for row in rows_of(comparison, key) if row.candidate in places]
    told = [(row, apart(comparison, row), between(comparison, row)) for row in rows]
    told = [(row, points, mean) for row, points, mean in told if points or mean]
    title = f"Difference, {title_of(comparison, key)}"
    if not told:
        return nothing(ax, title, "no matched points")
    lone = len(told) == 1
    value = [_curve(ax, points, mean, places[row.candidate], lone) for row, points, mean in told]
    ax.axhline(0, color=SOFT, linewidth=1.0)
    scale_values(ax, np.concatenate(value), zero=True)
    scale_places(ax, comparison.by, [one.at for _, *held in told for one in held if one])
    if lone:
        _say(ax, title, told[0][0], told[0][1])
    else:
        named_head(ax, title, (), f"means of {len(told)} candidates")
    return ax


def _curve(ax: Axes, points: Apart | None, mean: Running | None, place: int, lone: bool) -> Floats:
    """Draw one difference; the values that its axis must hold."""
    style, value = arm_style(place), []
    if points is not None and (lone or mean is None):
        thin = slice(None, None, -(-len(points) // _POINTS))
        size = 3.0 if len(points) <= 60 else 1.6
        ax.plot(points.at[thin], points.value[thin], "o", color=style["color"], alpha=0.45,
                markersize=size, markeredgewidth=0)  # fmt: skip
        value.append(points.value)
    if mean is not None:
        value.append(mean.mean)
        ax.plot(mean.at, mean.mean, linewidth=1.7, **style)
    if mean is not None and lone:
        ax.fill_between(mean.at, mean.low, mean.high, color=style["color"], alpha=0.16, linewidth=0)
        value += [mean.low, mean.high]
    return np.clip(np.concatenate(value), -LARGEST, LARGEST)


def _say(ax: Axes, title: str, row: Row, points: Apart | None) -> None:
    """What there is to say of a lone difference."""
    if points is not None:
        late = points.at[points.late]
        ax.axvspan(late, points.at[-1], color=SOFT, alpha=0.06, linewidth=0, zorder=0)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.1 * (high - low))  # room for the words
    if row.direction:
        above = "worse" if row.direction == "min" else "better"
        put(ax, 0.0, 0.97, f" above 0: {above}", va="top", fontsize=FONT - 1.5, color=SOFT)
    colour = VERDICT_COLOURS.get(row.verdict, SOFT)
    named_head(ax, title, (), told_difference(row), colour)
