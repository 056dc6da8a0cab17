"""``trainlens compare``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from trainlens.cli import _complete, _options
from trainlens.cli._say import echo_notices, lost, ticking
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.comparison.model import Arm, Comparison
    from trainlens.place import Place
    from trainlens.readers import Survey
    from trainlens.run import Run
    from trainlens.settings import Meaning

_FORMATS = ("text", "md", "latex", "csv", "json")


@click.command("compare", short_help="Say whether candidates are better, or that is noise.")
@click.argument("paths", nargs=-1, required=True, metavar="BASELINE CANDIDATE...",
                shell_complete=_complete.files)  # fmt: skip
@click.option("--metric", "metrics", multiple=True, metavar="M", shell_complete=_complete.metrics,
              help="Only this metric, e.g. val/mpjpe or bbox/*.  [default: losses and measures "
              "of quality]")  # fmt: skip
@click.option("--split", "splits", multiple=True, metavar="S", help="Only train, val or test.")
@click.option(
    "--at", default="", metavar="STEP,...", help="Places to show all runs at, e.g. 3000,6000."
)
@click.option("--by", type=click.Choice(["step", "epoch", "time", "samples"]), default="step",
              show_default=True, help="What the runs are aligned by.")  # fmt: skip
@click.option("--threshold", "thresholds", multiple=True, metavar="METRIC=VALUE",
              help="Tell where each run reaches this.")  # fmt: skip
@click.option("--score", type=click.Choice(["late", "best", "last", "mean"]), default="late",
              show_default=True, help="What a run counts by where a side has several.")  # fmt: skip
@click.option("--expect", multiple=True, metavar="FILE", shell_complete=_complete.files,
              help="Targets, e.g. mean(val/mpjpe) < 80; exit with 1 if one is missed.")  # fmt: skip
@click.option("--group-by", metavar="KEY",
              help="Runs with the same value of this setting are one side.")  # fmt: skip
@click.option("--baseline", default="", metavar="SIDE",
              help="The side that the others are held against, or a folder in a path: those "
              "beside it are the others.  [default: the first]")  # fmt: skip
@click.option("--format", "form", type=click.Choice(_FORMATS), default=None,
              help="What is printed.  [default: text]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="trainlens.comparison/1 on stdout.")
@click.option("-o", "--output", "outputs", multiple=True, metavar="FILE",
              shell_complete=_complete.files,
              help="A .html, .png, .svg, .md, .tex, .csv, .json or .txt file, or a folder for the "
              "page with its pictures; repeatable.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Every metric and candidate at length.")
@click.option("--strict", is_flag=True,
              help="Exit with 1 if a target cannot be judged, or a record was lost.")  # fmt: skip
@_options.meaning
@_options.cache
@_options.running
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Say whether candidates are better than a baseline, or whether that may be noise.

    A path with several runs is one side: runs that differ in their seeds alone.
    """
    from trainlens.cli import _targets
    from trainlens.comparison import compare
    from trainlens.expectation import load

    form = _form(options)
    targets = [_targets.target(output, options["form"]) for output in options["outputs"]]
    expected = [one for file in options["expect"] for one in load(file)]
    asked = {
        "metrics": options["metrics"],
        "splits": options["splits"],
        "at": _options.places(options["at"]),
        "by": options["by"],
        "thresholds": dict(map(_threshold, options["thresholds"])),
        "score": options["score"],
    }
    survey, sides = _sides(paths, options)
    made = compare(sides[0], sides[1:], expect=expected, **asked)
    _worth(made, options["metrics"])
    if targets:
        _written(made, targets, survey, options)
    if not targets or options["as_json"]:
        click.echo(_targets.page(form, made, survey.notices, options["everything"]), nl=False)
    echo_notices(() if form == "json" else survey.notices)
    return _code(made, survey, strict=options["strict"])


def _form(options: dict[str, Any]) -> str:
    if options["as_json"] and options["form"] not in (None, "json"):
        raise UsageError(f"--json and --format {options['form']} exclude each other; leave one out")
    return "json" if options["as_json"] else options["form"] or "text"


def _threshold(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not name or number - number != 0:
        raise UsageError(f"--threshold {text}: write METRIC=VALUE, e.g. val/mpjpe=80")
    return name, number


def _sides(paths: tuple[str, ...], options: dict[str, Any]) -> tuple[Survey, tuple[Arm, ...]]:
    """The survey of all paths, and the sides of the comparison, the baseline first."""
    from trainlens import sides
    from trainlens.readers import Survey

    survey, key, baseline = Survey(*paths, cache=options["cache"]), options["group_by"], ""
    held: tuple[sides.Side, ...] = ()
    if not key:
        held, found = sides.by_path(survey, paths, options["baseline"])
        sides.enough(held, survey, paths[0], options["baseline"])
        baseline = "" if found else options["baseline"]
    runs = _read(survey, _options.meanings(options), _options.place(options))
    if key:
        return survey, sides.by_setting(key, options["baseline"], list(runs.values()))
    return survey, sides.first(sides.arms(held, survey.names, runs), baseline)


def _read(survey: Survey, meanings: Sequence[Meaning], place: Place) -> dict[str, Run]:
    """All runs of a survey that can be read, by name, with what their metrics mean."""
    from trainlens.place import engine_for

    with engine_for(survey, place) as engine:
        runs = survey.each(partial(_meant, tuple(meanings)), engine)
        return {run.name: run for run in ticking(runs, len(survey))}


def _meant(meanings: tuple[Meaning, ...], run: Run) -> Run:
    from trainlens.settings import with_meanings

    return with_meanings(run, meanings)[0]


def _worth(made: Comparison, metrics: tuple[str, ...]) -> None:
    """Stop where there is nothing that could be told.

    Raises
    ------
    UsageError
        No point in common, nothing finite, or only metrics without a direction were asked for.
    """
    rows = made.rows
    if not rows:
        raise UsageError("nothing to compare: no candidate has a metric of the baseline")
    if all(row.difference is None and not _points(row) for row in rows):
        raise UsageError(f"nothing to compare: {rows[0].because.rstrip('.')}")
    if metrics and not any(row.direction for row in rows):
        name = f"{rows[0].split}/{rows[0].metric}"
        raise UsageError(
            f"{name}: it is not known whether lower or higher is better; say it with "
            f"--role {name}=metric:min or --role {name}=metric:max"
        )


def _points(row: Any) -> bool:
    """Whether a row has anything that both sides share."""
    if row.alignment is not None:
        return len(row.alignment) > 0
    return all(summary.mean == summary.mean for summary in row.summaries)


def _written(made: Comparison, targets: list[Any], survey: Survey, options: dict[str, Any]) -> None:
    from trainlens.cli import _targets
    from trainlens.cli.report import command_line
    from trainlens.render.comparison import headline
    from trainlens.render.text import clean

    if not options["as_json"]:
        click.echo(clean(headline(made)))
    for target in targets:
        written = _targets.write(
            target,
            made,
            survey.notices,
            options["everything"],
            command=command_line(),
            now=time.time(),
        )
        more = len(written) - 1
        beside = f" and {more} more files beside it" if more else ""
        click.echo(f"Comparison: {written[0]}{beside}", err=True)


def _code(made: Comparison, survey: Survey, *, strict: bool) -> int:
    """1 where an expectation is missed; with strict also where one is open, or a record lost."""
    states = {one.status for one in made.expectations}
    if "missed" in states:
        return 1
    return int(strict and ("cannot-judge" in states or lost((*made.notices, *survey.notices))))
