"""Seeded damage that remembers which bytes of the original still stand where.

A damaged file is a sequence of pieces: stretches of the original (or of a second log of the same
format), and bytes that are new. So a test knows for every record whether it is still whole.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.robustness.truth import LogFile

NEW = -1


class Piece(NamedTuple):
    """Bytes, and where they come from: the number of a source and an offset, or `NEW` and 0."""

    data: bytes
    source: int
    begin: int


class Damaged:
    """A file made of pieces.

    Parameters
    ----------
    pieces : sequence of Piece
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = tuple(_joined(pieces))
        self.data = b"".join(p.data for p in self.pieces)

    def __len__(self) -> int:
        return len(self.data)

    def __add__(self, other: Damaged) -> Damaged:
        return Damaged(self.pieces + other.pieces)

    def cut(self, begin: int, end: int) -> Damaged:
        """The bytes from `begin` to `end`."""
        found, at = [], 0
        for data, source, first in self.pieces:
            a, b = max(begin - at, 0), min(end - at, len(data))
            if a < b:
                found.append(Piece(data[a:b], source, first + a))
            at += len(data)
        return Damaged(found)

    def put(self, begin: int, end: int, data: bytes) -> Damaged:
        """New bytes in place of those from `begin` to `end`; what does not change stays."""
        if len(data) == end - begin:
            odd = [i for i, byte in enumerate(data) if byte != self.data[begin + i]]
            first, last = (odd[0], odd[-1] + 1) if odd else (0, 0)
            begin, end, data = begin + first, begin + last, data[first:last]
        new = Damaged([Piece(data, NEW, 0)])
        return self.cut(0, begin) + new + self.cut(end, len(self))

    def places(self, source: int, begin: int, end: int) -> list[int]:
        """Where the bytes ``[begin:end]`` of a source still stand whole."""
        found, at = [], 0
        for data, origin, first in self.pieces:
            if origin == source and first <= begin and end <= first + len(data):
                found.append(at + begin - first)
            at += len(data)
        return found


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces without empty ones; two that follow one another in their source become one."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last and last.source == piece.source and last.begin + len(last.data) == piece.begin:
            found[-1] = last._replace(data=last.data + piece.data)
        elif piece.data:
            found.append(piece)
    return found


def original(data: bytes, source: int = 0) -> Damaged:
    """A file without damage."""
    return Damaged([Piece(data, source, 0)])


def _size(rng: random.Random, most: int) -> int:
    # As many small ranges as large ones.
    return max(1, int(math.exp(rng.uniform(0, math.log(max(most, 2))))))


def _place(rng: random.Random, file: LogFile, size: int) -> int:
    where = rng.random()
    if file.records and where < 0.3:
        record = rng.choice(file.records)
        return min(max(rng.choice((record.begin, record.end)) + rng.randint(-2, 2), 0), size)
    if where < 0.5:
        return max(0, size - _size(rng, 300))
    return rng.randrange(size + 1)


def _range(rng: random.Random, file: LogFile, size: int) -> tuple[int, int]:
    at = _place(rng, file, size)
    return at, min(size, at + _size(rng, max(size // 3, 4)))


def _flip(rng: random.Random, now: Damaged, file: LogFile, other: bytes) -> Damaged:
    at = min(_place(rng, file, len(now)), len(now) - 1)
    return now.put(at, at + 1, bytes([now.data[at] ^ 1 << rng.randrange(8)]))


def _delete(rng: random.Random, now: Damaged, file: LogFile, other: bytes) -> Damaged:
    return now.put(*_range(rng, file, len(now)), b"")


def _insert(rng: random.Random, now: Damaged, file: LogFile, other: bytes) -> Damaged:
    at = _place(rng, file, len(now))
    return now.put(at, at, rng.randbytes(_size(rng, 400)))


def _zero(rng: random.Random, now: Damaged, file: LogFile, other: bytes) -> Damaged:
    begin, end = _range(rng, file, len(now))
    return now.put(begin, end, bytes(end - begin))


def _overwrite(rng: random.Random, now: Damaged, file: LogFile, other: bytes) -> Damaged:
    begin, end = _range(rng, file, len(now))
    return now.put(begin, end, rng.randbytes(end - begin))


def _truncate(rng: random.Random, now: Damaged, file: LogFile, other: bytes) -> Damaged:
    return now.cut(0, _place(rng, file, len(now)))


def _duplicate(rng: random.Random, now: Damaged, file: LogFile, other: bytes) -> Damaged:
    begin, end = _range(rng, file, len(now))
    return now.cut(0, end) + now.cut(begin, len(now))


def _glue(rng: random.Random, now: Damaged, file: LogFile, other: bytes) -> Damaged:
    end = len(now) if rng.random() < 0.5 else _place(rng, file, len(now))
    return now.cut(0, end) + original(other, 1)


def _swap(rng: random.Random, now: Damaged, file: LogFile, other: bytes) -> Damaged:
    starts = [0, *(i + 1 for i, byte in enumerate(now.data) if byte == 10)]
    if len(starts) < 3:
        return now
    i, j = sorted(rng.sample(range(len(starts) - 1), 2))
    a, b, c, d = starts[i], starts[i + 1], starts[j], starts[j + 1]
    parts = (now.cut(0, a), now.cut(c, d), now.cut(b, c), now.cut(a, b), now.cut(d, len(now)))
    return sum(parts[1:], parts[0])


Operation = Callable[[random.Random, Damaged, LogFile, bytes], Damaged]
ANY: dict[str, Operation] = {
    "flip": _flip,
    "delete": _delete,
    "insert": _insert,
    "zero": _zero,
    "overwrite": _overwrite,
    "truncate": _truncate,
    "duplicate": _duplicate,
    "glue": _glue,
}
OF_LINES = {**ANY, "swap": _swap}


def damage(rng: random.Random, file: LogFile, other: bytes, most: int = 3) -> tuple[str, Damaged]:
    """A file damaged in one to `most` ways, and their names.

    Parameters
    ----------
    rng : random.Random
    file : LogFile
    other : bytes
        The same file of another log, to be glued behind.
    most : int
    """
    ways = OF_LINES if file.kind == "lines" else ANY
    if file.kind in ("store", "pages") or file.single:
        ways = {name: way for name, way in ways.items() if name != "glue"}
    now, names = original(file.data), []
    for _ in range(1 if rng.random() < 0.7 else rng.randint(2, max(most, 2))):
        name = rng.choice(list(ways))
        if len(now):
            now = ways[name](rng, now, file, other)
            names.append(name)
    return "+".join(names), now
