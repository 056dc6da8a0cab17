"""Reads tables row by row; see `trainlens.readers.csv`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from trainlens.chunk import Chunk, Column
from trainlens.readers._columns import Columns
from trainlens.readers._csv.block import worth
from trainlens.readers._csv.comma import decimal_sign, with_points
from trainlens.readers._csv.faults import LineDamage
from trainlens.readers._csv.layout import Layout
from trainlens.readers._csv.lines import Batch
from trainlens.readers._csv.long import Long
from trainlens.readers._csv.plain import plain_row
from trainlens.readers._csv.rows import Rows
from trainlens.readers._csv.runs import OwnRows, header_of
from trainlens.readers._csv.settings import Settings
from trainlens.readers._csv.table import COMPILED
from trainlens.readers._csv.wide import Wide
from trainlens.readers._follow import Follow, no_numbers
from trainlens.readers._lines import Piece
from trainlens.readers._values import known_split, unix_seconds
from trainlens.words import plural

_OF_SPLIT = re.compile(r"([a-z]+)_(?:errors?|metrics|loss|losses)|run-(?:.*[-_.])?([a-z]+)-tag-.*")

_LARGE = 1 << 20
"""Bytes that are read at once where the file is large enough for the parser of blocks."""


class CsvLog:
    """Reads a table, each row exactly once.

    Parameters
    ----------
    path : Path
    run : str
        Which of the runs in the file; empty for all.
    """

    def __init__(self, path: Path, run: str = "") -> None:
        self._path = path
        self._run = run
        self._file = Follow(path)
        self._damage = LineDamage(path.name)
        self._columns = Columns()
        self._settings = Settings(path.parent)
        self._own: OwnRows | None = None
        self._count = 0
        self._fast = False
        self._order: dict[str, int] = {}
        self._started: float | None = None
        self._begin()

    def _begin(self) -> None:
        self._rows = Rows(self._damage, self._path.stem)
        self._sent: set[str] = set()
        self._sign: str | None = None
        self._header: Layout | None = None
        self._table: Wide | Long | None = None
        self._rows.scans = COMPILED

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be opened.
        """
        with self._file.reading():
            self._read(final)
        config, notices = self._settings.take(final, time.monotonic())
        if final:
            self._take(self._rows.finish())
            self._end_table()
            if not self._count:
                what = "a header and no rows yet" if self._rows.layout else "no rows"
                self._file.note("empty", what)
        config |= {k: v for k, v in self._rows.config.items() if k not in self._sent}
        self._sent |= self._rows.config.keys()
        self._assume(self._table)
        said = self._damage.take(final) + tuple(notices) + self._file.take()
        return Chunk(self._in_order(self._columns.take()), config, said)

    def _in_order(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        """Columns of wide tables as in the header, however the rows were cut into batches."""
        if not self._order:
            return columns
        for column in columns:
            self._order.setdefault(column.name, len(self._order))
        return tuple(sorted(columns, key=lambda c: self._order[c.name]))

    def _read(self, final: bool) -> None:
        if not self._file.grown(final):
            return
        if self._file.begins_anew():
            self._end_table()
            self._own = None
            self._begin()
        for piece, lines in self._joined(final):
            if piece.oversize:
                self._rows.line += 1
                what = "a line too long to be a row, passed over"
                self._damage.line("corrupt", what, self._rows.line)
            elif piece.torn:
                self._take(self._rows.torn(piece.data))
            else:
                self._rows.fast = self._fast
                if lines is None and self._take_one(piece.data):
                    continue
                self._take(self._rows.feed(piece.data, lines))

    def _pieces(self, final: bool) -> Iterator[tuple[Piece, list[int] | None]]:
        if not self._file.tail.offset:
            self._fast = COMPILED or worth(self._path.stat().st_size)
            layout = header_of(self._path)[0] if self._run else None
            if layout is not None and layout.form == "long":
                self._own = OwnRows(self._file.tail, self._run)
        if self._own is None:
            return ((piece, None) for piece in self._file.tail.lines(final))
        return self._own.pieces(final)

    def _joined(self, final: bool) -> Iterator[tuple[Piece, list[int] | None]]:
        """Pieces; neighbours joined where large blocks are read faster than small ones."""
        held: list[Piece] = []
        for piece, lines in self._pieces(final):
            odd = piece.torn or piece.oversize or lines is not None
            if held and (odd or sum(len(p.data) for p in held) >= _LARGE):
                yield _one(held), None
                held = []
            if odd or not self._fast:
                yield piece, lines
            else:
                held.append(piece)
        if held:
            yield _one(held), None

    def _take(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            if self._sign is None:
                self._sign = decimal_sign(batch, self._rows.sep)
                self._rows.only_text = self._sign == ","
            if self._sign == ",":
                batch = with_points(batch)
            if self._table is None or not self._continues(batch.layout):
                self._end_table()
                self._table = self._begin_table(batch.layout)
            self._header = batch.layout
            if self._run and batch.layout.runs:
                batch = batch._replace(layout=batch.layout.of_run(self._run))
            self._table.add(batch)

    def _take_one(self, data: bytes) -> bool:
        """Take the lone row that a poll of a growing table mostly brings; False for all else."""
        table, rows = self._table, self._rows
        layout = rows.layout
        if not isinstance(table, Wide) or layout is None or layout is not self._header:
            return False
        if not rows.settled or self._sign == ",":
            return False
        cells = plain_row(data, rows.sep, layout.width)
        if cells is None or not table.one(cells, layout):
            return False
        rows.line += 1
        return True

    def _continues(self, layout: Layout) -> bool:
        """Whether rows go on under the same header, wider ones included."""
        return layout is self._header or bool(
            self._header and layout.grown_from == self._header.names
        )

    def _begin_table(self, layout: Layout) -> Wide | Long:
        comma = self._rows.sep != "," and self._sign != "."
        if layout.form == "long":
            return Long(layout, self._columns, self._damage, comma, self._run)
        if layout.left_out:
            what = f"{plural(layout.left_out, 'column')} of extremes or counters beside the values"
            self._file.note("skipped", f"{what}, left out")
        started = unix_seconds(self._rows.config.get("t_start"))
        self._started = self._started if started is None else started
        own = layout.of_run(self._run) if layout.runs else layout
        for field in own.metrics:
            self._order.setdefault(field.name, len(self._order))
        split = _split_of(self._path.stem)
        return Wide(own, self._columns, self._damage, comma, self._started, split)

    def _end_table(self) -> None:
        """Say what can be said about a table once nothing more comes to it."""
        table, self._table = self._table, None
        if table is None:
            return
        table.end()
        self._count += table.rows
        if not isinstance(table, Wide):
            return
        self._assume(table)
        if table.texts:
            self._file.note("skipped", no_numbers(table.texts))
        for name, count in list(table.leading.dropped.items())[:20]:
            what = f"{plural(count, 'nan', 'nan')} before the first number of {name!r}"
            self._file.note("skipped", f"{what}: padding, not logged; left out")

    def _assume(self, table: Wide | Long | None) -> None:
        for text in self._rows.assumed:
            self._file.note("assumed", text)
        if isinstance(table, Wide):
            for text in [*table.assumed, table.counted]:
                if text:
                    self._file.note("assumed", text)


def _split_of(stem: str) -> str | None:
    """The split that the name of a file says, as in ``test_error.tsv`` of CatBoost."""
    found = _OF_SPLIT.fullmatch(stem.lower())
    return known_split(found.group(1) or found.group(2)) if found else None


def _one(pieces: list[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    return Piece(pieces[0].start, b"".join(p.data for p in pieces), pieces[-1].end)
