"""Text logs: lines with ``key=value``, ``key: value`` or ``loss 2.3`` and a step or an epoch.

Deliberately careful: a number becomes a point only where the line says which step or epoch it
belongs to, or where a line of hardly anything but known metrics follows such a line. Planned
totals (``3000/100000``, ``Epoch 3/10``) become ``planned_steps`` and ``planned_epochs`` of the
configuration.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from trainlens.chunk import Chunk, Notice
from trainlens.errors import NotFound
from trainlens.readers._columns import Columns, Key
from trainlens.readers._damage import Damage
from trainlens.readers._json.axes import StepCounter
from trainlens.readers._lines import Piece, Tail
from trainlens.readers._text.line import Line, clean, parse
from trainlens.readers._text.place import Place
from trainlens.readers._text.sniff import confidence, ends, two_columns
from trainlens.readers.base import Source
from trainlens.roles import parse_name

FORMAT = "text"

_OPEN = re.compile(rb"[\d.](?:[eE][+-]?)?\s*$")


def sniff(path: Path) -> float:
    """Confidence in [0, 0.5] that a file is a text log: other formats are surer of theirs."""
    return confidence(path, *ends(path)) if path.is_file() else 0.0


def find(path: Path) -> list[Source]:
    """The one run of a file."""
    return [Source(FORMAT, path)]


def open_source(source: Source) -> TextLog:
    """A reader positioned at the beginning."""
    return TextLog(source.path)


class TextLog:
    """Reads a text log, each line exactly once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tail = Tail(path)
        self._damage = Damage(path.name)
        self._place = Place()
        self._counter = StepCounter()
        self._two_columns: bool | None = None
        self._planned: dict[str, Any] = {}
        self._points = 0
        self._notices: list[Notice] = []
        self._told: set[str] = set()
        self._decimals: dict[str, int | None] = {}

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be opened.
        """
        columns = Columns()
        before = dict(self._planned)
        try:
            self._read(final, columns)
        except NotFound:
            if not self._tail.offset:
                raise
            self._note("unreadable", "the file is gone; what was read of it is kept")
        if self._counter.assumed:
            self._note("assumed", self._counter.assumed)
        if final and not self._points:
            self._note("empty", "no line with a step and a number")
        new = {k: v for k, v in self._planned.items() if before.get(k) != v}
        notices, self._notices = tuple(self._notices), []
        return Chunk(columns.take(), new, self._damage.take(final) + notices)

    def _read(self, final: bool, columns: Columns) -> None:
        if not final and not self._tail.changed():
            return
        if self._tail.offset and self._tail.replaced():
            self._told.discard("assumed")
            self._note("assumed", "the file was replaced or cut; read anew from its beginning")
            self._place, self._counter, self._two_columns = Place(), StepCounter(), None
        for piece in self._tail.lines(final):
            if piece.oversize:
                what = "a line too long to be a record, passed over"
                self._damage.add("corrupt", what, piece.start, piece.end, 1)
                continue
            self._store(self._lines(piece), columns)

    def _lines(self, piece: Piece) -> list[Line]:
        """The lines of a piece that hold points, with step, epoch and split completed."""
        found = []
        for raw in piece.data.split(b"\n"):
            text = clean(raw)
            if not text.strip():
                continue
            if self._two_columns is None:
                self._two_columns = two_columns(text) is not None
            line = two_columns(text) if self._two_columns else parse(text)
            if line is None:
                continue
            if piece.torn and not self._trust(line, raw, piece):
                continue
            self._plan(line)
            if self._place.complete(line):
                found.append(line)
                for (name, _), text in zip(line.pairs, line.texts, strict=False):
                    places = _decimals(text)
                    if self._decimals.setdefault(name, places) != places:
                        self._decimals[name] = None
        return found

    def _plan(self, line: Line) -> None:
        if not self._two_columns and (steps := self._place.planned(line)):
            self._planned["planned_steps"] = steps
        if line.epochs:
            self._planned["planned_epochs"] = line.epochs

    def _trust(self, line: Line, raw: bytes, piece: Piece) -> bool:
        """Whether a last line without an end is worth reading, without its last number.

        ``loss=0.12`` may be the beginning of ``loss=0.125``: the last number counts only where
        that metric has had the same number of decimals all along.
        """
        if not _OPEN.search(raw):
            return True
        if line.open_end and line.texts:
            known = self._decimals.get(line.pairs[-1][0])
            if known and known == _decimals(line.texts[-1]):
                return True
            del line.pairs[-1], line.texts[-1]
        else:
            line.pairs.clear()
        what = "the last line has no end; its last number was left out"
        self._damage.add("torn-tail", what, piece.start, piece.end, 1)
        return bool(line.pairs)

    def _store(self, lines: list[Line], columns: Columns) -> None:
        if not lines:
            return
        known = np.array([line.step is not None for line in lines], bool)
        epoch = np.array([math.nan if x.epoch is None else x.epoch for x in lines], np.float64)
        wall = np.array(
            [math.nan if x.wall_time is None else x.wall_time for x in lines], np.float64
        )
        step = np.array([line.step or 0 for line in lines], np.int64)
        step = self._counter(step, known, None if np.isnan(epoch).all() else epoch)
        places: dict[Key, tuple[list[int], list[float]]] = {}
        for i, line in enumerate(lines):
            for name, value in line.pairs:
                at, values = places.setdefault(Key(name, _split_of(name, line.split)), ([], []))
                at.append(i)
                values.append(value)
        for key, (at, values) in places.items():
            self._points += len(at)
            columns.add(key, step[at], np.array(values, np.float64), wall[at], epoch[at])

    def _note(self, kind: str, message: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._notices.append(Notice(kind, self._path.name, message))


def _split_of(name: str, split: str | None) -> str | None:
    # A name that says its split itself is believed.
    return None if parse_name(name)[1] else split


def _decimals(text: str) -> int | None:
    """Digits behind the point of a plain number; None for other notations."""
    whole, point, digits = text.partition(".")
    return len(digits) if point and digits.isdigit() and whole.lstrip("+-").isdigit() else None
