"""Lines to rows: the header, quotes over several lines, ragged rows, a second header."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from trainlens.readers._csv.block import SMALLEST, clean_columns
from trainlens.readers._csv.cells import Cells, Places, is_missing, is_number
from trainlens.readers._csv.faults import LineDamage
from trainlens.readers._csv.layout import (
    Layout,
    is_header,
    is_header_behind,
    is_telling,
    layout_of,
    two_levels,
)
from trainlens.readers._csv.split import (
    cells_of,
    is_closed,
    is_marker,
    is_open,
    named_separator,
    separator_of,
    settings_in,
    text_of,
)

_BEFORE = "a line before the header, passed over"
_MOST_OPEN = 50
"""Lines that quotes may span."""

_PART = 1 << 18
"""Bytes of a large block that are tried once more by themselves."""

_ASIDE = frozenset("#<=>|s \t,;")
_DIGITS = frozenset("0123456789")

_SURE = 3
"""Rows in a row of another width than the header's that make that width credible."""


class Batch(NamedTuple):
    """Rows under one header.

    Parameters
    ----------
    layout : Layout
    cells : list of Cells
        One a column, at most ``layout.width``, each of n cells.
    line : ndarray of intp, shape (n,)
        Numbers of their lines.
    sure : int or None
        Only so many cells of each row are known to be complete; None for all.
    """

    layout: Layout
    cells: Sequence[Cells]
    line: Places
    sure: int | None = None


