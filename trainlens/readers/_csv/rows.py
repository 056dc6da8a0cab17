"""Blocks of lines to rows: as many at once as are beyond doubt, the others one by one."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from trainlens.readers._csv.block import SMALLEST, clean_columns
from trainlens.readers._csv.cells import Cells, Places
from trainlens.readers._csv.lines import Batch, Lines
from trainlens.readers._csv.plain import is_data, plain_columns
from trainlens.readers._csv.split import cells_of, is_closed, is_open, text_of
from trainlens.readers._csv.table import Table

_PART = 1 << 18
"""Bytes of a large block that are tried once more by themselves."""

_SCANS = 8
"""Scans of one block, which begin anew where an odd line changes how the rest is to be read."""


class Rows(Lines):
    """Turns complete lines into batches of rows of the same layout; see `Lines`."""

    def feed(self, data: bytes, lines: Iterable[int] | None = None) -> Iterator[Batch]:
        """Take complete lines, whose numbers are `lines` where they do not simply go on."""
        self._given = None if lines is None else iter(lines)
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        if not self.line:
            data = data.removeprefix(b"\xef\xbb\xbf")
        data = data[self._feed_head(data) :]
        if data:
            yield from self._flush()
            yield from self._feed_rows(data)

    def _feed_rows(self, data: bytes) -> Iterator[Batch]:
        if not data.strip() and not self._open and self._given is None:
            # Blank lines alone, however many.
            self.line += data.count(b"\n")
            return
        if self.scans:
            yield from self._feed_table(data)
            return
        layout = self.layout
        columns: Sequence[Cells] | None = self._clean(data)
        cut = data.find(b"\n", _PART) + 1
        if columns is None and self.fast and 0 < cut < len(data):
            # One odd cell shall not make all of a large block odd.
            start = 0
            while start < len(data):
                yield from self._feed_rows(data[start:cut])
                start, cut = cut, data.find(b"\n", cut + _PART) + 1 or len(data)
            return
        if columns is None:
            text = data.decode("utf-8", "replace").removesuffix("\n")
            sure = layout is not None and not self._open and not self._odd
            columns = plain_columns(text, layout, self.sep) if layout and sure else None
        if columns is None or layout is None:
            self._take(text.split("\n"))
            yield from self._flush()
            return
        n = len(columns[0])
        line = np.arange(self.line + 1, self.line + n + 1)
        if self._given is not None:
            line = np.fromiter(islice(self._given, n), np.intp, n)
        self.line = int(line[-1])
        yield Batch(layout, columns, line)

    def _feed_table(self, data: bytes) -> Iterator[Batch]:
        """As `_feed_rows`: the compiled scanner takes all rows that are no problem."""
        count = data.count(b"\n") + (not data.endswith(b"\n"))
        number = np.arange(self.line + 1, self.line + count + 1)
        if self._given is not None:
            number = np.fromiter(islice(self._given, count), np.intp, count)
        at = done = scans = 0
        while at < len(data):
            layout = self.layout
            if layout is None or layout.width < 2 or scans == _SCANS:
                at, done = self._take_lines(data, at, len(data), number[done:]), count
            elif self._open or self._young:
                stop = data.find(b"\n", at) + 1 or len(data)
                at, done = self._take_lines(data, at, stop, number[done : done + 1]), done + 1
                self._young -= self._young > 0
            else:
                table = Table(data, at, self.sep, layout, self.only_text)
                scans = scans + 1 if table.odd * 4 <= table.rows else _SCANS
                if scans < _SCANS:
                    at, done = yield from self._feed_stretches(table, data, number, done)
            yield from self._flush()

    def _feed_stretches(
        self, table: Table, data: bytes, number: Places, done: int
    ) -> Generator[Batch, None, tuple[int, int]]:
        """Rows and odd lines as they come; where to go on, in bytes and in lines."""
        layout = table.layout
        for stretch in table.stretches():
            if len(stretch.line):
                self._give_up_odd()
                yield from self._flush()
                self._fresh = False
                yield Batch(layout, stretch.cells, number[done + stretch.line])
            for line, start, end in stretch.odd:
                text = data[start:end].decode("utf-8", "replace")
                self._take_line(int(number[done + line]), text)
                if self._open or self.layout is not layout:
                    return end + 1, done + line + 1
            yield from self._flush()
        self.line = int(number[-1])
        return len(data), len(number)

    def _take_lines(self, data: bytes, at: int, stop: int, number: Places) -> int:
        texts = data[at:stop].decode("utf-8", "replace").removesuffix("\n").split("\n")
        for line, text in zip(number.tolist(), texts, strict=True):
            self._take_line(line, text)
        return stop

    def _feed_head(self, data: bytes) -> int:
        """Take lines until the header is known; the number of bytes taken."""
        start = 0
        while self.layout is None and start < len(data):
            stop = data.find(b"\n", start)
            stop = len(data) if stop < 0 else stop
            self._take([text_of(data[start:stop])])
            start = stop + 1
        return start

    def torn(self, data: bytes) -> Iterator[Batch]:
        """Take a last line that has no end: without its last cell, which may be cut."""
        yield from self.finish()
        text = data.decode("utf-8", "replace").strip("\r\n\0")
        if not text.strip() and b"\0" in data:
            self._damage.line("corrupt", "zero bytes in place of the last rows", self.line + 1)
        if not text.strip() or text.lstrip().startswith("#"):
            return
        self.line += 1
        layout, closed = self.layout, is_closed(text)
        cells = (cells_of(text, self.sep) if not is_open(text) else None) or text.split(self.sep)
        if closed and layout and len(cells) == layout.width:
            self._row(self.line, text)
            yield from self._flush()
            return
        what = "the last line has no end; its last cell was left out"
        self._damage.line("torn-tail", what, self.line)
        if layout is None or '"' in text or len(cells) > layout.width:
            return
        kept = cells[:-1]
        if kept and is_data(layout, kept):
            cells = kept + [""] * (layout.width - len(kept))
            yield Batch(layout, [[c] for c in cells], np.array([self.line]), len(kept))

    def _clean(self, data: bytes) -> Any:
        layout = self.layout
        if not self.fast or layout is None or len(data) < SMALLEST or self._open or self._odd:
            return None
        return clean_columns(data, self.sep, layout.width)
