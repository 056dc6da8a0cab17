"""A writer of the native run log, ``trainlens.log/1``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from trainlens.schema import header_line
from trainlens_torch.record.append import AppendFile, Deleted
from trainlens_torch.record.encode import line
from trainlens_torch.record.entry import Entry

__all__ = ["JsonlSink"]


class JsonlSink:
    """Append records to a JSON Lines file, each in one system call.

    A record is a single ``os.write`` of a whole line to a file opened for appending: once `log`
    returns, the record survives the death of the process, and there is no buffer to flush.
    Reopening a file continues it: a line that a crash left without its end is closed first, so
    that it cannot swallow the next record. A file that is deleted is begun anew.

    Parameters
    ----------
    path : str or path-like
        File to create or to continue; its folder is made where it is missing.
    run : str, optional
        Name of the run in the header; by default the file name without its suffix.
    config, schedules : mapping, optional
        Plain JSON values for the header: the configuration, and the planned schedules by field.
        Written only into a new file.
    clock : callable
        Returns Unix seconds.

    Raises
    ------
    OSError
        The file cannot be opened or written; a write that the system cut short raises, too, and
        the next record starts on a line of its own.

    Examples
    --------
    >>> with JsonlSink("run.jsonl", config={"lr": 0.001}) as sink:  # doctest: +SKIP
    ...     sink.log(10, {"loss": 2.3}, {"lr": 0.001})
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        run: str | None = None,
        config: Mapping[str, Any] | None = None,
        schedules: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = os.fspath(path)
        self._clock = clock
        name = run or os.path.splitext(os.path.basename(self.path))[0]
        self._file = AppendFile(
            lambda: Path(self.path),
            lambda: header_line(name, clock(), config, schedules),
            mend=b"\n",
            finish=False,
        )
        self._file.open()

    def log(
        self,
        step: int,
        losses: Mapping[str, float] | None = None,
        stats: Mapping[str, float] | None = None,
        *,
        split: str = "train",
        epoch: float | None = None,
        progress: float | None = None,
        anomalies: Iterable[Any] = (),
    ) -> None:
        """Write the record of one step; see `trainlens.schema.record_line`.

        Raises
        ------
        ValueError
            The sink is closed.
        OSError
            The record could not be written whole.
        """
        entry = Entry(
            step, self._clock(), losses or {}, stats or {}, split, epoch, progress,
            tuple(anomalies),
        )  # fmt: skip
        self._write(line(entry))

    def close(self) -> None:
        """Close the file. Repeating it does nothing."""
        self._file.closed = True
        self._file.abandon()

    def __enter__(self) -> JsonlSink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        if self._file.closed:
            raise ValueError(f"{self.path}: the log is closed")
        try:
            self._file.write((data,))
        except Deleted:
            self._file.write((data,))
