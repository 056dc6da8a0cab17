"""Reading a log with trainlens, and stopping it where it hangs."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from tests.robustness.truth import Point
from trainlens.chunk import Chunk, Notice
from trainlens.errors import TrainlensError
from trainlens.readers.base import Source

PATIENCE = 20
"""Seconds that a file of some KB may take before it counts as a hang."""


class Hang(BaseException):
    """Reading takes for ever. No `Exception`: nothing shall swallow it."""


@dataclass
class Found:
    """What was read of one run.

    Parameters
    ----------
    columns : dict of (name, split) to list of Point
        In the order of the log.
    notices : list of Notice
    error : str
        What a `TrainlensError` said.
    """

    columns: dict[tuple[str, str | None], list[Point]] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    error: str = ""

    def take(self, chunk: Chunk) -> None:
        """Add what one poll gave."""
        self.notices += chunk.notices
        for c in chunk.columns:
            rows = zip(c.step.tolist(), c.value.tolist(), strict=True)
            self.columns.setdefault((c.name, c.split), []).extend(
                Point(c.name, c.split, step, value if value == value else "nan")
                for step, value in rows
            )

    @property
    def points(self) -> list[Point]:
        """All points, column by column."""
        return [p for held in self.columns.values() for p in held]

    @property
    def told(self) -> bool:
        """Whether anything was said about what was read; that a run has not ended is nothing."""
        return bool(self.error) or any(n.kind != "unfinished" for n in self.notices)


def sources(format_name: str, path: Path) -> tuple[ModuleType, list[Source]]:
    """The reader of a format, and the runs that it finds in a path."""
    module = importlib.import_module(f"trainlens.readers.{format_name.replace('-', '_')}")
    return module, module.find(path)


def read(format_name: str, path: Path, only: str | None = None) -> dict[str, Found]:
    """Everything in a path by the key of its run, or one run; a deliberate error is kept."""
    found: dict[str, Found] = {}
    with no_hang():
        try:
            module, held = sources(format_name, path)
        except TrainlensError as error:
            return {only or "": Found(error=str(error))}
        for source in held:
            if only is not None and source.key != only:
                continue
            run = found.setdefault(source.key, Found())
            try:
                run.take(module.open_source(source).poll(final=True))
            except TrainlensError as error:
                run.error = str(error)
    return found


@contextmanager
def no_hang(seconds: int = PATIENCE) -> Iterator[None]:
    """Raise `Hang` in the middle of what takes too long (where the system has alarms)."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: object) -> None:
        raise Hang(f"still reading after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
