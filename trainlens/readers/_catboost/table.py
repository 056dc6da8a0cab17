"""``learn_error.tsv``, ``test_error.tsv`` and ``time_left.tsv``: one line an iteration."""

from __future__ import annotations

import re
from pathlib import Path

from trainlens.readers._catboost.rows import LAST, Ascending, Cell, Gap, Row, Rows
from trainlens.readers._lines import Piece, Tail
from trainlens.readers._values import number

HEADER = re.compile(rb"(?:\xef\xbb\xbf)?iter\t[^\t\r\n]")
_TIMES = {"Passed": "passed_time", "Remaining": "remaining_time"}


def group_of(path: Path) -> str:
    """The set that a table is about: ``learn`` for ``learn_error.tsv``; empty for the times."""
    return path.stem.removesuffix("_error") if path.stem.endswith("_error") else ""


class Table:
    """Reads the complete lines of a growing table, each once.

    Parameters
    ----------
    tail : Tail
    """

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.group = group_of(tail.path)
        self.names: list[str] = []
        self._first = True
        self._admit = Ascending()

    def read(self, final: bool) -> Rows:
        """The rows that are new."""
        if not final and not self.tail.changed():
            return Rows()
        found: list[Row] = []
        gaps: list[Gap] = []
        for piece in self.tail.lines(final):
            if piece.oversize:
                what = "a line too long to be a row, passed over"
                gaps.append(Gap("corrupt", what, piece.start, piece.end, 1))
            elif piece.torn:
                what = "the last line has no end; it was left out"
                gaps.append(Gap("torn-tail", what, piece.start, piece.end, 1))
            else:
                self._lines(piece, found, gaps)
        return self._admit(found, gaps)

    def _lines(
        self,
        piece: Piece,
        found: list[Row],
        gaps: list[Gap],
    ) -> None:
        at = piece.start
        for line in piece.data.split(b"\n")[:-1]:
            end = at + len(line) + 1
            cells = line.rstrip(b"\r").split(b"\t")
            if self._first:
                self._first = False
                self.names = [c.decode("utf-8", "replace") for c in cells[1:]]
                if not HEADER.match(line):
                    gaps.append(Gap("corrupt", "the header cannot be read", at, end, 0))
            elif (row := self._row(cells)) is not None:
                found.append(Row(at, end, *row))
            elif line.strip():
                gaps.append(Gap("corrupt", "a row that is torn or damaged", at, end, 1))
            at = end

    def _row(self, cells: list[bytes]) -> tuple[int, dict[Cell, float]] | None:
        if len(cells) != len(self.names) + 1 or not cells[0].isdigit() or len(cells[0]) > 15:
            return None
        iteration = int(cells[0])
        values: dict[Cell, float] = {}
        for i, (name, cell) in enumerate(zip(self.names, cells[1:], strict=True)):
            if not cell.strip():
                continue
            value = number(cell.decode("utf-8", "replace"))
            if value is None:
                return None
            if self.group:
                values[Cell(self.group, i)] = value
            elif name in _TIMES:
                values[Cell("", _TIMES[name])] = value / 1000
        return (iteration, values) if iteration < LAST else None
