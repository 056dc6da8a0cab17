"""The page that people make of the same logs: ``python -m benchmarks.page.peers NAME LOGS OUT``.

Small multiples, one a metric, one line a run, one x axis for all, a tooltip that names every run,
zoom by a drag, and the library's script within the file: what comes nearest to a report.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT, _COLUMNS = 560, 200, 2
_COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#a89b00",
    "#7f7f7f", "#17becf", "#bcbd22", "#8c564b",
)  # fmt: skip


def read(logs: Path, points: int) -> dict[str, Any]:
    """A table of each run, every so many rows so that about `points` are left; all if 0."""
    import pandas as pd

    tables = {path.stem: pd.read_json(path, lines=True) for path in sorted(logs.glob("*.jsonl"))}
    if points:
        tables = {name: held.iloc[:: max(1, len(held) // points)] for name, held in tables.items()}
    return tables


def plotly(tables: Mapping[str, Any], out: Path) -> None:
    """Plotly's page: WebGL lines, the axes linked, one tooltip for all runs."""
    graphs = import_module("plotly.graph_objects")
    subplots = import_module("plotly.subplots")
    metrics = [name for name in next(iter(tables.values())).columns if name != "step"]
    rows = -(-len(metrics) // _COLUMNS)
    page = subplots.make_subplots(rows, _COLUMNS, shared_xaxes="all", subplot_titles=metrics)
    for place, metric in enumerate(metrics):
        for number, (name, table) in enumerate(tables.items()):
            line = graphs.Scattergl(
                x=table["step"],
                y=table[metric],
                name=name,
                mode="lines",
                legendgroup=name,
                showlegend=place == 0,
                line={"width": 1.3, "color": _COLOURS[number % len(_COLOURS)]},
            )
            page.add_trace(line, place // _COLUMNS + 1, place % _COLUMNS + 1)
    page.update_layout(width=_WIDTH * _COLUMNS, height=_HEIGHT * rows + 100, hovermode="x unified")
    page.update_yaxes(fixedrange=True)
    page.write_html(out, include_plotlyjs=True)


def bokeh(tables: Mapping[str, Any], out: Path) -> None:
    """Bokeh's page: canvas lines as by default, the x range shared, a vertical tooltip."""
    models, plotting = import_module("bokeh.models"), import_module("bokeh.plotting")
    metrics = [name for name in next(iter(tables.values())).columns if name != "step"]
    plots: list[Any] = []
    for metric in metrics:
        shared = {"x_range": plots[0].x_range} if plots else {}
        zoom = models.BoxZoomTool(dimensions="width")
        hover = models.HoverTool(
            mode="vline", tooltips=[("run", "$name"), ("step", "@x"), (metric, "@y")]
        )
        plot = plotting.figure(width=_WIDTH, height=_HEIGHT, title=metric, active_drag=zoom,
                      tools=[zoom, hover, models.ResetTool()], **shared)  # fmt: skip
        for number, (name, table) in enumerate(tables.items()):
            plot.line(table["step"].to_numpy(), table[metric].to_numpy(), name=name,
                      line_width=1.3, color=_COLOURS[number % len(_COLOURS)])  # fmt: skip
        plots.append(plot)
    grid = import_module("bokeh.layouts").gridplot(plots, ncols=_COLUMNS)
    plotting.save(grid, out, title="runs", resources="inline")


def main() -> None:
    """Write one page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=("plotly", "bokeh"))
    parser.add_argument("logs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--points", type=int, default=0, help="of each curve; 0: all")
    asked = parser.parse_args()
    draw = {"plotly": plotly, "bokeh": bokeh}[asked.name]
    draw(read(asked.logs, asked.points), asked.out)


if __name__ == "__main__":
    main()
