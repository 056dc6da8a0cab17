"""``trainlens ls``."""

from __future__ import annotations

import sys
from typing import Any

import click

from trainlens.cli import _options
from trainlens.cli._say import echo_notices, lost, ticking


@click.command("ls")
@_options.paths
@click.option("--all", "every", is_flag=True,
              help="Every file below PATH, with its format or why it is no log.")  # fmt: skip
@_options.strict
@_options.running
def command(paths: tuple[str, ...], every: bool, strict: bool, **options: Any) -> int:
    """List runs: format, steps, metrics, attempts, age, damage."""
    if every:
        return _list_files(paths)
    return _list_runs(paths, strict, options)


def _list_runs(paths: tuple[str, ...], strict: bool, options: dict[str, Any]) -> int:
    import time
    from functools import partial

    from trainlens import work
    from trainlens.place import engine_for
    from trainlens.readers import Survey
    from trainlens.render import text

    survey = Survey(*paths, cache=options["cache"])
    with engine_for(survey, _options.place(options)) as engine:
        rows = survey.each(partial(work.row, time.time()), engine)
        listed = list(ticking(rows, len(survey)))
    heads = ("run", "format", "steps", "metrics", "points", "attempts", "age", "damage")
    # A pipe gets every column; only a terminal has a width to fit.
    columns = text.width() if sys.stdout.isatty() else 10_000
    click.echo(text.table([row.cells for row in listed], heads, columns=columns))
    echo_notices(survey.notices)
    return int(strict and (lost(survey.notices) or any(row.lost for row in listed)))


def _list_files(paths: tuple[str, ...]) -> int:
    from trainlens.readers import account
    from trainlens.remote.shown import as_shown
    from trainlens.render.text import clean

    for file in account(*paths):
        reason = f"  ({file.reason})" if file.reason else ""
        place = as_shown(file.path, str(file.path))
        click.echo(clean(f"{file.format or '–':<15} {place}{reason}"))
    return 0
