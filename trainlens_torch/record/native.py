"""The sink of the native log: whole lines, each in one write, into a file that is never torn."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from trainlens.schema import header_line
from trainlens_torch.record.encode import line
from trainlens_torch.record.entry import Entry
from trainlens_torch.record.jsonl import tail
from trainlens_torch.record.sinks import Place

__all__ = ["CutShort", "Deleted", "NativeSink", "make"]

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What a target says that has nothing to bring to a disk, such as a pipe."""
_sync = getattr(os, "fdatasync", os.fsync)


class CutShort(OSError):
    """A write failed; `written` entries of those that were given need not be given again."""

    def __init__(self, error: OSError, path: Path, written: int) -> None:
        super().__init__(error.errno, error.strerror or str(error), str(path))
        self.written = written


class Deleted(OSError):
    """The file was deleted beneath the log. A new one is there; nothing was written to it yet."""

    written = 0
    again = True


class NativeSink:
    """Appends entries to a ``trainlens.log/1`` file.

    Entries that wait together go out in one write. Where the system cuts a write short, the rest
    of that line is the first thing of the next one: no line is ever torn while the process lives.

    Parameters
    ----------
    place : Place
    file : Path
        To create or to continue; its folder is made where it is missing.

    Raises
    ------
    OSError
        The file cannot be opened, or its header cannot be written.
    """

    def __init__(self, place: Place, file: Path) -> None:
        self.path = file
        self._place = place
        self._rest = b""
        self._records = 0
        self._descriptor: int | None = None
        self._open()

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries, in order.

        Raises
        ------
        CutShort
            Says how many of them need not be given again.
        Deleted
            The file was deleted; give them again.
        """
        if os.fstat(self._open_descriptor()).st_nlink == 0:
            raise self._replaced()
        self._send([line(entry) for entry in entries])
        self._records += len(entries)

    def flush(self) -> None:
        """Bring what was written to the disk itself, also the rest of a line that was cut."""
        if self._rest:
            self._send([])
        try:
            _sync(self._open_descriptor())
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise

    def close(self) -> None:
        """End the log. Repeating it does nothing."""
        if self._descriptor is None:
            return
        try:
            self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file and write nothing more: in a process that was forked."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut, whole = tail(os.fspath(self.path))
        head = header_line(
            self._place.run, self._place.clock(), self._place.config, self._place.schedules
        )
        self._rest = (b"\n" if cut else b"") + (b"" if whole else head)
        self._descriptor = os.open(self.path, _FLAGS, 0o644)
        try:
            self._send([])
        except OSError:
            self.abandon()
            raise

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            self._open()
        assert self._descriptor is not None  # `_open` raises or sets it
        return self._descriptor

    def _send(self, lines: list[bytes]) -> None:
        descriptor = self._open_descriptor() if lines else self._descriptor
        assert descriptor is not None
        before = len(self._rest)
        data = self._rest + b"".join(lines) if lines else self._rest
        sent = 0
        try:
            while sent < len(data):
                sent += os.write(descriptor, data[sent:] if sent else data)
        except OSError as error:
            raise CutShort(error, self.path, _begun(lines, sent - before)) from error
        finally:
            # Also where Ctrl-C comes between two parts of a write.
            self._rest = _remainder(lines, data, before, sent)

    def _replaced(self) -> Deleted:
        gone, self._records = self._records, 0
        self.abandon()
        self._open()
        return Deleted(
            f"{self.path}: was deleted while it was written; {gone} records that were in it are"
            " gone with it, a new file was begun"
        )


def make(place: Place, file: Path) -> NativeSink:
    """The sink of one process."""
    return NativeSink(place, file)


def _begun(lines: list[bytes], sent: int) -> int:
    """How many lines `sent` bytes hold, with one that is cut."""
    starts = accumulate((len(data) for data in lines), initial=0)
    return sum(start < sent for start in list(starts)[:-1])


def _remainder(lines: list[bytes], data: bytes, before: int, sent: int) -> bytes:
    """What has to follow the bytes that were sent for the file to end with a whole line."""
    if sent == len(data):
        return b""
    if sent <= before:
        return data[sent:before]
    ends = accumulate(map(len, lines), initial=before)
    end = next(end for end in ends if end >= sent)
    return data[sent:end]
