"""Following a file of lines: complete lines only, each byte once, in bounded pieces.

A file is known again by its head and by the bytes just before the place that was read up to:
inodes are reused, sizes come back, contents do not. A file that was truncated or replaced is
read anew from its beginning.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType

from trainlens.errors import NotFound, Unreadable

BLOCK = 1 << 18
"""Bytes read at once: what a decoder makes of them stays in the processor's cache."""

LONGEST = 64 << 20
"""A line longer than this is passed over, so that no file can exhaust memory."""

_FINGERPRINT = 1024
_AHEAD = 1 << 16
"""New bytes that are read along with the check that the file is still the same."""

Entry = tuple[int, int, int]
"""Inode, size and time of the last change."""


@dataclass(frozen=True)
class Piece:
    """Bytes from a file.

    Parameters
    ----------
    start : int
        Offset of the first byte.
    data : bytes
        Complete lines; empty where they were passed over (`oversize`).
    end : int
        Offset behind the last byte.
    torn : bool
        The last line has no newline and nothing more will come.
    oversize : bool
        These bytes are one line longer than `LONGEST`.
    """

    start: int
    data: bytes
    end: int
    torn: bool = False
    oversize: bool = False


class _Opened:
    """The file as it was when it was opened."""

    def __init__(self, path: Path) -> None:
        self._file = _open(path)
        found = os.fstat(self._file.fileno())
        self.entry: Entry = (found.st_ino, found.st_size, found.st_mtime_ns)

    def __enter__(self) -> _Opened:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self, at: int, size: int) -> bytes:
        """Bytes from offset `at` on; fewer only at the end of the file."""
        self._file.seek(at)
        data = self._file.read(size)
        if len(data) in (0, size):
            return data
        # A raw read may give less than asked for.
        parts = [data]
        size -= len(data)
        while size > 0 and (part := self._file.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class _Held(_Opened):
    """A few new bytes up to the end of the file, those before them, and its head."""

    def __init__(self, entry: Entry, head: bytes, start: int, data: bytes) -> None:
        self.entry = entry
        self._head, self._start, self._data = head, start, data

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def read(self, at: int, size: int) -> bytes:
        """Bytes from offset `at` on, which are held."""
        if at < self._start:
            return self._head[at : at + size]
        at -= self._start
        return self._data[at : at + size]


class Tail:
    """A growing file and the offset up to which it has been consumed.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self._head = b""
        self._mark = b""
        self._seen: Entry | None = None
        self._oversize: int | None = None
        self._ahead: _Held | None = None

    def lines(self, final: bool = False) -> Iterator[Piece]:
        """Pieces of complete lines that are new; with `final`, the unterminated rest as well."""
        size = BLOCK
        with self._bytes() as file:
            end = file.entry[1]
            while self.offset < end:
                data = file.read(self.offset, min(size, end - self.offset))
                if not data:
                    break
                cut = data.rfind(b"\n") + 1
                at_end = self.offset + len(data) >= end
                if self._oversize is not None:
                    yield from self._pass_over(data)
                elif cut:
                    yield self._consume(data[:cut])
                    size = BLOCK
                elif len(data) >= LONGEST:
                    self._oversize = self.offset
                elif not at_end:
                    size *= 2
                elif final:
                    yield self._consume(data, torn=True)
                else:
                    break
            if final and self._oversize is not None:
                yield self._passed()
            self._remember(file)

    def objects(self) -> Iterator[Piece]:
        """Unread bytes, from one place, in growing pieces until the consumer calls `advance`."""
        size = BLOCK
        with self._bytes() as file:
            end = file.entry[1]
            while self.offset < end:
                before = self.offset
                data = file.read(before, min(size, end - before))
                at_end = before + len(data) >= end
                yield Piece(before, data, before + len(data), torn=at_end)
                if self.offset > before:
                    size = BLOCK
                elif at_end:
                    break
                elif size >= LONGEST:
                    self.offset += len(data)
                    yield Piece(before, b"", self.offset, oversize=True)
                else:
                    size *= 2
            self._remember(file)

    def peek(self, size: int) -> bytes:
        """The first bytes of the file, whatever has been consumed."""
        with _Opened(self.path) as file:
            return file.read(0, size)

    def advance(self, count: int) -> None:
        """Mark `count` bytes of the last piece of `objects` as consumed."""
        self.offset += count

    def changed(self) -> bool:
        """Whether there may be anything new, from the file's entry alone."""
        return self._seen is None or _entry(self.path) != self._seen

    def replaced(self) -> bool:
        """Whether the consumed part is no longer there; if so, go back to the beginning."""
        head, mark, self._ahead = self._head, self._mark, None
        start = self.offset - len(mark)
        with _Opened(self.path) as file:
            new = file.entry[1] - self.offset
            few = len(mark) + new if 0 < new <= _AHEAD else len(mark)
            same = new >= 0 and file.read(0, len(head)) == head
            data = file.read(start, few) if same else b""
            same = same and data.startswith(mark)
        if not same:
            self.offset, self._head, self._mark, self._oversize = 0, b"", b"", None
        elif new > 0 and len(data) == len(mark) + new and len(mark) == _length_of_mark(self.offset):
            self._ahead = _Held(file.entry, head, start, data)
        return not same

    def _bytes(self) -> _Opened:
        """What is to be read: what the check has read, else the file."""
        ahead, self._ahead = self._ahead, None
        return ahead or _Opened(self.path)

    def _consume(self, data: bytes, torn: bool = False) -> Piece:
        start = self.offset
        self.offset += len(data)
        return Piece(start, data, self.offset, torn)

    def _pass_over(self, data: bytes) -> Iterator[Piece]:
        stop = data.find(b"\n") + 1
        self.offset += stop or len(data)
        if stop:
            yield self._passed()

    def _passed(self) -> Piece:
        start, self._oversize = self._oversize or 0, None
        return Piece(start, b"", self.offset, oversize=True)

    def _remember(self, file: _Opened) -> None:
        length = _length_of_mark(self.offset)
        if len(self._head) != length:
            self._head = file.read(0, length)
        self._mark = file.read(self.offset - length, length)
        # As it was before it was read: what came to it meanwhile is for the next time.
        self._seen = file.entry


def _length_of_mark(offset: int) -> int:
    """Bytes by which a file that was read up to an offset is known again."""
    return min(offset, _FINGERPRINT)


def _open(path: Path) -> FileIO:
    try:
        return FileIO(path)
    except FileNotFoundError:
        raise NotFound(path, "does not exist", "check the path") from None
    except OSError as error:
        reason = error.strerror or "cannot be opened"
        raise Unreadable(path, reason.lower(), "check the permissions") from None


def _entry(path: Path) -> Entry:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise NotFound(path, "does not exist", "check the path") from None
    return found.st_ino, found.st_size, found.st_mtime_ns
