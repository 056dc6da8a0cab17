"""Several runs an arm: the score of each run, and what the arms amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.comparison.model import Comparison, Interval, Key, Row
from trainlens.plots._comparing import (
    arm_style,
    chosen,
    comparison_plot,
    named_head,
    rows_of,
    scale_strips,
    title_of,
)
from trainlens.plots._text import put
from trainlens.plots.base import FONT, INK, RULE, axes_or_new, nothing
from trainlens.run import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 6


@comparison_plot(
    "run-scores",
    title="Scores of runs",
    applies=lambda comparison, key: any(row.replicates for row in rows_of(comparison, key)),
)
def run_scores(comparison: Comparison, key: Key | None = None, ax: Axes | None = None) -> Axes:
    """One dot a run, and the interquartile mean of each arm with its 95 % interval.

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
    ax, key = axes_or_new(ax, 8.0, 2.4), chosen(comparison, key)
    title = f"Scores of runs, {title_of(comparison, key)}"
    rows = [row for row in rows_of(comparison, key) if row.replicates][:_MOST]
    if not rows or rows[0].replicates is None:
        return nothing(ax, title, "no arm has several runs")
    places = {arm.name: i for i, arm in enumerate(comparison.arms)}
    first = rows[0].replicates
    held = [(rows[0].baseline, first.scores[0], first.iqm[0], first.iqm_intervals[0])]
    held += [
        (row.candidate, r.scores[1], r.iqm[1], r.iqm_intervals[1])
        for row in rows
        if (r := row.replicates)
    ]
    _scale(ax, np.concatenate([scores for _, scores, *_ in held]), len(held))
    for line, (name, scores, iqm, around) in enumerate(held):
        _strip(ax, len(held) - 1 - line, name, np.array(scores), iqm, around,
               arm_style(places[name])["color"])  # fmt: skip
    named_head(ax, title, (), _told(rows))
    return ax


def _scale(ax: Axes, scores: Floats, lines: int) -> None:
    good = scores[np.isfinite(scores)]
    low, high = (float(good.min()), float(good.max())) if len(good) else (0.0, 1.0)
    pad = 0.08 * (high - low) or 0.05 * abs(high) or 0.5
    scale_strips(ax, (low - pad, high + pad), (-0.5, lines - 0.3), words.number)


def _strip(
    ax: Axes, y: int, name: str, scores: Floats, iqm: float,
    around: Interval, colour: str,
) -> None:  # fmt: skip
    ax.axhline(y, color=RULE, linewidth=0.8, zorder=0.5)
    ends = np.clip([around.low, around.high], *ax.get_xlim())
    if np.isfinite(ends).all():
        ax.plot(ends, [y, y], color=colour, linewidth=7, alpha=0.25, solid_capstyle="butt")
    ax.plot(scores, np.full(len(scores), y), "o", color=colour, markersize=5, alpha=0.55,
            markeredgewidth=0)  # fmt: skip
    ax.plot([iqm], [y], "|", color=colour, markersize=15, markeredgewidth=2.2)
    put(ax, 0.0, y + 0.24, name, fontsize=FONT - 1, color=INK, va="bottom",
        transform=ax.get_yaxis_transform())  # fmt: skip


def _told(rows: list[Row]) -> str:
    found = rows[0].replicates
    if len(rows) > 1 or found is None or np.isnan(found.improvement):
        return ""
    low, high = found.improvement_interval.low, found.improvement_interval.high
    return f"P(improvement) {found.improvement:.2f} ({low:.2f} to {high:.2f})"
