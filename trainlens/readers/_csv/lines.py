"""Lines to rows, one by one: the header, quotes over lines, ragged rows, a second header."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from trainlens.readers._csv.cells import Cells, Places
from trainlens.readers._csv.faults import LineDamage
from trainlens.readers._csv.layout import (
    Layout,
    is_header,
    is_header_behind,
    layout_of,
    two_levels,
)
from trainlens.readers._csv.plain import is_data, names_again
from trainlens.readers._csv.split import (
    cells_of,
    is_marker,
    is_open,
    named_separator,
    separator_of,
    settings_in,
)

_BEFORE = "a line before the header, passed over"
_MOST_OPEN = 50
"""Lines that quotes may span."""

_YOUNG = 3
"""Rows below a header that are read line by line: they tell the axes and the decimal sign."""

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


class Lines:
    """Turns lines into batches of rows of the same layout.

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
        self.scans = False
        self.only_text = True
        self.line = 0
        self._given: Iterator[int] | None = None
        self._damage = damage
        self._stem = stem
        self._sep: str | None = None
        self._comment = ""
        self._names: list[str] = []
        self._fresh = False
        self._young = 0
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

    @property
    def settled(self) -> bool:
        """Whether the next row is one of the table, if it has the cells for it."""
        held = self._open or self._odd or self._rows or self._done
        begun = self.layout is not None and not self._fresh and not self._young
        return begun and not held and self.scans and not self.only_text

    def finish(self) -> Iterator[Batch]:
        """Decide on everything that was held, for nothing more comes."""
        while self._open:
            for line, text in self._give_up_quotes():
                self._quoted(line, text)
        self._give_up_odd()
        yield from self._flush()

    def _take(self, texts: list[str]) -> None:
        for text in texts:
            self._take_line(self.line + 1 if self._given is None else next(self._given), text)

    def _take_line(self, number: int, text: str) -> None:
        self.line = number
        if self._open or '"' in text:
            self._quoted(number, text)
        else:
            self._row(number, text)

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
                    self._cells(start, cells)
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
        return len(cells) == self.layout.width and is_data(self.layout, cells)

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
        self._cells(line, cells)

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
            self._cells(line, cells)
        elif not self._aside(line, text):
            self._damage.line("skipped", _BEFORE, line, None)

    def _start(self, names: Sequence[str]) -> None:
        self._batch()
        self._fresh, self._names, self._young = True, list(names), _YOUNG
        self.layout = layout_of(names, self._stem)
        self._widths = {self.layout.width}

    def _cells(self, line: int, cells: list[str]) -> None:
        layout = self.layout
        if layout is None:
            self._start(cells)
            return
        if len(cells) > layout.width and not any(c.strip() for c in cells[layout.width :]):
            cells = cells[: layout.width]
        if self._fresh and (names := two_levels(self._names, cells)):
            self._start(names)
        elif names_again(layout, cells):
            self._give_up_odd()
            self._start(cells)
        elif len(cells) in self._widths:
            self._give_up_odd()
            self._keep(line, cells)
        elif not is_data(self.layout, cells):
            self._damage.line("corrupt", "a line that is no row of the table, passed over", line)
        else:
            self._hold(line, cells)

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
