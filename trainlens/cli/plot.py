"""``trainlens plot``."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainlens import words
from trainlens.cli import _complete, _options
from trainlens.cli._say import any_lost, echo_notices
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.comparison.model import Comparison
    from trainlens.plots import Plot
    from trainlens.rules.base import Finding
    from trainlens.run import Run, Runs
    from trainlens.work import Judging

_COMPARISON = "comparison"


def _list(context: click.Context, _: click.Parameter, kind: str) -> str:
    """Tell the kinds before paths are asked for."""
    if kind == "list" and not context.resilient_parsing:
        click.echo(_kinds())
        context.exit()
    return kind


@click.command("plot", short_help="Plot a metric of several runs, or any other picture.")
@_options.paths
@click.option("--metric", default="", metavar="M", shell_complete=_complete.metrics,
              help="Metric, e.g. loss or val/mpjpe.")  # fmt: skip
@click.option("--split", default=None, metavar="S", help="train, val or test; both if left out.")
@click.option("--smooth", default=0.0, show_default=True, metavar="WEIGHT",
              type=click.FloatRange(0, 1, max_open=True),
              help="Weight of the past in the moving average.")  # fmt: skip
@click.option("--log-y", is_flag=True, help="Logarithmic axis.")
@click.option("--kind", default="", metavar="KIND", is_eager=True, callback=_list,
              shell_complete=_complete.kinds,
              help="Another picture: dashboard, learning-rate, comparison-difference, ...; "
              "`--kind list` tells all of them.")  # fmt: skip
@click.option("-o", "--output", default="plot.png", show_default=True, metavar="FILE",
              shell_complete=_complete.files,
              help="A .png or .svg file; where a picture shows one run and there are several, a "
              "folder, which gets a .png of each.")  # fmt: skip
@_options.judging
def command(**options: Any) -> int:
    """Plot a metric of several runs, or with --kind any other picture.

    Pictures of a comparison compare the first run with the others; without --metric they show
    the metric that tells most.
    """
    asked = _options.asked(options)
    options["judge"] = asked.judge
    code = _drawn(options)
    runs: Runs = options["runs"]
    echo_notices([*runs.notices, *asked.notices])
    return code or int(options["strict"] and any_lost(runs))


def _drawn(options: dict[str, Any]) -> int:
    """Draw what is asked for; the runs that were read for it are then among the options."""
    kind, target = options["kind"], Path(options["output"])
    if not kind or kind == "metric-overlay":
        return _metric(options, target)
    from trainlens.plots._comparing import comparison_plots
    from trainlens.plots.base import available

    if kind in available():
        return _of_runs(options, target)
    compared = [_COMPARISON, *comparison_plots()]
    if kind not in compared:
        raise UsageError(f"no picture {kind!r}; {_near(kind, [*available(), *compared])}")
    return _of_comparison(options, target)


def _metric(options: dict[str, Any], target: Path) -> int:
    from trainlens import plots

    if not options["metric"] and not options["kind"]:
        raise click.MissingParameter(
            "Or choose another picture with --kind; `--kind list` tells them.",
            param_type="option", param_hint="'--metric'",
        )  # fmt: skip
    _named_as_picture(target)
    runs = _read(options)
    metric, split = options["metric"], options["split"]
    if not metric:
        metric, split = _telling(runs)
    else:
        metric, split = _chosen(runs, metric, split)
    figure = plots.metric_figure(list(runs), metric, split, options["smooth"], options["log_y"])
    return _say(plots.save(figure, target))


def _of_comparison(options: dict[str, Any], target: Path) -> int:
    from trainlens import plots

    _without(options, "smooth", "log_y")
    _named_as_picture(target)
    runs = _read(options)
    if len(runs) < 2:
        raise UsageError(f"{options['kind']} compares the first run with others; only one was read")
    metric, split = options["metric"], options["split"]
    if metric:
        metric, split = _chosen(runs, metric, split)
    made = _compared(runs, metric, split)
    return _say(plots.save(plots.comparison_figure(made, options["kind"]), target))


def _of_runs(options: dict[str, Any], target: Path) -> int:
    from trainlens import plots

    kind = options["kind"]
    _without(options, "metric", "split", "smooth", "log_y")
    plot, folder = plots.available()[kind], target.suffix == "" or target.is_dir()
    if not folder:
        _named_as_picture(target)
    runs = _read(options)
    if not any(map(plot.applies, runs)):
        raise UsageError(f"{kind}: {_who(runs)} has nothing that it could show")
    if folder:
        return _of_each(plot, runs, target, options["judge"])
    if len(runs) > 1 and not plot.several:
        raise UsageError(
            f"{kind} shows one run, and {len(runs)} were read; give the path of one of them, or "
            "with -o a folder, which gets a picture of each"
        )
    ax = plot.draw(
        list(runs), findings=_faults(runs[0], options["judge"]) if len(runs) == 1 else ()
    )
    return _say(plots.save(plots.figure_of(ax), target))


def _of_each(plot: Plot, runs: Runs, folder: Path, judge: Judging) -> int:
    from trainlens import plots
    from trainlens.render.folder import make_folder

    make_folder(folder)
    for place, run in enumerate(runs, 1):
        if plot.applies(run):
            figure = plots.figure_of(plot.draw(run, findings=_faults(run, judge)))
            _say(plots.save(figure, folder / f"run-{place:02d}-{plot.name}.png"))
        else:
            name = words.shortened(run.name)
            click.echo(f"{name}: it has nothing that {plot.name} could show", err=True)
    return 0


def _read(options: dict[str, Any]) -> Runs:
    from trainlens.readers import load
    from trainlens.run import Runs
    from trainlens.settings import with_meanings

    found = load(*options["paths"], cache=options["cache"])
    judge: Judging = options["judge"]
    meant = [with_meanings(run, judge.roles)[0] for run in found]
    runs = options["runs"] = Runs(meant, found.notices)
    return runs


def _faults(run: Run, judge: Judging) -> Sequence[Finding]:
    """The faults of a run that count, to be marked in its picture."""
    return judge(run).findings


def _named_as_picture(target: Path) -> None:
    if target.suffix not in (".png", ".svg"):
        raise UsageError(f"{target}: plots are written as .png or .svg; end the name with one")


def _without(options: dict[str, Any], *names: str) -> None:
    """Refuse options that a picture of this kind does not have."""
    given = [f"--{name.replace('_', '-')}" for name in names if options[name]]
    if given:
        raise UsageError(f"{options['kind']} has no {given[0]}; leave it out")


def _say(written: Path) -> int:
    click.echo(str(written))
    return 0


def _who(runs: Runs) -> str:
    return words.shortened(runs[0].name) if len(runs) == 1 else f"none of {len(runs)} runs"


def _telling(runs: Runs) -> tuple[str, str | None]:
    """The metric that most runs have, and that tells most."""
    from trainlens.plots.metric_overlay import shared_keys

    keys = shared_keys(runs, least=1)
    if not keys:
        raise UsageError(f"metric-overlay: {_who(runs)} has nothing that it could show")
    return keys[0]


def _chosen(runs: Runs, metric: str, split: str | None) -> tuple[str, str | None]:
    """Metric and split as the runs know them."""
    if "/" in metric and split is None and not _has(runs, metric):
        split, metric = metric.split("/", 1)
    if not _has(runs, metric, split):
        have = sorted({f"{s}/{m}" for run in runs for m, s in run.series})
        listed = ", ".join(have[:12]) + (", ..." if len(have) > 12 else "")
        asked = f"{split}/{metric}" if split else metric
        hint = words.nearest(asked, [*have, *sorted({m for run in runs for m, _ in run.series})])
        near = hint if hint.endswith("?") else f"there are: {listed}"
        raise UsageError(f"no run has {asked}; {near}")
    return metric, split


def _compared(runs: Runs, metric: str, split: str | None) -> Comparison:
    """The first run against the others, in one metric or in all."""
    from trainlens.comparison import compare

    metrics, splits = [metric] if metric else [], [split] if split else []
    return compare(runs[0], runs[1:], metrics=metrics, splits=splits)


def _has(runs: Runs, metric: str, split: str | None = None) -> bool:
    return any(m == metric and split in (None, s) for run in runs for m, s in run.series)


def _near(kind: str, known: Sequence[str]) -> str:
    """The nearest names of a mistyped one, or where to find all."""
    near = get_close_matches(kind, known, 3, 0.5)
    named = " or ".join(repr(name) for name in near)
    return f"did you mean {named}?" if near else "`trainlens plot --kind list` tells all of them"


def _kinds() -> str:
    """Every picture with its sentence, in three groups."""
    from trainlens.plots._comparing import comparison_plots
    from trainlens.plots.base import available

    plots = available().values()
    whole = [(_COMPARISON, "Every picture of one metric of a comparison on one sheet.")]
    groups = {
        "Of one run": [(p.name, p.about) for p in plots if not p.several],
        "Of one or several runs": [(p.name, p.about) for p in plots if p.several],
        "Of the first run against the others": [
            *whole, *((p.name, p.about) for p in comparison_plots().values())
        ],
    }  # fmt: skip
    wide = max(len(name) for told in groups.values() for name, _ in told) + 2
    lines = []
    for title, told in groups.items():
        lines += [f"{title}:", *(_line(name, about, wide) for name, about in told), ""]
    return "\n".join(lines).rstrip()


def _line(name: str, about: str, wide: int) -> str:
    # Docstrings are wrapped; the sentence of a picture is one.
    sentence = " ".join(about.split()).replace("`", "")
    rest = " " * (wide + 2)
    return textwrap.fill(f"  {name:{wide}}{sentence}", 100, subsequent_indent=rest)
