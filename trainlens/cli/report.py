"""``trainlens report``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainlens.cli import _complete, _options
from trainlens.cli._say import Seen, echo_notices, ticking

if TYPE_CHECKING:
    from trainlens.reporting import Report

_WHERE = ("auto", "log", "aim", "tensorboard", "mlflow", "wandb")


class _Where(click.Choice):  # type: ignore[type-arg]  # generic only since click 8.2
    """A place for a report; without one ``--attach`` would take the path behind it for that."""

    name = "where"

    def __init__(self) -> None:
        super().__init__(_WHERE)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "[WHERE]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in _WHERE:
            places = ", ".join(_WHERE)
            self.fail(
                f"{value!r} is none of {places}; write --attach behind the paths, or "
                f"--attach=auto before them",
                param,
                ctx,
            )
        return value


@click.command("report")
@_options.paths
@click.option("-o", "--output", default="reports", show_default=True, metavar="DIR",
              shell_complete=_complete.folders,
              help="Folder for index.html, report.json and the PNGs.")  # fmt: skip
@click.option("--format", "formats", multiple=True, type=click.Choice(["html", "md"]),
              help="Page format, repeatable.  [default: html]")  # fmt: skip
@click.option("--title", default="", help="Title of the page.")
@click.option("--plots/--no-plots", default=True, help="Draw PNG diagnostics.")
@click.option("--pages", default=50, show_default=True, type=click.IntRange(min=0), metavar="N",
              help="Of more than 100 runs, how many get a page of their own.")  # fmt: skip
@click.option("--baseline", default="", metavar="SIDE",
              help="Compare the other runs with this one; the runs of each other path with those "
              "of this path, or of this folder in a path.")  # fmt: skip
@click.option(
    "--group-by",
    default="",
    metavar="KEY",
    help="Compare the runs with one value of this setting with those with others.",
)
@click.option("--attach", multiple=True, type=_Where(), is_flag=False, flag_value="auto",
              help="Put the report of each run where it lives as well, repeatable: log (beside "
              "it), aim, tensorboard, mlflow, wandb (into the run), or auto, which --attach alone "
              "means: what each run is.")  # fmt: skip
@_options.fail_on("never")
@_options.judging
@_options.running
def command(paths: tuple[str, ...], output: str, formats: tuple[str, ...], title: str,
            plots: bool, pages: int, baseline: str, group_by: str, attach: tuple[str, ...],
            fail_on: str | None, **options: Any) -> int:  # fmt: skip
    """Write an HTML report with PNGs."""
    from trainlens import jobs
    from trainlens.readers import Survey
    from trainlens.render.text import clean

    asked = _options.asked(options, fail_on)
    survey = Survey(*paths, cache=options["cache"])
    survey.notices += asked.notices
    built: list[Report] = []
    page = jobs.Page(
        Path(output),
        formats or ("html",),
        title,
        command_line(),
        plots,
        pages,
        paths=paths,
        baseline=baseline,
        group_by=group_by,
        attach=attach,
        told=built.append,
    )
    now = time.time()
    told, written = jobs.report(
        survey,
        page,
        asked.judge,
        now=now,
        place=_options.place(options),
        ticking=ticking,
        afterthoughts=asked.use().see_all,
    )
    click.echo(closing(built[0]))
    echo_notices(survey.notices)
    click.echo(f"Report: {written[0]} and {len(written) - 1} more files beside it", err=True)
    refused = False
    for done in jobs.attached(survey, page, asked.judge, told, now=now) if attach else ():
        click.echo(clean(str(done)), err=True)
        refused |= bool(done.refused)
    seen = Seen(asked, "never", strict=options["strict"])
    list(seen.watch(told))
    # What was asked for and could not be done is no success.
    return 2 if refused else seen.failed(survey.notices)


def closing(built: Report) -> str:
    """What to know of a report without opening it, for this terminal."""
    from trainlens.cli._plain import lacking
    from trainlens.render import terminal

    return terminal.closing(built, columns=terminal.width(), plain=lacking(sys.stdout))


def command_line() -> str:
    """The command as it was given, without the secrets of URLs."""
    import shlex

    from trainlens.remote.url import public, secrets

    # The page is shown to others: no password or signature of a URL may be on it.
    return shlex.join(["trainlens", *(public(a) if secrets(a) else a for a in sys.argv[1:])])
