"""``trainlens report``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from trainlens.cli import _options
from trainlens.cli._say import Seen, echo_notices, ticking


@click.command("report")
@_options.paths
@click.option("-o", "--output", default="reports", show_default=True, metavar="DIR",
              help="Folder for index.html, report.json and the PNGs.")  # fmt: skip
@click.option("--format", "formats", multiple=True, type=click.Choice(["html", "md"]),
              help="Page format, repeatable.  [default: html]")  # fmt: skip
@click.option("--title", default="", help="Title of the page.")
@click.option("--plots/--no-plots", default=True, help="Draw PNG diagnostics.")
@click.option("--pages", default=50, show_default=True, type=click.IntRange(min=0), metavar="N",
              help="Of more than 100 runs, how many get a page of their own.")  # fmt: skip
@click.option("--baseline", default="", metavar="RUN",
              help="Compare the other runs with this one.")  # fmt: skip
@_options.fail_on("never")
@_options.judging
@_options.running
def command(paths: tuple[str, ...], output: str, formats: tuple[str, ...], title: str,
            plots: bool, pages: int, baseline: str, fail_on: str | None,
            **options: Any) -> int:  # fmt: skip
    """Write an HTML report with PNGs."""
    from trainlens import jobs
    from trainlens.judged import overall
    from trainlens.readers import Survey

    asked = _options.asked(options, fail_on)
    survey = Survey(*paths, cache=options["cache"])
    survey.notices += asked.notices
    page = jobs.Page(
        Path(output), formats or ("html",), title, command_line(), plots, pages, baseline
    )
    told, written = jobs.report(
        survey,
        page,
        asked.judge,
        now=time.time(),
        place=_options.place(options),
        ticking=ticking,
        afterthoughts=asked.use().see_all,
    )
    click.echo(overall(told))
    echo_notices(survey.notices)
    click.echo(f"Report: {written[0]} and {len(written) - 1} more files beside it", err=True)
    seen = Seen(asked, "never", strict=options["strict"])
    list(seen.watch(told))
    return seen.failed(survey.notices)


def command_line() -> str:
    """The command as it was given, without the secrets of URLs."""
    import shlex

    from trainlens.remote.url import public, secrets

    # The page is shown to others: no password or signature of a URL may be on it.
    return shlex.join(["trainlens", *(public(a) if secrets(a) else a for a in sys.argv[1:])])
