"""A writer of the native run log, ``trainlens.log/1``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from trainlens.schema import header_line, record_line


class JsonlSink:
    """Append records to a JSON Lines file, each in one system call.

    A record is a single ``os.write`` of a whole line to a file opened for appending: once `log`
    returns, the record survives the death of the process, and there is no buffer to flush.
    Reopening a file continues it: a line that a crash left without its end is closed first, so
    that it cannot swallow the next record.

    Parameters
    ----------
    path : str or path-like
        File to create or to continue. Its folder must exist.
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
        self._open_line, whole_lines = tail(self.path)
        self._descriptor: int | None = os.open(
            self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o644
        )
        if not whole_lines:
            name = run or os.path.splitext(os.path.basename(self.path))[0]
            self._write(header_line(name, clock(), config, schedules))
        elif self._open_line:
            self._write(b"")

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
        self._write(
            record_line(
                step,
                self._clock(),
                losses,
                stats,
                progress=progress,
                epoch=epoch,
                split=split,
                anomalies=anomalies,
            )
        )

    def close(self) -> None:
        """Close the file. Repeating it does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> JsonlSink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        if self._descriptor is None:
            raise ValueError(f"{self.path}: the log is closed")
        data = b"\n" + line if self._open_line else line
        written = os.write(self._descriptor, data)
        # After a short write the file ends inside a line, unless not a byte of it went out.
        if written:
            self._open_line = data[written - 1 : written] != b"\n"
        if written < len(data):
            raise OSError(f"{self.path}: only {written} of {len(data)} bytes were written")


def tail(path: str) -> tuple[bool, bool]:
    """Whether a file ends inside a line, and whether it holds a whole line at all."""
    try:
        with open(path, "rb") as file:
            whole = file.readline().endswith(b"\n")
            if file.seek(0, os.SEEK_END) == 0:
                return False, False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n", whole
    except FileNotFoundError:
        return False, False
