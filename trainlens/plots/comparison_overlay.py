"""A metric of the baseline and its candidates over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainlens.comparison.model import Comparison, Key
from trainlens.plots._comparing import (
    arm_style,
    chosen,
    comparison_plot,
    draw_outline,
    mark_places,
    name_below,
    named_head,
    outline,
    points_of,
    rows_of,
    scale_places,
    scale_values,
    shown_arms,
    shown_range,
    title_of,
)
from trainlens.plots.base import axes_or_new, nothing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@comparison_plot(
    "comparison-overlay",
    title="Curves",
    applies=lambda comparison, key: not comparison.of_groups,
)
def comparison_overlay(
    comparison: Comparison, key: Key | None = None, ax: Axes | None = None
) -> Axes:
    """Curves of all runs, averaged, with the noise of single points as a band around them.

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
    """
    ax, key = axes_or_new(ax), chosen(comparison, key)
    arms = [(i, arm, points_of(comparison, arm, key)) for i, arm in shown_arms(comparison, key)]
    held = [(i, arm, outline(points[0])) for i, arm, points in arms if points]
    if not held:
        return nothing(ax, title_of(comparison, key), "no finite point")
    few = len(held) <= 2
    marked = {a.step for row in rows_of(comparison, key) for a in row.at}
    mark_places(ax, sorted(marked))
    lines = [
        draw_outline(ax, one, arm_style(i), band=len(held) <= 3, raw=few) for i, _, one in held
    ]
    scale_values(ax, shown_range([one for *_, one in held]))
    scale_places(ax, comparison.by, [one.at for *_, one in held])
    left_out = len(comparison.arms) - len(held)
    names = [(arm.name, arm_style(i)["color"]) for i, arm, _ in held]
    note = f"{left_out} more not drawn" if left_out else ""
    named_head(ax, title_of(comparison, key), names, note)
    name_below(ax, lines, [name for name, _ in names])
    return ax
