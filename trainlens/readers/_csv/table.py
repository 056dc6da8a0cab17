"""The rows of a block that are rows beyond doubt, found and read by a compiled scanner.

Beyond doubt means: as many cells as the header, quotes around whole cells only, and a first
filled cell that begins no header and no comment. All other lines are named and left to the
reading line by line; so are cells that hold no plain number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Ints
from trainlens.readers._csv.cells import Cells, Clean
from trainlens.readers._csv.layout import Layout
from trainlens.readers._csv.texts import Texts

try:
    from trainlens.readers._csv._native import scan
except ImportError:  # no compiler when this was installed
    scan = None  # type: ignore[assignment]

COMPILED = scan is not None


@dataclass(frozen=True)
class Stretch:
    """Rows without an odd line between them, and the odd lines behind them.

    Parameters
    ----------
    cells : list of Cells
        One a column, each of n cells; empty where no row stands before the odd lines.
    line : ndarray of int64, shape (n,)
        Numbers of their lines, counted from the first of the block.
    odd : list of tuple of int
        Line, start and end of each odd line; blank lines are passed over.
    """

    cells: list[Cells]
    line: Ints
    odd: list[tuple[int, int, int]]


class Table:
    """What a scan of a block found.

    Parameters
    ----------
    data : bytes
        Complete lines.
    start : int
        Where to begin.
    sep : str
    layout : Layout
    only_text : bool
        Whether no cell is to be read as a number yet.
    """

    def __init__(self, data: bytes, start: int, sep: str, layout: Layout, only_text: bool) -> None:
        long = layout.form == "long"
        first = layout.names[0].encode() if long else b""
        self._names = _as_text(layout, only_text)
        found = scan(data, start, ord(sep), self._names, first, not long)
        rows, room, value, absent, line, gaps, texts, odd = found
        shape = (layout.width, room)
        self.layout = layout
        self.rows = rows
        self._value = np.frombuffer(value).reshape(shape)
        self._absent = np.frombuffer(absent, np.bool_).reshape(shape)
        self._line = np.frombuffer(line, np.int64)[:rows]
        self._gaps: list[int] = np.frombuffer(gaps, np.int64).tolist()
        self._odd = np.frombuffer(odd, np.int64).reshape(-1, 3)
        self._texts = _texts(data, np.frombuffer(texts, np.int64).reshape(-1, 5))

    @property
    def odd(self) -> int:
        """Number of odd lines."""
        return len(self._odd)

    def stretches(self) -> Iterator[Stretch]:
        """Rows and odd lines in their order."""
        if not len(self._odd):
            if self.rows:
                yield Stretch(self._cells(0, self.rows), self._line, [])
            return
        # The rows that stand before each odd line: where that changes, a stretch begins.
        before = np.searchsorted(self._line, self._odd[:, 0])
        turns = np.flatnonzero(np.diff(before, prepend=-1)).tolist()
        begin = 0
        for i, turn in enumerate(turns):
            end = int(before[turn])
            after = turns[i + 1] if i + 1 < len(turns) else len(self._odd)
            odd = [(a, b, c) for a, b, c in self._odd[turn:after].tolist()]
            yield Stretch(self._cells(begin, end), self._line[begin:end], odd)
            begin = end
        if begin < self.rows:
            yield Stretch(self._cells(begin, self.rows), self._line[begin : self.rows], [])

    def _cells(self, begin: int, end: int) -> list[Cells]:
        return [self._column(j, begin, end) for j in range(len(self._gaps))] if end > begin else []

    def _column(self, j: int, begin: int, end: int) -> Cells:
        value = self._value[j, begin:end]
        if not self._gaps[j] and not self._names[j]:
            return Clean(value, None)
        absent = self._absent[j, begin:end]
        texts = self._texts[j].between(begin, end) if j in self._texts else None
        if self._names[j]:
            held = {} if texts is None else texts.held
            return [held.get(i, "") for i in range(end - begin)]
        return Clean(value, absent, {} if texts is None else texts)


def _as_text(layout: Layout, only_text: bool) -> bytes:
    """Which columns hold names, whatever they look like."""
    if only_text:
        return b"\1" * layout.width
    names = {*layout.splits, layout.run_at, layout.metric_at if layout.form == "long" else -1}
    return bytes(j in names for j in range(layout.width))


def _texts(data: bytes, found: NDArray[np.int64]) -> dict[int, Texts]:
    """The texts of each column that has some."""
    if not len(found):
        return {}
    order = np.argsort(found[:, 0], kind="stable")
    column, row, start, end, moment = (found[order, k] for k in range(5))
    moment = moment.view(np.float64)
    cuts = np.flatnonzero(np.diff(column, prepend=-1)).tolist()
    return {
        int(column[a]): Texts(data, row[a:b], start[a:b], end[a:b], moment[a:b])
        for a, b in zip(cuts, [*cuts[1:], len(column)], strict=True)
    }
