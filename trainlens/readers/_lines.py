"""Following a file of lines: complete lines only, each byte once, in bounded pieces.

A file is known again by its head and by the bytes just before the place that was read up to:
inodes are reused, sizes come back, contents do not. A file that was truncated or replaced is
read anew from its beginning.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trainlens.errors import NotFound, Unreadable

BLOCK = 1 << 18
"""Bytes read at once: what a decoder makes of them stays in the processor's cache."""

LONGEST = 64 << 20
"""A line longer than this is passed over, so that no file can exhaust memory."""

_FINGERPRINT = 1024


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
        self._seen: tuple[int, int, int] | None = None
        self._oversize: int | None = None

    def lines(self, final: bool = False) -> Iterator[Piece]:
        """Pieces of complete lines that are new; with `final`, the unterminated rest as well."""
        size = BLOCK
        with self._open() as file:
            end = os.fstat(file.fileno()).st_size
            while self.offset < end:
                data = self._read(file, min(size, end - self.offset))
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
        with self._open() as file:
            end = os.fstat(file.fileno()).st_size
            while self.offset < end:
                before = self.offset
                data = self._read(file, min(size, end - before))
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
        with self._open() as file:
            return self._read(file, size, 0)

    def advance(self, count: int) -> None:
        """Mark `count` bytes of the last piece of `objects` as consumed."""
        self.offset += count

    def changed(self) -> bool:
        """Whether there may be anything new, from the file's entry alone."""
        return self._seen is None or self._entry() != self._seen

    def replaced(self) -> bool:
        """Whether the consumed part is no longer there; if so, go back to the beginning."""
        with self._open() as file:
            mark = self.offset - len(self._mark)
            same = (
                os.fstat(file.fileno()).st_size >= self.offset
                and self._read(file, len(self._head), 0) == self._head
                and self._read(file, len(self._mark), mark) == self._mark
            )
        if not same:
            self.offset, self._head, self._mark, self._oversize = 0, b"", b"", None
        return not same

    def _open(self) -> BinaryIO:
        try:
            return open(self.path, "rb", buffering=0)
        except FileNotFoundError:
            raise NotFound(self.path, "does not exist", "check the path") from None
        except OSError as error:
            reason = error.strerror or "cannot be opened"
            raise Unreadable(self.path, reason.lower(), "check the permissions") from None

    def _entry(self) -> tuple[int, int, int]:
        try:
            entry = os.stat(self.path)
        except FileNotFoundError:
            raise NotFound(self.path, "does not exist", "check the path") from None
        return entry.st_ino, entry.st_size, entry.st_mtime_ns

    def _read(self, file: BinaryIO, size: int, at: int | None = None) -> bytes:
        # A raw read may give less than asked for.
        file.seek(self.offset if at is None else at)
        parts = []
        while size > 0 and (part := file.read(size)):
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

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

    def _remember(self, file: BinaryIO) -> None:
        self._head = self._read(file, min(self.offset, _FINGERPRINT), 0)
        length = min(self.offset, _FINGERPRINT)
        self._mark = self._read(file, length, self.offset - length)
        entry = os.fstat(file.fileno())
        self._seen = (entry.st_ino, entry.st_size, entry.st_mtime_ns)
