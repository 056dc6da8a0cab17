"""``trainlens baseline``: learn what runs of one configuration show, and check further runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainlens.cli import _complete, _options
from trainlens.cli._say import any_lost, echo_notices
from trainlens.errors import UsageError

if TYPE_CHECKING:
    from trainlens.expectation import Expectation
    from trainlens.run import Runs


@click.group("baseline", short_help="Learn tolerances from runs, and check runs against them.")
def command() -> None:
    """Learn tolerances from runs, and check further runs against them."""


@command.command("learn")
@_options.paths
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE.toml",
    help="Where the expectations are written.",
    shell_complete=_complete.files,
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="M",
    help="Only this metric; patterns as in bbox/*.",
    shell_complete=_complete.metrics,
)
@click.option("--split", "splits", multiple=True, metavar="S", help="Only this split.")
@click.option(
    "--stat",
    "stats",
    multiple=True,
    metavar="STAT",
    help="What is learnt of each metric, repeatable.  [default: end]",
)
@click.option("--at", default="", metavar="STEPS", help="Values at these steps as well: 1000,2000.")
@click.option(
    "--level",
    default=0.99,
    show_default=True,
    type=click.FloatRange(0.5, 1, max_open=True),
    help="Share of further runs that keep to a limit.",
)
@click.option(
    "--rtol",
    type=click.FloatRange(min=0),
    metavar="X",
    help="Golden values: so much of the mean is tolerated, 0.02 is 2 %.",
)
@click.option(
    "--atol",
    type=click.FloatRange(min=0),
    metavar="X",
    help="Golden values: so much is tolerated, in the unit of the metric.",
)
@click.option("--two-sided", "both", is_flag=True, help="Better than expected misses as well.")
def learn(paths: tuple[str, ...], output: str, cache: bool, metrics: tuple[str, ...],
          splits: tuple[str, ...], stats: tuple[str, ...], at: str, level: float,
          rtol: float | None, atol: float | None, both: bool) -> int:  # fmt: skip
    """Write what the next run of this configuration should keep to."""
    from trainlens import words
    from trainlens.comparison import learned
    from trainlens.expectation import STATS
    from trainlens.readers import load
    from trainlens.render import write_text

    for stat in stats:
        if stat not in STATS:
            raise UsageError(f"unknown statistic {stat!r}; {words.nearest(stat, STATS)}")
    runs = load(*paths, cache=cache)
    asked = learned.Learning(
        metrics, splits, stats or ("end",), _options.places(at), level, rtol, atol, both
    )
    found = learned.learn(list(runs), asked)
    write_text(Path(output), learned.written(found, list(runs), asked))
    echo_notices(runs.notices)
    click.echo(f"{output}: {words.plural(len(found), 'expectation')} from "
               f"{words.plural(len(runs), 'run')}", err=True)  # fmt: skip
    return 0


@command.command("check")
@_options.paths
@click.option(
    "--expect",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    help="Expectations, .toml or .json, repeatable.",
    shell_complete=_complete.files,
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 also where one cannot be judged, or a record was lost.",
)
def check(paths: tuple[str, ...], cache: bool, files: tuple[str, ...],
          strict: bool) -> int:  # fmt: skip
    """Hold runs against expectations; exit code 1 where one is missed."""
    from trainlens.expectation import load as load_expectations
    from trainlens.readers import load

    wanted = [one for file in files for one in load_expectations(file)]
    runs = load(*paths, cache=cache)
    missed = _checked(runs, wanted, strict)
    echo_notices(runs.notices)
    return int(missed or (strict and any_lost(runs)))


def _checked(runs: Runs, wanted: list[Expectation], strict: bool) -> bool:
    from trainlens.comparison.expectations import judge
    from trainlens.comparison.model import Arm
    from trainlens.render import text
    from trainlens.render.comparison import kept

    missed = False
    for i, run in enumerate(runs):
        found = judge(wanted, Arm(run.name, (run,)))
        click.echo("\n" * bool(i) + kept(run.name, found, columns=text.width()))
        missed |= any(one.status == "missed" or (strict and one.status != "met") for one in found)
    return missed
