"""Live through a story: ``python -m examples.run NAME [--short]``.

A sick training is run, diagnosed, treated as `trainlens` prescribes, run again and compared; what
is said goes to the terminal and, with a report, into a folder. ``all`` tells all of them.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks import document
from examples.story.outcome import Outcome
from examples.story.plan import Story
from examples.story.seeds import trainings
from examples.story.table import Timed, table
from examples.story.telling import Teller, tell

STORIES = (
    "bifusion_clip",
    "quadmodal_flat_loss",
    "decode_stagnation",
    "diffold_guarded",
    "handpose_dropout",
)
MARK = "story.md"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--short", is_flag=True, help="Three seeds and shorter trainings: 20 seconds.")
@click.option("--seeds", type=click.IntRange(1), help="Trainings a side.  [default: 5]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("reports"), show_default=True
)
@click.option("--quiet", is_flag=True, help="Only how it ended.")
@click.option(
    "--write",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Put a table of what came out between the markers of this page.",
)
def main(
    names: tuple[str, ...],
    short: bool,
    seeds: int | None,
    output: Path,
    quiet: bool,
    write: Path | None,
) -> None:
    """Live through a story from its sick training to the verdict.

    Names: bifusion_clip, quadmodal_flat_loss, decode_stagnation, diffold_guarded,
    handpose_dropout; all tells them one after the other. Exit code 0: the faults were found and
    the treatment worked; 1: not so, and it says what.
    """
    chosen = STORIES if names == ("all",) else names
    for name in chosen:
        if name not in STORIES:
            raise click.BadParameter(f"there is no {name!r}; there are {', '.join(STORIES)}, all")
    count = seeds or (3 if short else 5)
    told = [_told(name, output / name, range(count), short, quiet) for name in chosen]
    if write:
        document.replace(write, f"{document.machine()}\n\n{table(told)}")
    sys.exit(max(one.outcome.code for one in told))


def _told(name: str, folder: Path, seeds: range, short: bool, quiet: bool) -> Timed:
    start = time.monotonic()
    story: Story = importlib.import_module(f"examples.{name}.story").STORY
    _emptied(folder)
    # One more than cores: a training now and then waits for its data.
    workers = min(len(seeds), 1 + (os.cpu_count() or 1))
    with _written(folder / MARK, quiet) as say, trainings(workers) as train:
        outcome: Outcome = tell(story, Teller(say, folder.resolve(), train, seeds, short))
    lines = outcome.summary().replace(str(folder.resolve()), str(folder))
    taken = time.monotonic() - start
    click.echo(f"{name}, {taken:.0f} s\n" + _indented(lines))
    return Timed(name, outcome, taken)


def _emptied(folder: Path) -> None:
    """A folder of an earlier telling is replaced; any other that holds files is left alone."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise click.UsageError(f"{folder} holds files of something else; give another --output")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


@contextmanager
def _written(path: Path, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function that says a block: into the file, and on the terminal."""
    with open(path, "w", encoding="utf-8") as file:

        def say(text: str) -> None:
            file.write(text + "\n\n")
            file.flush()
            if not quiet:
                click.echo(text + "\n")

        yield say


def _indented(lines: str) -> str:
    return "\n".join(f"  {line}" for line in lines.splitlines())


if __name__ == "__main__":
    main()