class Rows:
    """Turns complete lines into batches of rows of the same layout.

    A row of another width than expected is held until two more of the same width follow: then
    the table is ragged; else the row is damaged, for no cell of it can be trusted.

    Parameters
    ----------
    damage : LineDamage
    stem : str
        Name of the file.
    """

    def __init__(self, damage: LineDamage, stem: str = "") -> None:
        self.layout: Layout | None = None
        self.config: dict[str, Any] = {}
        self.assumed: list[str] = []
        self.fast = False
        self.line = 0
        self._given: Iterator[int] | None = None
        self._damage = damage
        self._stem = stem
        self._sep: str | None = None
        self._comment = ""
        self._names: list[str] = []
        self._fresh = False
        self._widths: set[int] = set()
        self._open: list[tuple[int, str]] = []
        self._odd: list[tuple[int, list[str]]] = []
        self._done: list[Batch] = []
        self._rows: list[list[str]] = []
        self._lines: list[int] = []

    @property
    def sep(self) -> str:
        """The separator."""
        return self._sep or ","

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
            columns = self._plain(text)
        layout = self.layout
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

    def _plain(self, text: str) -> list[list[str]] | None:
        """The columns of lines that are rows beyond doubt; None unless all of them are."""
        layout, sep = self.layout, self.sep
        if layout is None or self._open or self._odd or layout.width < 2 or '"' in text:
            return None
        lines = text.split("\n")
        if {line.count(sep) for line in lines} != {layout.width - 1}:
            return None
        begin = {line[0] for line in lines}
        long = layout.form == "long" and layout.names[0] not in text and begin.isdisjoint(_ASIDE)
        if not long and not begin <= _DIGITS:
            return None
        cells = text.replace("\n", sep).split(sep)
        return [cells[j :: layout.width] for j in range(layout.width)]

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
        if kept and self._is_data(kept):
            cells = kept + [""] * (layout.width - len(kept))
            yield Batch(layout, [[c] for c in cells], np.array([self.line]), len(kept))

    def finish(self) -> Iterator[Batch]:
        """Decide on everything that was held, for nothing more comes."""
        while self._open:
            for line, text in self._give_up_quotes():
                self._quoted(line, text)
        self._give_up_odd()
        yield from self._flush()

    def _clean(self, data: bytes) -> Any:
        layout = self.layout
        if not self.fast or layout is None or len(data) < SMALLEST or self._open or self._odd:
            return None
        return clean_columns(data, self.sep, layout.width)

    def _take(self, texts: list[str]) -> None:
        for text in texts:
            self.line = self.line + 1 if self._given is None else next(self._given)
            if self._open or '"' in text:
                self._quoted(self.line, text)
            else:
                self._row(self.line, text)

    def _quoted(self, line: int, text: str) -> None:
        """Join lines between quotes, unless a whole row stands among them."""
        if not self._open and not is_open(text):
            self._row(line, text)
            return
        queue = deque([(line, text)])
        while queue:
            line, text = queue.popleft()
            if not self._open:
                if is_open(text):
                    self._open = [(line, text)]
                else:
                    self._row(line, text)
                continue
            self._open.append((line, text))
            if is_open(text):
                joined = "\n".join(t for _, t in self._open)
                whole = not self.layout or joined.count(self.sep) >= self.layout.width - 1
                cells = cells_of(joined, self.sep) if whole else None
                if cells is not None and (not self.layout or len(cells) == self.layout.width):
                    start = self._open[0][0]
                    self._open = []
                    self._cells(start, cells, joined)
                    continue
            elif not self._is_whole_row(text) and len(self._open) < _MOST_OPEN:
                continue
            queue.extendleft(reversed(self._give_up_quotes()))

    def _give_up_quotes(self) -> list[tuple[int, str]]:
        """Isolate the line that opened the quotes; the lines behind it, to be read alone."""
        (line, _), *rest = self._open
        self._open = []
        self._damage.line("corrupt", "a row whose quotes do not close, passed over", line)
        return rest

    def _is_whole_row(self, text: str) -> bool:
        if '"' in text or self.layout is None or self.layout.width < 2:
            return False
        cells = text.split(self.sep)
        return len(cells) == self.layout.width and self._is_data(cells)

    def _row(self, line: int, text: str) -> None:
        if not text or text.isspace() or (self._sep and not text.strip(self._sep + ' \t"')):
            return
        if text[0] in "#<=>|s" and self._aside(line, text):
            return
        if self.layout is None:
            self._begin(line, text)
            return
        if self._fresh and self.layout.width == 1 and is_header_behind(text):
            self._damage.line("skipped", _BEFORE, line - 1, None)
            self.layout = self._sep = None
            return self._begin(line, text)
        cells = cells_of(text, self.sep)
        if cells is None:
            what = "a row whose quotes do not fit together, passed over"
            self._damage.line("corrupt", what, line)
            return
        self._cells(line, cells, text)

    def _aside(self, line: int, text: str) -> bool:
        """Lines that are no rows: comments, settings, conflict markers, the separator."""
        if text[0] == "#":
            self._comment = text[1:]
            self.config |= settings_in(self._comment)
            return True
        if is_marker(text):
            what = "a conflict marker of git, passed over: both sides were read"
            self._damage.line("skipped", what, line, 0)
            return True
        if self.layout is None and (sep := named_separator(text)):
            self._sep = sep
            return True
        return False

    def _begin(self, line: int, text: str) -> None:
        sep = self._sep or separator_of(text)
        cells = cells_of(text, sep)
        if cells is not None and is_header(cells):
            self._sep = sep
            self._start(cells)
            return
        # numpy.savetxt writes its header as a comment.
        names = cells_of(self._comment, sep) or []
        if cells is not None and len(names) == len(cells) and is_header(names):
            self._sep = sep
            self._start(names)
            self._cells(line, cells, text)
        elif not self._aside(line, text):
            self._damage.line("skipped", _BEFORE, line, None)

    def _start(self, names: Sequence[str]) -> None:
        self._batch()
        self._fresh, self._names = True, list(names)
        self.layout = layout_of(names, self._stem)
        self._widths = {self.layout.width}

    def _cells(self, line: int, cells: list[str], text: str) -> None:
        layout = self.layout
        if layout is None:
            self._start(cells)
            return
        if len(cells) > layout.width and not any(c.strip() for c in cells[layout.width :]):
            cells = cells[: layout.width]
        if self._fresh and (names := two_levels(self._names, cells)):
            self._start(names)
        elif self._names_again(layout, cells):
            self._give_up_odd()
            self._start(cells)
        elif len(cells) in self._widths:
            self._give_up_odd()
            self._keep(line, cells)
        elif not self._is_data(cells):
            self._damage.line("corrupt", "a line that is no row of the table, passed over", line)
        else:
            self._hold(line, cells)

    def _names_again(self, layout: Layout, cells: list[str]) -> bool:
        first = next((c.strip() for c in cells if c), "")
        if not first or first[0].isdigit() or first[0] in "+-.":
            return False
        if layout.form == "long" and first != layout.names[0]:
            return False
        plain = [c.strip() for c in cells]
        if tuple(plain) == layout.names[: len(plain)] and len(plain) > 1:
            return True
        if layout.form == "long" or len(cells) < 2 or not is_header(cells):
            return False
        return first in layout.names or sum(map(is_telling, plain)) * 2 > len(plain)

    def _is_data(self, cells: Sequence[str]) -> bool:
        """Whether at least half of the cells that hold anything hold numbers."""
        filled = [c for c in cells if not is_missing(c)]
        share = 3 if self.layout and self.layout.form == "long" else 2
        return bool(filled) and share * sum(map(is_number, filled)) >= len(filled)

    def _keep(self, line: int, cells: list[str]) -> None:
        if self._rows and len(cells) != len(self._rows[-1]):
            self._batch()
        self._fresh = False
        self._rows.append(cells)
        self._lines.append(line)

    def _hold(self, line: int, cells: list[str]) -> None:
        if self._odd and len(self._odd[0][1]) != len(cells):
            self._give_up_odd()
        self._odd.append((line, cells))
        layout = self.layout
        if len(self._odd) < _SURE or layout is None:
            return
        held, self._odd = self._odd, []
        self._assume(layout, len(cells))
        self._widths.add(len(cells))
        for row in held:
            self._keep(*row)

    def _assume(self, layout: Layout, width: int) -> None:
        if width > layout.width:
            self._batch()
            self.layout = layout.wider(width)
            names = ", ".join(self.layout.names[layout.width :][:3])
            what = f"the values behind the last name are kept as {names}"
        else:
            what = f"they are taken for the first {width} names, which may be wrong"
        self.assumed.append(f"rows have {width} values for {layout.width} names; {what}")

    def _give_up_odd(self) -> None:
        held, self._odd = self._odd, []
        for line, cells in held:
            width = self.layout.width if self.layout else 0
            what = f"{len(cells)} cells where {width} belong; the row was passed over"
            self._damage.line("corrupt", what, line)

    def _batch(self) -> None:
        if self._rows and self.layout is not None:
            columns = list(map(list, zip(*self._rows, strict=True)))
            self._done.append(Batch(self.layout, columns, np.array(self._lines, np.intp)))
        self._rows, self._lines = [], []

    def _flush(self) -> Iterator[Batch]:
        self._batch()
        done, self._done = self._done, []
        yield from done
