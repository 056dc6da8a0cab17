"""Chunks of a `.wandb` file, and where the next intact one is behind damage.

The file is a LevelDB log of W&B's own kind: 7 bytes of file header, then blocks of 32 KiB filled
with chunks: a CRC-32 of type and payload, the payload's length (2 bytes), its type and the
payload. A record is one FULL chunk, or a FIRST, any number of MIDDLE and a LAST one. Fewer than 7
bytes at the end of a block stay zero.

Reference: https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator
from zlib import crc32

import numpy as np

from trainlens.readers._tfevents.wire import VARINT, Malformed, read_varint
from trainlens.readers._wandb.wire import fields

MAGIC = b":W&B\xe1\xbe\x00"
BLOCK = 1 << 15
HEADER = 7
LONGEST = BLOCK - HEADER
FULL, FIRST, MIDDLE, LAST = range(1, 5)
NEAR = 64
"""Bytes by which the end of a chunk may have moved: inserted or lost ones."""
OVERHEAD = 1024
"""What looking at a chunk costs beside its checksum, in bytes of checksum."""
_PROBES = 8
"""Chunks that are asked for the number of their record: parts of records have none."""

LOOKAHEAD = 2 * BLOCK + 4 * NEAR
"""Bytes behind damage on which the decision depends where to go on."""

header = struct.Struct("<IHB").unpack_from


class Chunks:
    """Bytes at hand, and the intact chunks among them.

    Parameters
    ----------
    data : bytes
    start : int
        Offset of ``data[0]`` in the file.
    final : bool
        Nothing follows these bytes.
    """

    def __init__(self, data: bytes, start: int, final: bool) -> None:
        self.data, self.start, self.final = data, start, final
        self.size = len(data)
        self._view = memoryview(data)
        self._bytes = np.frombuffer(data, np.uint8)
        # Intact chunks at any offset of [_from, _to), by ascending begin.
        self._begin: list[int] = []
        self._end: dict[int, int] = {}
        self._from = self._to = 0
        # Work that a crafted file may cause: bytes to checksum, chunks to look at twice.
        self._checksums = (16 << 20) + 768 * self.size
        self._visits = 20_000 + self.size // 8

    def end(self, at: int) -> int:
        """Offset behind the intact chunk at `at`, 0 where none is."""
        if at + HEADER > self.size:
            return 0
        crc, length, kind = header(self.data, at)
        end: int = at + HEADER + length
        if not FULL <= kind <= LAST or length > LONGEST or end > self.size:
            return 0
        return end if crc32(self._view[at + 6 : end]) == crc else 0

    def declared(self, at: int) -> int | None:
        """End of the chunk at `at` by its own header, None where that is no header."""
        if at + HEADER > self.size:
            return None
        _, length, kind = header(self.data, at)
        fits = FULL <= kind <= LAST and length <= LONGEST
        return at + HEADER + length if fits else None

    def left(self, at: int) -> int:
        """Bytes left in the block of `at`."""
        return BLOCK - (self.start + at) % BLOCK

    def behind_padding(self, at: int) -> int | None:
        """Where the next block begins, where `at` is in the padding before it."""
        left = self.left(at)
        if left < HEADER:
            zeros = not any(self.data[at : at + left])
            if self.end(at + left) or (self.final and zeros and at + left >= self.size):
                return min(at + left, self.size)
        for behind in range(at + 1, at + HEADER):  # bytes that were inserted or lost move it
            if self.data[behind - 1 : behind] != b"\0":
                break
            if self.end(behind):
                return behind
        return None

    def settled(self, at: int) -> bool:
        """Whether more bytes would not change what is found behind `at`."""
        return self.final or at + LOOKAHEAD < self.size

    def resume(self, at: int) -> tuple[int, bool]:
        """Where to go on behind the damage at `at`.

        Returns
        -------
        offset : int
            Of an intact chunk, or as far as could be searched.
        known : bool
            What is damaged is one chunk whose end is certain.
        """
        at += self.left(at) if self.left(at) < HEADER else 0
        first = self._search(at + 1)
        told = self.declared(at)
        if first is None:
            if self.final:
                return self.size, told == self.size
            return max(at, self.size - LOOKAHEAD), False
        if told == first:
            return first, True
        limit = at + HEADER + LONGEST + NEAR
        if first > limit:
            return first, False
        closing = self._closing(at, limit)
        if closing is not None:
            return closing, True
        near = None if told is None else self._near(told)
        # Chunks within the payload of a damaged chunk are no chunks of this file.
        if near is None or near <= first or self._siblings(at, first, near):
            return first, near == first
        return near, True

    def _search(self, at: int) -> int | None:
        """The first intact chunk at or behind `at`."""
        while True:
            self._cover(at)
            index = bisect_left(self._begin, at)
            if index < len(self._begin):
                return self._begin[index]
            last = self.size if self.final else self.size - LOOKAHEAD
            if self._to >= last:
                return None
            at = self._to

    def _cover(self, at: int) -> None:
        """Know all intact chunks of the next 32 KiB and a bit."""
        until = min(at + LONGEST + HEADER + 2 * NEAR, self.size)
        if not self._from <= at <= self._to:
            self._begin, self._end, self._from, self._to = [], {}, at, at
        if until <= self._to:
            return
        # Nearer to the end of growing bytes, a chunk may be one that is not all there.
        until = min(until + BLOCK, self.size if self.final else self.size - BLOCK)
        for begin, end in self._plausible(self._to, until):
            if self._checksums < 0 and self.left(begin) != BLOCK:
                continue
            self._checksums -= end - begin + OVERHEAD
            if crc32(self._view[begin + 6 : end]) == header(self.data, begin)[0]:
                self._begin.append(begin)
                self._end[begin] = end
        self._to = until

    def _plausible(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Begin and end of what may be a chunk, by its type and length alone."""
        b = self._bytes
        last = min(last, self.size - HEADER + 1)
        if first >= last:
            return
        at = np.flatnonzero((b[first + 6 : last + 6] - np.uint8(1)) < LAST) + first
        length = b[at + 4].astype(np.int64) | b[at + 5].astype(np.int64) << 8
        end = at + HEADER + length
        good = (length <= LONGEST) & (end <= self.size)
        if self._checksums < 0:
            # Without work to spare the search goes from block to block, as in LevelDB itself.
            good &= (self.start + at) % BLOCK == 0
        yield from zip(at[good].tolist(), end[good].tolist(), strict=True)

    def _closing(self, at: int, limit: int) -> int | None:
        """The intact chunk right behind the damaged one, if only its length or type is wrong."""
        if at + HEADER > self.size:
            return None
        stored = header(self.data, at)[0]
        told: int = at + HEADER + header(self.data, at)[1]
        if told in self._end or told == self.size:
            payload = self._view[at + HEADER : told]
            if any(crc32(payload, crc32(bytes([k]))) == stored for k in range(FULL, LAST + 1)):
                return told
        crc, done = 0, at + 6
        for index in range(bisect_left(self._begin, at + HEADER), len(self._begin)):
            begin = self._begin[index]
            self._visits -= 1
            if begin > limit or self._visits < 0:
                break
            crc, done = crc32(self._view[done:begin], crc), begin
            if crc == stored:
                return begin
        return None

    def _near(self, told: int) -> int | None:
        """The intact chunk nearest to where one should be."""
        if told in self._end:
            return told
        index = bisect_left(self._begin, told)
        close = [p for p in self._begin[max(0, index - 1) : index + 1] if abs(p - told) <= NEAR]
        return min(close, key=lambda p: abs(p - told), default=None)

    def _siblings(self, at: int, first: int, goal: int) -> bool:
        """Whether intact chunks from `first` on stand beside the one at `goal`.

        Then one of them ends where that begins. They may still be all of them within the payload
        of the damaged chunk at `at`, if that ends there and makes sense with them in it.
        """
        known = self._begin[bisect_left(self._begin, first) : bisect_left(self._begin, goal)]
        self._visits -= len(known)
        ends = (self._end[begin] for begin in known)
        if self._visits > 0 and not any(self._adjoin(end, goal) for end in ends):
            return self._numbered(at, known, goal)
        if goal != self.declared(at):
            return True
        nums = self._num(first), self._num(goal)
        if all(nums):
            return 0 < nums[1] - nums[0] <= (goal - first) // HEADER
        return not self._is_message(at, goal)

    def _adjoin(self, end: int, goal: int) -> bool:
        """Whether nothing but padding, which may have moved, is from `end` to `goal`."""
        if goal in (end, end + self.left(end)):
            return True
        return 0 < goal - end < HEADER and not any(self.data[end:goal])

    def _numbered(self, at: int, known: list[int], goal: int) -> bool:
        """Whether the numbers of records rise from the damaged chunk over `known` to `goal`.

        A chunk within the payload of record n is no record between n and the one that follows.
        """
        own, last = self._head_num(at), self._head_num(goal)
        if not own or last <= own + 1:
            return False
        found = ((begin, self._head_num(begin)) for begin in known[:_PROBES])
        begin, first = next(((b, n) for b, n in found if n), (goal, 0))
        return own < first < last <= first + (goal - begin) // HEADER

    def _head_num(self, at: int) -> int:
        """Number with which the first part of a record begins, 0 where there is none."""
        body = at + HEADER
        begins = header(self.data, at)[2] in (FULL, FIRST) and self.data[body : body + 1] == b"\x08"
        if not begins:
            return 0
        try:
            return read_varint(self.data, body + 1, min(body + 11, self.size))[0]
        except Malformed:
            return 0

    def _num(self, at: int) -> int:
        """Running number of the record at an intact chunk, 0 where it has none."""
        end = self._end.get(at)
        if end is None or header(self.data, at)[2] != FULL:
            return 0
        try:
            found = fields(self.data, at + HEADER, end)
        except Malformed:
            return 0
        return next((a for n, wire, a, _ in found if n == 1 and wire == VARINT), 0)

    def _is_message(self, at: int, end: int) -> bool:
        if header(self.data, at)[2] != FULL:
            return True  # a part of a message: nothing can be said against it
        try:
            fields(self.data, at + HEADER, end)
        except Malformed:
            return False
        return True
