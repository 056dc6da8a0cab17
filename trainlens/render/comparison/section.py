"""A comparison as a part of the report of its runs: the same words, the colours of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trainlens.comparison.model import Comparison
from trainlens.render.comparison import _charts
from trainlens.render.comparison._curves import Curves, Look
from trainlens.render.comparison.page import Told, tell
from trainlens.reporting import Report


def told_in(report: Report, comparison: Comparison) -> Told:
    """What the report shows of a comparison.

    The curves themselves are in its charts already, so only differences are drawn, of the runs
    that the report draws and in their colours.
    """
    told = tell(comparison)
    runs = {run.name: run for run in report.runs}
    looks = tuple(
        Look(look.name, runs[look.name].colour, runs[look.name].dash, None)
        if look.name in runs
        else look
        for look in told.curves.looks
    )
    panels = tuple(panel for panel in told.curves.panels if panel.difference)
    return replace(told, curves=Curves(looks, panels, told.curves.note))


def with_differences(data: Mapping[str, Any], report: Report, told: Told) -> dict[str, Any]:
    """What the scripts of a report read, and the differences of its runs behind it."""
    own = _charts.payload(told.curves, "step")
    spot = {report.runs[index].name: place for place, index in enumerate(report.drawn)}
    places = [spot.get(look.name) for look in told.curves.looks]
    grids = list(data["grids"])
    charts = []
    for chart in own["charts"]:
        lines = [
            {**line, "r": places[line["r"]], "g": line["g"] + len(grids)}
            for line in chart["lines"]
            if places[line["r"]] is not None
        ]
        # A chart without a line has no range; its static picture stays.
        if lines:
            charts.append({**chart, "lines": lines})
    return {**data, "grids": grids + own["grids"], "charts": [*data["charts"], *charts]}
