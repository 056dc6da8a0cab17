"""The command line: parsing and printing only, every import of weight inside its command."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trainlens.errors import TrainlensError, UsageError

if TYPE_CHECKING:
    from trainlens.judged import Judged
    from trainlens.place import Place
    from trainlens.readers import Survey
    from trainlens.run import Notice, Runs
    from trainlens.work import Judging

T = TypeVar("T")


def _paths(command: Any) -> Any:
    """What every command that reads runs takes."""
    command = click.option("--cache/--no-cache", default=True,
                           help="Keep what was read in your cache folder.  [default: cache]"
                           )(command)  # fmt: skip
    return click.argument("paths", nargs=-1, required=True, metavar="PATH...")(command)


_SEVERITIES = ("info", "warning", "error")


def _judging(command: Any) -> Any:
    """Options of every command that runs the rules."""
    for option in reversed(
        (
            click.option("--profile", default="default", show_default=True, metavar="NAME",
                         help="Thresholds: default (scale-free) or seed (fixed)."),
            click.option("--select", multiple=True, metavar="RULE", help="Only this rule."),
            click.option("--ignore", multiple=True, metavar="RULE", help="All but this rule."),
            click.option("--set", "settings", multiple=True, metavar="RULE.SETTING=VALUE",
                         help="A threshold in place of its default."),
            click.option("--strict", is_flag=True, help="Exit with 1 if any record was lost."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def _running(command: Any) -> Any:
    """Options of every command that may have many runs to read."""
    for option in reversed(
        (
            click.option("--workers", type=click.IntRange(min=1), metavar="N",
                         help="Processes that read.  [default: one a core where it pays]"),
            click.option("--engine", type=click.Choice(["local", "dask"]), default="local",
                         show_default=True, help="Read on this machine or on a Dask cluster."),
            click.option("--scheduler", metavar="ADDRESS",
                         help="Of the Dask cluster; without it one is started here."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trainlens")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto",
              help="When to colour; NO_COLOR is respected.")  # fmt: skip
@click.pass_context
def cli(context: click.Context, color: str) -> None:
    """Read the logs of training runs and say what is wrong with them.

    PATH is a log file, a folder that is searched for runs, a glob pattern, or a URL.
    """
    chosen = {"always": True, "never": False, "auto": None}[color]
    context.color = False if chosen is None and os.environ.get("NO_COLOR") else chosen


@cli.command()
@_paths
@click.option("-o", "--output", default="reports", show_default=True, metavar="DIR",
              help="Folder for index.html, report.json and the PNGs.")  # fmt: skip
@click.option("--format", "formats", multiple=True, type=click.Choice(["html", "md"]),
              help="Page format, repeatable.  [default: html]")  # fmt: skip
@click.option("--title", default="", help="Title of the page.")
@click.option("--plots/--no-plots", default=True, help="Draw PNG diagnostics.")
@click.option("--pages", default=50, show_default=True, type=click.IntRange(min=0), metavar="N",
              help="Of more than 100 runs, how many get a page of their own.")  # fmt: skip
@click.option("--fail-on", type=click.Choice([*_SEVERITIES, "never"]), default="never",
              show_default=True, help="Exit with 1 at findings of this severity.")  # fmt: skip
@_judging
@_running
def report(paths: tuple[str, ...], output: str, formats: tuple[str, ...], title: str,
           plots: bool, pages: int, fail_on: str, **options: Any) -> int:  # fmt: skip
    """Write an HTML report with PNGs."""
    from trainlens import jobs
    from trainlens.judged import overall
    from trainlens.readers import Survey

    survey = Survey(*paths, cache=options["cache"])
    page = jobs.Page(_path(output), formats or ("html",), title, _command_line(), plots, pages)
    told, written = jobs.report(
        survey, page, _judge(options), now=time.time(), place=_place(options), ticking=_ticking
    )
    click.echo(overall(told))
    _echo_notices(survey.notices)
    click.echo(f"Report: {written[0]} and {len(written) - 1} more files beside it", err=True)
    seen = _Seen(fail_on, strict=options["strict"])
    list(seen.watch(told))
    return seen.failed(survey.notices)


@cli.command()
@_paths
@click.option("--json", "as_json", is_flag=True, help="trainlens.diagnosis/1 on stdout.")
@click.option("--fail-on", type=click.Choice([*_SEVERITIES, "never"]), default="warning",
              show_default=True, help="Exit with 1 at findings of this severity.")  # fmt: skip
@_judging
@_running
def diagnose(paths: tuple[str, ...], as_json: bool, fail_on: str, **options: Any) -> int:
    """Say whether runs are healthy, and if not, why."""
    from functools import partial

    from trainlens.place import engine_for
    from trainlens.readers import Survey
    from trainlens.work import tell

    survey, seen = Survey(*paths, cache=options["cache"]), _Seen(fail_on, strict=options["strict"])
    with engine_for(survey, _place(options)) as engine:
        told = seen.watch(survey.each(partial(tell, _judge(options)), engine))
        if as_json or not sys.stdout.isatty():
            told = _ticking(told, len(survey))
        if as_json:
            _echo_json(told, survey)
        else:
            _echo_diagnoses(told)
    _echo_notices(() if as_json else survey.notices)
    return seen.failed(survey.notices) or (2 if seen.verdicts <= {"inconclusive"} else 0)


def _echo_json(told: Iterator[Judged], survey: Survey) -> None:
    from trainlens.render.json import pieces

    for piece in pieces(told, lambda: survey.notices):
        click.echo(piece, nl=False)
    click.echo()


def _echo_diagnoses(told: Iterator[Judged]) -> None:
    from trainlens.render import text

    columns = text.width()
    for i, one in enumerate(told):
        click.echo("\n" * bool(i) + text.diagnosis(one, columns=columns))


class _Seen:
    """What the exit code depends on, gathered while runs pass by."""

    def __init__(self, fail_on: str, *, strict: bool) -> None:
        self._least = None if fail_on == "never" else _SEVERITIES.index(fail_on)
        self._strict = strict
        self._found = self._lost = False
        self.verdicts: set[str] = set()

    def watch(self, runs: Iterable[Judged]) -> Iterator[Judged]:
        """Pass runs on."""
        for run in runs:
            self.verdicts.add(run.verdict)
            self._lost = self._lost or _lost(run.notices)
            if self._least is not None:
                self._found |= any(f.severity.rank >= self._least for f in run.findings)
            yield run

    def failed(self, notices: Sequence[Notice]) -> int:
        """1 where something was found, or lost and that matters; else 0."""
        return int(self._found or (self._strict and (self._lost or _lost(notices))))


@cli.command(name="ls")
@_paths
@click.option("--all", "every", is_flag=True,
              help="Every file below PATH, with its format or why it is no log.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 1 if any record was lost.")
@_running
def list_runs(paths: tuple[str, ...], every: bool, strict: bool, **options: Any) -> int:
    """List runs: format, steps, metrics, attempts, age, damage."""
    from functools import partial

    from trainlens import work
    from trainlens.place import engine_for
    from trainlens.readers import Survey
    from trainlens.render import text

    if every:
        return _list_files(paths)
    survey = Survey(*paths, cache=options["cache"])
    with engine_for(survey, _place(options)) as engine:
        rows = survey.each(partial(work.row, time.time()), engine)
        listed = list(_ticking(rows, len(survey)))
    heads = ("run", "format", "steps", "metrics", "points", "attempts", "age", "damage")
    # A pipe gets every column; only a terminal has a width to fit.
    columns = text.width() if sys.stdout.isatty() else 10_000
    click.echo(text.table([row.cells for row in listed], heads, columns=columns))
    _echo_notices(survey.notices)
    return int(strict and (_lost(survey.notices) or any(row.lost for row in listed)))


def _list_files(paths: tuple[str, ...]) -> int:
    from trainlens.readers import account
    from trainlens.remote.shown import as_shown
    from trainlens.render.text import clean

    for file in account(*paths):
        reason = f"  ({file.reason})" if file.reason else ""
        place = as_shown(file.path, str(file.path))
        click.echo(clean(f"{file.format or '–':<15} {place}{reason}"))
    return 0


@cli.command()
@_paths
@click.option("--metric", required=True, metavar="M", help="Metric, e.g. loss or val/mpjpe.")
@click.option("--split", default=None, metavar="S", help="train, val or test; both if left out.")
@click.option("--smooth", default=0.0, show_default=True, metavar="WEIGHT",
              type=click.FloatRange(0, 1, max_open=True),
              help="Weight of the past in the moving average.")  # fmt: skip
@click.option("--log-y", is_flag=True, help="Logarithmic axis.")
@click.option("-o", "--output", default="plot.png", show_default=True, metavar="FILE",
              help="A .png or .svg file.")  # fmt: skip
def plot(paths: tuple[str, ...], metric: str, split: str | None, smooth: float, log_y: bool,
         output: str, cache: bool) -> int:  # fmt: skip
    """Plot a metric of several runs."""
    from trainlens import plots

    target = _path(output)
    if target.suffix not in (".png", ".svg"):
        raise UsageError(f"{output}: plots are written as .png or .svg; end the name with one")
    runs = _load(paths, cache)
    if "/" in metric and split is None and not _has(runs, metric):
        split, metric = metric.split("/", 1)
    if not _has(runs, metric, split):
        have = sorted({f"{s}/{m}" for run in runs for m, s in run.series})
        listed = ", ".join(have[:12]) + (", ..." if len(have) > 12 else "")
        raise UsageError(f"no run has {f'{split}/' if split else ''}{metric}; there are: {listed}")
    plots.save(plots.metric_figure(list(runs), metric, split, smooth, log_y), target)
    click.echo(str(target))
    return 0


def _has(runs: Runs, metric: str, split: str | None = None) -> bool:
    return any(m == metric and split in (None, s) for run in runs for m, s in run.series)


@cli.command()
@_paths
@click.option(
    "-o", "--output", required=True, metavar="FILE", help="A .csv, .jsonl or .parquet file."
)
def export(paths: tuple[str, ...], output: str, cache: bool) -> int:
    """Write all points as one long table."""
    from trainlens.export import write_table

    runs = _load(paths, cache)
    rows = write_table(runs, _path(output))
    _echo_notices(runs.notices)
    click.echo(f"{output}: {rows} rows", err=True)
    return 0


@cli.command()
@click.argument("rule", required=False)
@click.option("--profile", default="default", show_default=True, metavar="NAME")
def rules(rule: str | None, profile: str) -> int:
    """Explain the rules: what each looks for, its defaults, its source."""
    from trainlens.render import text
    from trainlens.rules import all_rules

    known = all_rules(profile)
    if rule is None:
        rows = [(n, known[n].severity.value, known[n].title) for n in sorted(known)]
        click.echo(text.table(rows, ("rule", "severity", "looks for"), columns=text.width() + 40))
        return 0
    if rule not in known:
        raise UsageError(f"unknown rule {rule!r}; `trainlens rules` lists them")
    one = known[rule]
    click.echo(f"{click.style(one.name, bold=True)}  {one.severity.value}\n\n{one.advice}\n")
    for name, default in one.defaults.items():
        click.echo(f"  --set {one.name}.{name}={default}")
    if one.source:
        click.echo(f"\nSource: {one.source}")
    return 0


def _path(text: str) -> Any:
    from pathlib import Path

    return Path(text)


def _load(paths: Sequence[str], cache: bool) -> Runs:
    from trainlens.readers import load

    return load(*paths, cache=cache)


def _judge(options: dict[str, Any]) -> Judging:
    from trainlens.work import Judging

    return Judging(
        options["profile"], options["select"], options["ignore"], _settings(options["settings"])
    )


def _place(options: dict[str, Any]) -> Place:
    from trainlens.place import Place

    return Place(options["workers"], options["engine"], options["scheduler"])


def _ticking(results: Iterator[T], total: int) -> Iterator[T]:
    from trainlens.render.progress import ticking

    return ticking(results, total, stream=sys.stderr)


def _settings(given: Sequence[str]) -> dict[str, dict[str, Any]]:
    import ast

    settings: dict[str, dict[str, Any]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        rule, dot, setting = name.partition(".")
        if not equals or not dot:
            raise UsageError(f"--set {text}: write RULE.SETTING=VALUE, e.g. loss-spike.window=201")
        try:
            settings.setdefault(rule, {})[setting] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings.setdefault(rule, {})[setting] = value
    return settings


def _echo_notices(notices: Sequence[Notice]) -> None:
    if notices:
        from trainlens.render import text

        click.echo(text.notices(notices, columns=text.width()), err=True)


def _lost(notices: Sequence[Notice]) -> bool:
    return any(n.lost != 0 for n in notices)


def _command_line() -> str:
    import shlex

    from trainlens.remote.url import public, secrets

    # The page is shown to others: no password or signature of a URL may be on it.
    return shlex.join(["trainlens", *(public(a) if secrets(a) else a for a in sys.argv[1:])])


def main() -> None:
    """Entry point: one line and exit code 2 for an error, 130 for Ctrl-C."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except TrainlensError as error:
        click.echo(f"trainlens: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
