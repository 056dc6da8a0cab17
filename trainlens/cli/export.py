"""``trainlens export``."""

from __future__ import annotations

from pathlib import Path

import click

from trainlens.cli import _complete, _options
from trainlens.cli._say import any_lost, echo_notices


@click.command("export")
@_options.paths
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="A .csv, .jsonl or .parquet file.",
    shell_complete=_complete.files,
)
@_options.strict
def command(paths: tuple[str, ...], output: str, cache: bool, strict: bool) -> int:
    """Write all points as one long table."""
    from trainlens.export import write_table
    from trainlens.readers import load

    runs = load(*paths, cache=cache)
    rows = write_table(runs, Path(output))
    echo_notices(runs.notices)
    click.echo(f"{output}: {rows} rows", err=True)
    return int(strict and any_lost(runs))
