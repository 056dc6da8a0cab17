"""A file that only grows by whole pieces."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["AppendFile"]

_STEP = 1 << 16


class AppendFile:
    """Appends pieces of bytes, each whole or not at all.

    There is no buffer: what `write` took survives the death of the process. A piece that the
    system took only in part is taken back; where even that fails, it is taken back before the
    next piece. The file is opened at the first write: a folder that is not there yet, or a full
    disk, costs the pieces of that time and no more.

    Parameters
    ----------
    path : callable
        Gives the Path of the file, asked whenever one is opened.
    head : callable
        Gives the first piece of a file that is empty.
    mend : bytes or None
        What is put behind a last line that a crash left without its end; None to cut that line
        off instead.
    """

    def __init__(
        self, path: Callable[[], Path], head: Callable[[], bytes], mend: bytes | None = None
    ) -> None:
        self._path_of = path
        self._head = head
        self._mend = mend
        self._descriptor: int | None = None
        self._size = 0
        self._torn = False
        self._closed = False
        self.path: Path | None = None

    def write(self, piece: bytes) -> None:
        """Append a piece.

        Raises
        ------
        OSError
            It is not in the file; its attribute `written`, 0, tells the logger to try again.
        """
        try:
            descriptor = self._opened()
            if self._torn:
                self._take_back(descriptor)
            self._append(descriptor, piece)
        except OSError as error:
            if not self._closed:
                vars(error)["written"] = 0
            raise

    def flush(self) -> None:
        """Bring the file to where it survives the death of the machine.

        Raises
        ------
        OSError
            It could not be done, or the file is no longer where it was: the next write begins
            another one.
        """
        if self._descriptor is None:
            return
        getattr(os, "fdatasync", os.fsync)(self._descriptor)
        if not self._is_there():
            self._release()
            raise FileNotFoundError(errno.ENOENT, "the log was removed", str(self.path))

    def close(self) -> None:
        """End the file. Repeating it does nothing."""
        self._closed = True
        self._release()

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _opened(self) -> int:
        if self._closed:
            raise OSError(errno.EBADF, "the log is closed", str(self.path or ""))
        if self._descriptor is None:
            self.path = self._path_of()
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(self.path, flags | getattr(os, "O_BINARY", 0), 0o644)
            try:
                self._begin(self._descriptor)
            except OSError:
                self._forget_empty(self._descriptor)
                self._release()
                raise
        return self._descriptor

    def _forget_empty(self, descriptor: int) -> None:
        # A disk that stays full would else collect a file at every try.
        if self.path and not os.fstat(descriptor).st_size:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _begin(self, descriptor: int) -> None:
        self._torn = False
        self._size = os.fstat(descriptor).st_size
        torn = self._size - _whole(descriptor, self._size)
        if torn and self._mend is None:
            self._size -= torn
            os.ftruncate(descriptor, self._size)
        elif torn and self._mend:
            self._append(descriptor, self._mend)
        if not self._size:
            self._append(descriptor, self._head())

    def _append(self, descriptor: int, piece: bytes) -> None:
        written = 0
        try:
            while written < len(piece):
                written += os.write(descriptor, memoryview(piece)[written:])
        except OSError:
            self._torn = written > 0
            if self._torn:
                self._take_back(descriptor)
            raise
        self._size += written

    def _take_back(self, descriptor: int) -> None:
        os.ftruncate(descriptor, self._size)
        self._torn = False

    def _is_there(self) -> bool:
        try:
            found = os.stat(self.path or "")
        except FileNotFoundError:
            return False
        assert self._descriptor is not None
        own = os.fstat(self._descriptor)
        return (found.st_ino, found.st_dev) == (own.st_ino, own.st_dev)


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
