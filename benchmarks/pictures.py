"""Pictures for the performance page: curves on two logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Curve:
    """One line of a panel."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


Panel = tuple[str, str, Sequence[Curve]]
"""Label of the x axis, label of the y axis, curves."""

_COLOURS = ("#0b62a4", "#c2571a", "#3d7d3d")


def write_panels(path: Path, panels: Sequence[Panel]) -> Path:
    """Four panels, two a row, each with a dashed line of the slope that linear growth has."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 7), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels) // 2, 2)
    for place, panel in zip(axes.flat, panels, strict=True):
        _panel(place, *panel)
    figure.savefig(path)
    return path


def _panel(axes: Any, x: str, y: str, curves: Sequence[Curve]) -> None:
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

    for curve, colour in zip(curves, _COLOURS, strict=False):
        axes.loglog(curve.x, curve.y, "o-", ms=4, lw=1.6, color=colour, label=curve.label)
    longest = max(curves, key=lambda curve: len(curve.x))
    if longest.x:
        last, top = longest.x[-1], longest.y[-1]
        # One decade above the last points: enough to compare the slope, and in nobody's way.
        ends, heights = [last / 10, last], [top / 6, top / 0.6]
        axes.loglog(ends, heights, "--", lw=1, color="#888888", label="slope of linear growth")
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(True, which="major", color="#dddddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    # Above the panel: within it, some line would run through the words.
    axes.legend(
        frameon=False, fontsize=9, ncols=2, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0
    )
