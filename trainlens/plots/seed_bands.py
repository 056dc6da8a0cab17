"""Several runs an arm: the mean and the spread over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.comparison.bands import band
from trainlens.comparison.model import Comparison, Key
from trainlens.plots._comparing import (
    VERDICT_COLOURS,
    arm_style,
    chosen,
    comparison_plot,
    name_below,
    named_head,
    outline,
    points_of,
    rows_of,
    scale_places,
    scale_values,
    shown_arms,
    title_of,
    told_difference,
)
from trainlens.plots.base import SOFT, axes_or_new, nothing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_THIN = 20
"""Runs of an arm whose own curves are drawn behind the band."""


@comparison_plot(
    "seed-bands",
    title="Seeds",
    applies=lambda comparison, key: comparison.of_groups,
)
def seed_bands(comparison: Comparison, key: Key | None = None, ax: Axes | None = None) -> Axes:
    """Mean over the runs of each arm, one standard deviation as a band, the runs thin behind it.

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
        The interquartile mean is dotted where an arm has four runs or more.
    """
    ax, key = axes_or_new(ax), chosen(comparison, key)
    lines, names, colours, values, places = [], [], [], [], []
    for i, arm in shown_arms(comparison, key):
        style = arm_style(i)
        for points in points_of(comparison, arm, key)[:_THIN]:
            one = outline(points)
            ax.plot(one.at, one.main, color=style["color"], alpha=0.28, linewidth=0.7)
            values.append(one.main)
        held = band(arm, key, comparison.by)
        if not len(held.at):
            continue
        # Of one run there is no spread to show.
        away = np.nan_to_num(held.std)
        low, high = held.mean - away, held.mean + away
        ax.fill_between(held.at, low, high, color=style["color"], alpha=0.15, linewidth=0)
        colours.append(style["color"])
        lines.append(ax.plot(held.at, held.mean, linewidth=1.8, **style)[0])
        if len(arm.runs) >= 4:
            ax.plot(held.at, held.iqm, color=style["color"], linewidth=1.2, linestyle=(0, (1, 1.5)))
        names.append(f"{arm.name} ({words.plural(len(arm.runs), 'run')})")
        values += [low, high]
        places.append(held.at)
    if not lines:
        return nothing(ax, title_of(comparison, key), "the runs of no arm share a place")
    scale_values(ax, np.concatenate(values))
    scale_places(ax, comparison.by, places)
    rows = rows_of(comparison, key)
    told = told_difference(rows[0]) if len(rows) == 1 else ""
    colour = VERDICT_COLOURS.get(rows[0].verdict, SOFT)
    keys = list(zip(names, colours, strict=True))
    named_head(ax, title_of(comparison, key), keys, told, colour)
    name_below(ax, lines, names)
    return ax
