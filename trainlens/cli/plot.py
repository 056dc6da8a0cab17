"""``trainlens plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainlens.cli import _options
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.comparison.model import Comparison
    from trainlens.run import Runs


@click.command("plot")
@_options.paths
@click.option("--metric", required=True, metavar="M", help="Metric, e.g. loss or val/mpjpe.")
@click.option("--split", default=None, metavar="S", help="train, val or test; both if left out.")
@click.option("--smooth", default=0.0, show_default=True, metavar="WEIGHT",
              type=click.FloatRange(0, 1, max_open=True),
              help="Weight of the past in the moving average.")  # fmt: skip
@click.option("--log-y", is_flag=True, help="Logarithmic axis.")
@click.option("--kind", default="", metavar="KIND",
              help="A picture of a comparison with the first run: comparison, "
              "comparison-difference, matched-steps, variance-comparison, ...")  # fmt: skip
@click.option("-o", "--output", default="plot.png", show_default=True, metavar="FILE",
              help="A .png or .svg file.")  # fmt: skip
def command(paths: tuple[str, ...], metric: str, split: str | None, smooth: float, log_y: bool,
            kind: str, output: str, cache: bool) -> int:  # fmt: skip
    """Plot a metric of several runs."""
    from trainlens import plots
    from trainlens.readers import load

    target = Path(output)
    if target.suffix not in (".png", ".svg"):
        raise UsageError(f"{output}: plots are written as .png or .svg; end the name with one")
    runs = load(*paths, cache=cache)
    if "/" in metric and split is None and not _has(runs, metric):
        split, metric = metric.split("/", 1)
    if not _has(runs, metric, split):
        have = sorted({f"{s}/{m}" for run in runs for m, s in run.series})
        listed = ", ".join(have[:12]) + (", ..." if len(have) > 12 else "")
        raise UsageError(f"no run has {f'{split}/' if split else ''}{metric}; there are: {listed}")
    if kind:
        plots.save(plots.comparison_figure(_compared(runs, metric, split), kind), target)
    else:
        plots.save(plots.metric_figure(list(runs), metric, split, smooth, log_y), target)
    click.echo(str(target))
    return 0


def _compared(runs: Runs, metric: str, split: str | None) -> Comparison:
    """The first run against the others, in one metric."""
    from trainlens.comparison import compare

    return compare(runs[0], runs[1:], metrics=[metric], splits=[split] if split else [])


def _has(runs: Runs, metric: str, split: str | None = None) -> bool:
    return any(m == metric and split in (None, s) for run in runs for m, s in run.series)
