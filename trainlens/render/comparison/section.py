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

    The curves of single runs are in its charts already, so only differences are drawn, of the
    runs that the report draws. Of sides of several runs their means are drawn, too, with bands. A
    side has the colour that its runs have in the report.
    """
    told = tell(comparison)
    drawn = told.curves
    if comparison.of_groups:
        # The charts of the report have names that begin alike.
        panels = tuple(replace(panel, key=f"side-{panel.key}") for panel in drawn.panels)
    else:
        panels = tuple(panel for panel in drawn.panels if panel.difference)
    return replace(told, curves=Curves(_looks(report, comparison, told), panels, drawn.note))


def _looks(report: Report, comparison: Comparison, told: Told) -> tuple[Look, ...]:
    runs = {run.name: run for run in report.runs}
    firsts = {arm.name: runs.get(arm.runs[0].name) for arm in comparison.arms}
    return tuple(
        replace(look, colour=run.colour, dash=run.dash) if (run := firsts[look.name]) else look
        for look in told.curves.looks
    )


def with_differences(data: Mapping[str, Any], report: Report, told: Told) -> dict[str, Any]:
    """What the scripts of a report read, and behind it the charts of the comparison.

    Single runs are those of the report; sides of several runs are entries of their own behind
    these, with ``side``, so that hiding a run of the report leaves them.
    """
    own = _charts.payload(told.curves, "step")
    if told.comparison.of_groups:
        sides = [{**side, "side": 1} for side in own["runs"]]
        places: list[int | None] = [*range(len(data["runs"]), len(data["runs"]) + len(sides))]
        data = {**data, "runs": [*data["runs"], *sides]}
    else:
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
