"""The command line: parsing and printing only, every import of weight inside its command."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from trainlens.errors import TrainlensError, UsageError

if TYPE_CHECKING:
    from trainlens.rules import Diagnosis
    from trainlens.run import Notice, Run, Runs

_PATHS = click.argument("paths", nargs=-1, required=True, metavar="PATH...")
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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trainlens")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto",
              help="When to colour; NO_COLOR is respected.")  # fmt: skip
@click.pass_context
def cli(context: click.Context, color: str) -> None:
    """Read the logs of training runs and say what is wrong with them.

    PATH is a log file, a folder that is searched for runs, or a glob pattern.
    """
    chosen = {"always": True, "never": False, "auto": None}[color]
    context.color = False if chosen is None and os.environ.get("NO_COLOR") else chosen


@cli.command()
@_PATHS
@click.option("-o", "--output", default="reports", show_default=True, metavar="DIR",
              help="Folder for index.html, report.json and the PNGs.")  # fmt: skip
@click.option("--format", "formats", multiple=True, type=click.Choice(["html", "md"]),
              help="Page format, repeatable.  [default: html]")  # fmt: skip
@click.option("--title", default="", help="Title of the page.")
@click.option("--plots/--no-plots", default=True, help="Draw PNG diagnostics.")
@click.option("--fail-on", type=click.Choice([*_SEVERITIES, "never"]), default="never",
              show_default=True, help="Exit with 1 at findings of this severity.")  # fmt: skip
@_judging
def report(paths: tuple[str, ...], output: str, formats: tuple[str, ...], title: str,
           plots: bool, fail_on: str, **options: Any) -> int:  # fmt: skip
    """Write an HTML report with PNGs."""
    from trainlens.engine import helper

    # Importing what draws takes longer than reading a log: it is done beside it.
    with helper(_ready_to_draw, wanted=plots) as beside:
        from trainlens.render.folder import write_report

        runs = _load(paths)
        diagnoses = _diagnose(runs, options)
        written = write_report(
            diagnoses,
            _path(output),
            notices=runs.notices,
            formats=formats or ("html",),
            plots=plots,
            title=title,
            command=_command_line(),
            now=time.time(),
            helper=beside,
        )
    from trainlens.verdict import overall

    click.echo(overall(diagnoses))
    _echo_notices(runs)
    click.echo(f"Report: {written[0]} and {len(written) - 1} more files beside it", err=True)
    return int(_failed(diagnoses, runs.notices, fail_on, options["strict"]))


def _ready_to_draw() -> None:
    from trainlens.plots import ready

    ready()


@cli.command()
@_PATHS
@click.option("--json", "as_json", is_flag=True, help="trainlens.diagnosis/1 on stdout.")
@click.option("--fail-on", type=click.Choice([*_SEVERITIES, "never"]), default="warning",
              show_default=True, help="Exit with 1 at findings of this severity.")  # fmt: skip
@_judging
def diagnose(paths: tuple[str, ...], as_json: bool, fail_on: str, **options: Any) -> int:
    """Say whether runs are healthy, and if not, why."""
    runs = _load(paths)
    diagnoses = _diagnose(runs, options)
    if as_json:
        from trainlens.render.json import dumps

        click.echo(dumps(diagnoses, runs.notices))
    else:
        from trainlens.render import text

        columns = text.width()
        click.echo("\n\n".join(text.diagnosis(d, columns=columns) for d in diagnoses))
        _echo_notices(runs)
    if _failed(diagnoses, runs.notices, fail_on, options["strict"]):
        return 1
    return 2 if all(d.verdict == "inconclusive" for d in diagnoses) else 0


@cli.command(name="ls")
@_PATHS
@click.option("--all", "every", is_flag=True,
              help="Every file below PATH, with its format or why it is no log.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit with 1 if any record was lost.")
def list_runs(paths: tuple[str, ...], every: bool, strict: bool) -> int:
    """List runs: format, steps, metrics, attempts, age, damage."""
    from trainlens.render import text

    if every:
        return _list_files(paths)
    runs = _load(paths)
    now = time.time()
    heads = ("run", "format", "steps", "metrics", "points", "attempts", "age", "damage")
    rows = [_row(run, now) for run in runs]
    # A pipe gets every column; only a terminal has a width to fit.
    columns = text.width() if sys.stdout.isatty() else 10_000
    click.echo(text.table(rows, heads, columns=columns))
    _echo_notices(runs)
    return 1 if strict and _lost([*runs.notices, *(n for r in runs for n in r.notices)]) else 0


def _list_files(paths: tuple[str, ...]) -> int:
    from trainlens.readers import account
    from trainlens.render.text import clean

    for file in account(*paths):
        reason = f"  ({file.reason})" if file.reason else ""
        click.echo(clean(f"{file.format or '–':<15} {file.path}{reason}"))
    return 0


def _row(run: Run, now: float) -> tuple[str, ...]:
    from trainlens import words

    first, last = run.steps or (None, None)
    span = (
        f"{words.step(first)}–{words.step(last)}" if first is not None and last is not None else "–"
    )
    age = words.duration(max(0.0, now - run.wall_times[1])) if run.wall_times else "unknown"
    lost = [n for n in run.notices if n.lost != 0]
    known = sum(n.lost or 0 for n in lost)
    damage = (
        "" if not lost else f"{words.plural(known, 'record')} lost" if known else "unknown loss"
    )
    return (run.name, run.format, span, str(len(run.series)), words.step(run.points),
            str(run.attempts), age, damage)  # fmt: skip


@cli.command()
@_PATHS
@click.option("--metric", required=True, metavar="M", help="Metric, e.g. loss or val/mpjpe.")
@click.option("--split", default=None, metavar="S", help="train, val or test; both if left out.")
@click.option("--smooth", default=0.0, show_default=True, metavar="WEIGHT",
              type=click.FloatRange(0, 1, max_open=True),
              help="Weight of the past in the moving average.")  # fmt: skip
@click.option("--log-y", is_flag=True, help="Logarithmic axis.")
@click.option("-o", "--output", default="plot.png", show_default=True, metavar="FILE",
              help="A .png or .svg file.")  # fmt: skip
def plot(paths: tuple[str, ...], metric: str, split: str | None, smooth: float, log_y: bool,
         output: str) -> int:  # fmt: skip
    """Plot a metric of several runs."""
    from trainlens import plots

    target = _path(output)
    if target.suffix not in (".png", ".svg"):
        raise UsageError(f"{output}: plots are written as .png or .svg; end the name with one")
    runs = _load(paths)
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
@_PATHS
@click.option(
    "-o", "--output", required=True, metavar="FILE", help="A .csv, .jsonl or .parquet file."
)
def export(paths: tuple[str, ...], output: str) -> int:
    """Write all points as one long table."""
    from trainlens.export import write_table

    runs = _load(paths)
    rows = write_table(runs, _path(output))
    _echo_notices(runs)
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


def _load(paths: Sequence[str]) -> Runs:
    from trainlens.readers import load

    return load(*paths)


def _diagnose(runs: Runs, options: dict[str, Any]) -> list[Diagnosis]:
    from trainlens.api import diagnose as judge

    settings = _settings(options["settings"])
    return [
        judge(run, profile=options["profile"], select=options["select"],
              ignore=options["ignore"], settings=settings)
        for run in runs
    ]  # fmt: skip


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


def _echo_notices(runs: Runs) -> None:
    if runs.notices:
        from trainlens.render import text

        click.echo(text.notices(runs.notices, columns=text.width()), err=True)


def _lost(notices: Sequence[Notice]) -> bool:
    return any(n.lost != 0 for n in notices)


def _failed(
    diagnoses: Sequence[Diagnosis], notices: Sequence[Notice], fail_on: str, strict: bool
) -> bool:
    if strict and _lost([*notices, *(n for d in diagnoses for n in d.run.notices)]):
        return True
    return fail_on != "never" and any(
        f.severity.rank >= _SEVERITIES.index(fail_on) for d in diagnoses for f in d.findings
    )


def _command_line() -> str:
    import shlex

    return shlex.join(["trainlens", *sys.argv[1:]])


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
