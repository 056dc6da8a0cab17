"""The sink of the native log: a line an entry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainlens.schema import end_line, header_line
from trainlens_torch.record.append import AppendFile, FileSink
from trainlens_torch.record.encode import line
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.sinks import Target

__all__ = ["NativeSink"]


class NativeSink(FileSink):
    """Appends entries to a ``trainlens.log/1`` file; those that wait together go out at once.

    When it is closed it says so in a last line, where that is wanted and it has written an entry.

    Parameters
    ----------
    target : Target
    file : Path
        To create or to continue; its folder is made where it is missing.

    Raises
    ------
    OSError
        The file cannot be opened, or its header cannot be written.
    """

    def __init__(self, target: Target, file: Path) -> None:
        def head() -> bytes:
            given = target.run, target.clock(), target.config, target.schedules
            return header_line(*given, target.copies, target.ranks)

        self._closing, self._clock = target.closing, target.clock
        self._wrote = False
        super().__init__(AppendFile(lambda: file, head, mend=b"\n"))
        self._file.open()

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries, in order.

        Raises
        ------
        NotWritten
            Says how many of them need not be given again.
        """
        self._file.write([line(entry) for entry in entries])
        self._wrote |= bool(entries)

    def close(self) -> None:
        """Say that the log is ended, and how, and end the file. Repeating it does nothing."""
        wrote, self._wrote = self._wrote, False
        try:
            if wrote and self._closing is not None:
                self._file.write([end_line(self._clock(), self._closing.how)])
        finally:
            super().close()
