"""Which runs stand in one file, and where their rows are."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from trainlens.readers._csv.faults import LineDamage
from trainlens.readers._csv.layout import Layout
from trainlens.readers._csv.rows import Rows
from trainlens.readers._csv.split import cells_of
from trainlens.readers._lines import Piece, Tail
from trainlens.readers.base import head

_MOST = 1000
"""Runs of one file that are told apart; a file of more is read as one run."""

_MOST_ASIDE = 100
"""The same for runs that stand side by side: each of them has to go through all rows."""


class Stretch(NamedTuple):
    """Rows of one run, one behind the other: bytes from `start` to `end`, lines from `line`."""

    start: int
    end: int
    line: int


def header_of(path: Path) -> tuple[Layout | None, str, int, int]:
    """Layout and separator of a file, and the bytes and lines that its header takes."""
    data = head(path)
    rows = Rows(LineDamage(path.name), path.stem)
    start = lines = 0
    while rows.layout is None and (stop := data.find(b"\n", start) + 1):
        list(rows.feed(data[start:stop]))
        start, lines = stop, lines + 1
    return rows.layout, rows.sep, start, lines


def runs_of(path: Path) -> tuple[str, ...]:
    """Names of the runs in a file, in order; empty where it does not tell, or names too many."""
    layout, *_ = header_of(path)
    if layout is None:
        return ()
    if layout.form == "long" and layout.run_at >= 0:
        runs = tuple(_places_now(path).of)
        return runs if len(runs) <= _MOST else ()
    return layout.runs if len(layout.runs) <= _MOST_ASIDE else ()


class OwnRows:
    """The pieces of a file of the long form that hold the rows of one run.

    Where they are is known for what was there in the beginning; what is appended is told apart
    line by line.

    Parameters
    ----------
    tail : Tail
    run : str
    """

    def __init__(self, tail: Tail, run: str) -> None:
        self._tail = tail
        self._run = run
        found = _places_now(tail.path)
        self._layout, self._sep, start, _ = header_of(tail.path)
        header = Stretch(0, start, 1)
        self._last, self._lines = found.last, found.lines
        self._todo = deque([header, *found.of.get(run, ())])
        self._known = found.end
        self._line = 1

    def pieces(self, final: bool) -> Iterator[tuple[Piece, list[int] | None]]:
        """New pieces and the numbers of their lines, where these do not simply go on."""
        for piece in self._tail.lines(final):
            if piece.torn or piece.oversize:
                self._lines += piece.oversize
                yield piece, None
                continue
            if piece.start >= self._known:
                yield self._appended(piece)
                continue
            yield from self._cut(piece)
            if self._tail.offset < self._known:
                next_own = self._todo[0].start if self._todo else self._known
                self._tail.offset = max(self._tail.offset, next_own)

    def _cut(self, piece: Piece) -> Iterator[tuple[Piece, list[int] | None]]:
        """What of a piece are rows of this run, in one piece of its own."""
        parts: list[bytes] = []
        lines: list[int] = []
        while self._todo and self._todo[0].start < piece.end:
            own = self._todo[0]
            begin, end = max(own.start, piece.start), min(own.end, piece.end)
            self._line = own.line if begin == own.start else self._line
            parts.append(piece.data[begin - piece.start : end - piece.start])
            count = parts[-1].count(b"\n")
            lines.extend(range(self._line, self._line + count))
            self._line += count
            if own.end > piece.end:
                break
            self._todo.popleft()
        if parts:
            yield Piece(piece.start, b"".join(parts), min(piece.end, self._known)), lines
        if piece.end > self._known:
            yield self._appended(
                Piece(self._known, piece.data[self._known - piece.start :], piece.end)
            )

    def _appended(self, piece: Piece) -> tuple[Piece, list[int] | None]:
        """The rows of this run in a piece that was not there in the beginning."""
        parts: list[bytes] = []
        lines: list[int] = []
        for text in piece.data.split(b"\n")[:-1]:
            self._lines += 1
            run = _run(text, self._layout, self._sep) if self._layout else None
            # A line of which the run cannot be told belongs to the rows before it.
            self._last = self._last if run is None else run
            if self._last == self._run:
                parts.append(text + b"\n")
                lines.append(self._lines)
        return Piece(piece.start, b"".join(parts), piece.end), lines


class _Places(NamedTuple):
    of: dict[str, list[Stretch]]
    end: int
    lines: int = 0
    last: str | None = None


def _places_now(path: Path) -> _Places:
    """The rows of each run in a file of the long form, as it is now."""
    entry = os.stat(path)
    return _places(path, entry.st_ino, entry.st_size, entry.st_mtime_ns)


@lru_cache(maxsize=4)
def _places(path: Path, inode: int, size: int, changed: int) -> _Places:
    layout, sep, start, lines = header_of(path)
    found: dict[str, list[Stretch]] = {}
    if layout is None:
        return _Places(found, 0)
    last: str | None = None
    for run, begin, end, line, count in _scan(path, layout, sep, start, lines):
        start, lines = end, line + count - 1
        # A line of which the run cannot be told belongs to the rows before it.
        name = last if run is None else run
        if name is None:
            continue
        held = found.setdefault(name, [])
        if held and held[-1].end == begin:
            held[-1] = Stretch(held[-1].start, end, held[-1].line)
        else:
            held.append(Stretch(begin, end, line))
        last = name
    return _Places(found, start, lines, last)


def _scan(
    path: Path, layout: Layout, sep: str, start: int, line: int
) -> Iterator[tuple[str | None, int, int, int, int]]:
    tail = Tail(path)
    tail.offset = start
    for piece in tail.lines():
        begin = piece.start
        texts = piece.data.split(b"\n")[:-1]
        runs = ((_run(t, layout, sep), len(t) + 1) for t in texts)
        for run, group in groupby(runs, key=lambda pair: pair[0]):
            sizes = [size for _, size in group]
            yield run, begin, begin + sum(sizes), line + 1, len(sizes)
            begin, line = begin + sum(sizes), line + len(sizes)
        if piece.oversize:
            line += 1


def _run(line: bytes, layout: Layout, sep: str) -> str | None:
    text = line.decode("utf-8", "replace").rstrip("\r")
    cells = cells_of(text, sep)
    if cells is None or len(cells) != layout.width or cells[layout.run_at] == "":
        return None
    run = cells[layout.run_at].strip()
    return None if run == layout.names[layout.run_at] else run
