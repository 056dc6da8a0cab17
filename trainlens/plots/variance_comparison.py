"""How the baseline and a candidate scatter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainlens import words
from trainlens.comparison.model import Comparison, Key, Row
from trainlens.plots._comparing import (
    arm_style,
    chosen,
    comparison_plot,
    named_head,
    points_of,
    rows_of,
    scale_strips,
    title_of,
)
from trainlens.plots._text import put
from trainlens.plots.base import FONT, INK, axes_or_new, nothing
from trainlens.run import Floats
from trainlens.stats.variances import innovations

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOTS = 400


@comparison_plot(
    "variance-comparison",
    title="Scatter",
    applies=lambda comparison, key: any(
        row.variance is not None and row.alignment is not None for row in rows_of(comparison, key)
    ),
)
def variance_comparison(
    comparison: Comparison, key: Key | None = None, ax: Axes | None = None
) -> Axes:
    """What is new in each point of both runs: a box of its quartiles over the points themselves.

    The trend and the memory of the curves are taken out, so that the width is that of the noise
    from point to point.

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
        Of several candidates, the first that can be judged is shown.
    """
    ax, key = axes_or_new(ax, 8.0, 2.2), chosen(comparison, key)
    title = f"Scatter, {title_of(comparison, key)}"
    row = next((r for r in rows_of(comparison, key) if r.variance), None)
    arms = [
        (i, arm, points)
        for i, arm in enumerate(comparison.arms)
        if row is not None and arm.name in (row.baseline, row.candidate)
        if (points := points_of(comparison, arm, key))
    ]
    news = [innovations(points[0].value) for *_, points in arms]
    if row is None or len(news) < 2 or min(map(len, news)) < 2:
        return nothing(ax, title, "too few points")
    _scale(ax, news)
    for place, ((i, arm, _), value) in enumerate(zip(arms, news, strict=True)):
        _strip(ax, 1 - place, arm.name, value, arm_style(i)["color"])
    named_head(ax, title, (), _told(row))
    return ax


def _scale(ax: Axes, news: list[Floats]) -> None:
    together = np.concatenate(news)
    inner = np.quantile(np.abs(together), 0.98)
    reach = min(float(np.abs(together).max()), 1.6 * float(inner)) or 1.0
    scale_strips(ax, (-1.08 * reach, 1.08 * reach), (-0.6, 1.75), lambda v: words.signed(v, 3))


def _strip(ax: Axes, y: float, name: str, value: Floats, colour: str) -> None:
    thin = value[:: -(-len(value) // _DOTS)]
    # Spread by a sequence that fills evenly and needs no chance.
    away = (np.arange(len(thin)) * 0.61803 % 1 - 0.5) * 0.4
    low, middle, high = np.quantile(value, (0.25, 0.5, 0.75))
    ax.fill_between([low, high], y - 0.26, y + 0.26, color=colour, alpha=0.14, linewidth=0)
    ax.plot([middle, middle], [y - 0.26, y + 0.26], color=colour, linewidth=2)
    ax.plot(thin, y + away, "o", color=colour, markersize=3, alpha=0.5, markeredgewidth=0)
    put(ax, 0.0, y + 0.36, name, fontsize=FONT - 1, color=INK,
        transform=ax.get_yaxis_transform())  # fmt: skip


def _told(row: Row) -> str:
    found = row.variance
    assert found is not None
    first, second = (words.number(s, 3) for s in found.std)
    text = f"std {first} and {second}, variance ratio {words.number(found.ratio, 3)}"
    return text if np.isnan(found.p) else f"{text}, p {words.number(found.p, 2)}"
