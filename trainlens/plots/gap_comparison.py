"""Generalization gap of the baseline and a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainlens.comparison.model import Comparison, GapTable, Key
from trainlens.plots._comparing import (
    arm_style,
    chosen,
    comparison_plot,
    named_head,
    scale_places,
    scale_values,
)
from trainlens.plots.base import SOFT, axes_or_new, nothing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _tables(comparison: Comparison, key: Key) -> list[GapTable]:
    return [t for t in comparison.gaps if (t.metric, t.split) == key and t.rows]


@comparison_plot(
    "gap-comparison",
    title="Generalization gap",
    applies=lambda comparison, key: (
        key[1] != "train" and any(len(table.rows) > 1 for table in _tables(comparison, key))
    ),
)
def gap_comparison(comparison: Comparison, key: Key | None = None, ax: Axes | None = None) -> Axes:
    """Validation minus train of the baseline and up to seven candidates at the chosen steps.

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
    tables = _tables(comparison, key)[:7]
    title = f"Generalization gap, {key[0]}"
    if not tables:
        return nothing(ax, title, "no metric that both splits have")
    places = {arm.name: i for i, arm in enumerate(comparison.arms)}
    at = [np.array([row.step for row in table.rows]) for table in tables]
    lines = [(tables[0].baseline, at[0], np.array([row.baseline for row in tables[0].rows]))]
    lines += [
        (table.candidate, where, np.array([row.candidate for row in table.rows]))
        for table, where in zip(tables, at, strict=True)
    ]
    for name, where, value in lines:
        ax.plot(where, value, marker="o", markersize=4, linewidth=1.6, **arm_style(places[name]))
    ax.axhline(0, color=SOFT, linewidth=1.0)
    scale_values(ax, np.concatenate([value for *_, value in lines]), zero=True)
    scale_places(ax, comparison.by, at)
    unit = f" ({tables[0].unit})" if tables[0].unit else ""
    keys = [(name, arm_style(places[name])["color"]) for name, *_ in lines]
    named_head(ax, f"{title}{unit}", keys)
    return ax
