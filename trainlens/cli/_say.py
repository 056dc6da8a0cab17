"""What several commands print, and the exit code that follows from what was seen."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from trainlens.cli._options import SEVERITIES

if TYPE_CHECKING:
    from trainlens.asked import Asked
    from trainlens.judged import Judged
    from trainlens.run import Notice, Runs

T = TypeVar("T")


class Seen:
    """What the exit code depends on, gathered while runs pass by.

    Parameters
    ----------
    asked : Asked
    fail_on : str
        Severity that makes the exit code 1 where nothing else is asked, or ``never``.
    strict : bool
        Whether a lost record does, too.
    """

    def __init__(self, asked: Asked, fail_on: str, *, strict: bool) -> None:
        wanted = asked.fail_on or fail_on
        self._least = None if wanted == "never" else SEVERITIES.index(wanted)
        self._use = asked.use()
        self._strict = strict
        self._found = self._lost = False
        self.verdicts: set[str] = set()

    def watch(self, runs: Iterable[Judged]) -> Iterator[Judged]:
        """Pass runs on."""
        for run in runs:
            self.verdicts.add(run.verdict)
            self._use.see(run)
            self._lost = self._lost or lost(run.notices)
            if self._least is not None:
                self._found |= any(f.severity.rank >= self._least for f in run.findings)
            yield run

    def unused(self) -> list[Notice]:
        """What of the settings was of no use for the runs that passed by."""
        return self._use.notices()

    def failed(self, notices: Sequence[Notice]) -> int:
        """1 where something was found, or lost and that matters; else 0."""
        return int(self._found or (self._strict and (self._lost or lost(notices))))


def lost(notices: Sequence[Notice]) -> bool:
    """Whether one of them is about a record that was lost."""
    return any(n.lost != 0 for n in notices)


def any_lost(runs: Runs) -> bool:
    """Whether a record of runs, or of a file beside them, was lost."""
    return lost([*runs.notices, *(notice for run in runs for notice in run.notices)])


def echo_notices(notices: Sequence[Notice]) -> None:
    """Print notices to stderr."""
    if notices:
        from trainlens.render import text

        click.echo(text.notices(notices, columns=text.width()), err=True)


def ticking(results: Iterator[T], total: int) -> Iterator[T]:
    """Pass results on, and show on a terminal how many there were."""
    from trainlens.render.progress import ticking

    return ticking(results, total, stream=sys.stderr)
