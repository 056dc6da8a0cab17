"""The records of a `.wandb` file, and the stretches between them that are damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from trainlens.readers._wandb.chunks import (
    FIRST,
    FULL,
    HEADER,
    LAST,
    LONGEST,
    MAGIC,
    Chunks,
    header,
)

UNSETTLED = 1 << 20
"""Bytes of damage at the end of a growing file that are looked at again: some file systems show
zeros for a moment where data are on their way."""


class Record(NamedTuple):
    """A record: its place in the file, and its bytes ``data[at:stop]``."""

    begin: int
    end: int
    data: bytes
    at: int
    stop: int


@dataclass(frozen=True)
class Gap:
    """Bytes of the file without an intact record.

    Parameters
    ----------
    begin, end : int
        Offsets in the file.
    kind, what : str
        As in `Notice`.
    records : int or None
        How many were there, as far as the headers tell.
    """

    begin: int
    end: int
    kind: str
    what: str
    records: int | None


class Scan:
    """One pass over bytes of a file.

    Parameters
    ----------
    data : bytes
    start : int
        Offset of ``data[0]`` in the file: 0, or where an earlier pass left off.
    final : bool
        Nothing follows these bytes.

    Attributes
    ----------
    items : list of Record or Gap
        In the order of the file.
    used : int
        Bytes that are done with.
    """

    def __init__(self, data: bytes, start: int, final: bool) -> None:
        self.items: list[Record | Gap] = []
        self._data, self._start, self._final = data, start, final
        self._view = memoryview(data)
        self._chunks = Chunks(data, start, final)
        self._parts: list[tuple[int, int]] = []
        self._bad: int | None = None
        self._repairs = 0
        self._known = True
        self._broken = 0
        self.used = self._run()

    def _run(self) -> int:
        size = len(self._data)
        at = self._behind_file_header()
        while at is not None:
            at = self._walk(at)
            if at == size:
                break
            behind = self._chunks.behind_padding(at)
            if behind is None:
                if not self._chunks.settled(at):
                    break
                behind = self._repair(at)
            at = behind
        return self._finish(at or 0)

    def _behind_file_header(self) -> int | None:
        """Where the chunks begin; None where that cannot be told yet."""
        if self._start or self._data.startswith(MAGIC):
            return 0 if self._start else len(MAGIC)
        if not self._chunks.settled(0):
            return None
        if self._chunks.end(len(MAGIC)):
            what = "the first bytes of the file are not those of W&B; read all the same"
            self.items.append(Gap(0, len(MAGIC), "corrupt", what, 0))
            return len(MAGIC)
        return 0

    def _walk(self, at: int) -> int:
        """Take in chunks as long as each follows the one before; where that ends."""
        data, view, size, start = self._data, self._view, len(self._data), self._start
        while at + HEADER <= size:
            crc, length, kind = header(data, at)
            end = at + HEADER + length
            if not FULL <= kind <= LAST or length > LONGEST or end > size:
                break
            if crc32(view[at + 6 : end]) != crc:
                break
            if kind == FULL and not self._parts and self._bad is None:
                self.items.append(Record(start + at, start + end, data, at + HEADER, end))
            else:
                self._admit(kind, at, end)
            at = end
        return at

    def _admit(self, kind: int, at: int, end: int) -> None:
        if kind in (FULL, FIRST):
            self._break_off()
            self._close(at)
            self._parts = [(at, end)]
        elif self._parts and self._parts[-1][1] == at:
            self._parts.append((at, end))
        else:
            self._break_off()
            self._bad = at if self._bad is None else self._bad
        if kind in (FULL, LAST) and self._parts:
            self._complete()

    def _complete(self) -> None:
        parts, self._parts = self._parts, []
        begin, end = self._start + parts[0][0], self._start + parts[-1][1]
        data = b"".join(self._view[a + HEADER : b] for a, b in parts)
        self.items.append(Record(begin, end, data, 0, len(data)))

    def _break_off(self) -> None:
        """Give up a record whose next part is not there."""
        if self._parts and self._bad is None:
            self._bad = self._parts[0][0]
        self._parts = []

    def _repair(self, at: int) -> int:
        self._break_off()
        self._bad = at if self._bad is None else self._bad
        behind, known = self._chunks.resume(at)
        self._repairs += 1
        self._broken = at
        self._known &= known
        return behind

    def _close(self, end: int) -> None:
        if self._bad is None:
            return
        begin, self._bad = self._bad, None
        last = self._final and end == len(self._data)
        kind, what, records = self._explain(begin, end, last)
        self.items.append(Gap(self._start + begin, self._start + end, kind, what, records))
        self._repairs, self._known = 0, True

    def _explain(self, begin: int, end: int, last: bool) -> tuple[str, str, int | None]:
        if last and self._repairs <= 1 and self._is_cut(end):
            return "torn-tail", f"the last record is cut off after {end - begin} bytes", 1
        if not self._data[begin:end].strip(b"\0"):
            where = "at the end, as a crash of the machine leaves them" if last else "in the log"
            return "torn-tail" if last else "corrupt", f"zero bytes {where}", None
        rest = "the end of the file" if last else "the next intact record"
        records = max(self._repairs, 1) if self._known else None
        return "corrupt", f"a checksum does not match; skipped to {rest}", records

    def _is_cut(self, end: int) -> bool:
        """Whether the bytes up to `end` stop short in a record, rather than being wrong."""
        if not self._repairs:
            return True
        told = self._chunks.declared(self._broken)
        begun = any(self._data[self._broken : end])
        return begun and (end - self._broken < HEADER or (told is not None and told > end))

    def _finish(self, at: int) -> int:
        size = len(self._data)
        if self._final:
            self._break_off()
            self._close(size)
            return size
        if self._bad is not None:
            if at - self._bad <= UNSETTLED:
                return self._bad
            self._close(at)
            return at
        return self._parts[0][0] if self._parts else at
