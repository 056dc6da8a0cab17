"""What a sink is: where the entries of a run are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from trainlens_torch.record.entry import Entry

__all__ = ["Closing", "Sink", "Target"]


@dataclass
class Closing:
    """How a logger ends; who ends it says so before its sinks are closed.

    Parameters
    ----------
    how : str
        As `trainlens.schema.end_line` takes it. Where nobody says anything, the process has come
        to its end, or the logger was let go.
    """

    how: str = "exit"


@dataclass(frozen=True)
class Target:
    """Where and for what run a sink writes.

    Parameters
    ----------
    folder : Path
        Of the run; exists.
    run : str
        Name of the run.
    config, schedules : mapping
        Plain JSON values for the head of the log.
    rank : int
        Of this process; each writes files of its own.
    total : float or None
        Updates of the whole training, where that is known.
    copies : tuple of str
        What the other sinks write in the folder, for the head of the native log.
    ranks : int
        Processes that train together, for the same.
    clock : callable
        Returns Unix seconds.
    closing : Closing or None
        For the last line of the native log; None where there is to be none.
    """

    folder: Path
    run: str
    clock: Callable[[], float]
    config: Mapping[str, Any] = field(default_factory=dict)
    schedules: Mapping[str, Any] = field(default_factory=dict)
    rank: int = 0
    total: float | None = None
    copies: tuple[str, ...] = ()
    ranks: int = 1
    closing: Closing | None = None


class Sink(Protocol):
    """Writes entries. All calls come from one thread; any of them may raise OSError.

    A fault of one sink does not reach the training or the other sinks: the logger counts it, says
    it once, and goes on giving entries.
    """

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries, in order. After an OSError those that were written are not given again."""

    def flush(self) -> None:
        """Bring what was written to where it survives the death of the machine."""

    def close(self) -> None:
        """End the log. Repeating it does nothing."""
