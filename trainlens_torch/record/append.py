"""A file that only grows, by whole pieces: lines of a log, rows of a table, records of events."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

__all__ = ["AppendFile", "Deleted", "FileSink", "NotWritten"]

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
_FLAGS |= getattr(os, "O_BINARY", 0)
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What a file says that has nothing to bring to a disk, such as a pipe."""
_STEP = 1 << 16
_sync = getattr(os, "fdatasync", os.fsync)


class NotWritten(OSError):
    """A write failed; `written` pieces of those that were given need not be given again."""

    again = False

    def __init__(self, error: OSError, path: Path | None, written: int) -> None:
        super().__init__(error.errno, error.strerror or str(error), str(path or ""))
        self.written = written


class Deleted(NotWritten):
    """The file was deleted while it was written; what is given `again` begins another one."""

    again = True

    def __init__(self, path: Path | None, gone: int) -> None:
        told = f"was deleted while it was written; {gone} records that were in it are gone with it"
        super().__init__(OSError(errno.ENOENT, told), path, 0)


class AppendFile:
    """Appends pieces of bytes; no piece is ever torn while the process lives.

    There is no buffer: what `write` took survives the death of the process. The pieces of one call
    are one write of the system. Where that takes only a part, the rest of the piece that was cut
    is the first thing of the next write. The file is opened at the first write: a folder that
    cannot be made, or a full disk, costs the pieces of that time and no more.

    Parameters
    ----------
    path : callable
        Gives the Path of the file, asked whenever one is opened; its folder is made.
    head : callable
        Gives the first piece of a file that has no whole line yet.
    mend : bytes or None
        What closes a last line that a crash left without its end; None to cut that line off.
    finish : bool
        Whether a piece that was cut is finished; else it raises at once, and is closed by `mend`.
    """

    def __init__(
        self,
        path: Callable[[], Path],
        head: Callable[[], bytes],
        mend: bytes | None = None,
        finish: bool = True,
    ) -> None:
        self.path: Path | None = None
        self.closed = False
        self._path_of, self._head = path, head
        self._mend, self._finish = mend, finish
        self._descriptor: int | None = None
        self._rest = b""
        self._pieces = 0
        self._unsynced = False
        self._counts_links = True

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append pieces, in order.

        Raises
        ------
        NotWritten
            Says how many of them need not be given again.
        Deleted
            The file was deleted; give them again.
        OSError
            It is closed.
        """
        if self.closed:
            raise OSError(errno.EBADF, "the log is closed", str(self.path or ""))
        try:
            self._send(self.open(), pieces)
        except NotWritten:
            raise
        except OSError as error:
            raise NotWritten(error, self.path, 0) from error

    def open(self) -> int:
        """The descriptor; where there is none yet, the file is opened and begun.

        Raises
        ------
        Deleted
            The file that was open is no longer in any folder.
        OSError
            It cannot be opened, or its head cannot be written.
        """
        if self._descriptor is None:
            self._open(self._path_of())
        elif self._counts_links and os.fstat(self._descriptor).st_nlink == 0:
            gone = self._pieces
            self.abandon()
            raise Deleted(self.path, gone)
        assert self._descriptor is not None  # `_open` raises or sets it
        return self._descriptor

    def flush(self) -> None:
        """Bring what was written to the disk itself, also the rest of a piece that was cut.

        Raises
        ------
        Deleted
            The file was deleted; the next write begins another one.
        OSError
            It could not be done.
        """
        if self._descriptor is None:
            return
        if self._rest:
            self._send(self._descriptor, ())
        if self._unsynced:
            self._synced(self._descriptor)
        self.open()

    def close(self) -> None:
        """End the file. Repeating it does nothing."""
        self.closed = True
        try:
            self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file as it is: in a process that was forked, it is that of another."""
        descriptor, self._descriptor = self._descriptor, None
        self._rest, self._pieces = b"", 0
        if descriptor is not None:
            os.close(descriptor)

    def _synced(self, descriptor: int) -> None:
        try:
            _sync(descriptor)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
        self._unsynced = False

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not os.path.lexists(path)
        self.path, self._descriptor = path, os.open(path, _FLAGS, 0o644)
        try:
            self._begin(self._descriptor)
        except BaseException:
            self.abandon()
            if new:
                # A disk that stays full would else collect a file at every try.
                with contextlib.suppress(OSError):
                    path.unlink()
            raise

    def _begin(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        # Where a file system counts no links, their number says nothing.
        self._counts_links = found.st_nlink > 0
        whole = _whole(descriptor, found.st_size)
        torn = whole < found.st_size
        if torn and self._mend is None:
            os.ftruncate(descriptor, whole)
        self._rest = (self._mend or b"" if torn else b"") + (b"" if whole else self._head())
        self._send(descriptor, ())

    def _send(self, descriptor: int, pieces: Sequence[bytes]) -> None:
        before = len(self._rest)
        data = b"".join((self._rest, *pieces))
        self._unsynced = True
        sent = 0
        try:
            while sent < len(data):
                sent += os.write(descriptor, data[sent:] if sent else data)
                if sent < len(data) and not self._finish:
                    raise OSError(errno.EIO, f"only {sent} of {len(data)} bytes were written")
        except OSError as error:
            begun = _begun(pieces, sent - before)
            self._pieces += begun
            raise NotWritten(error, self.path, begun) from error
        finally:
            # Also where Ctrl-C comes between two parts of a write.
            self._rest = self._owed(pieces, data, before, sent) if sent < len(data) else b""
        self._pieces += len(pieces)

    def _owed(self, pieces: Sequence[bytes], data: bytes, before: int, sent: int) -> bytes:
        """What has to follow the bytes that were sent for the file to end with a whole piece."""
        if sent <= before:
            return data[sent:before]
        ends = accumulate(map(len, pieces), initial=before)
        cut = data[sent : next(end for end in ends if end >= sent)]
        return cut if self._finish or not cut else self._mend or b""


class FileSink:
    """A sink whose entries are the pieces of one file.

    Parameters
    ----------
    file : AppendFile
    """

    def __init__(self, file: AppendFile) -> None:
        self._file = file

    def flush(self) -> None:
        """Bring what was written to the disk itself."""
        self._file.flush()

    def close(self) -> None:
        """End the file. Repeating it does nothing."""
        self._file.close()

    def abandon(self) -> None:
        """Let go of the file and write nothing more: in a process that was forked."""
        self._file.abandon()


def _begun(pieces: Sequence[bytes], sent: int) -> int:
    """How many pieces `sent` bytes hold, with one that is cut."""
    starts = accumulate(map(len, pieces), initial=0)
    return sum(start < sent for start in list(starts)[:-1])


def _whole(descriptor: int, size: int) -> int:
    """Bytes up to the end of the last whole line."""
    end = size
    while end > 0:
        start = max(0, end - _STEP)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
