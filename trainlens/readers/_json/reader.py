"""Reads files of JSON records; see `trainlens.readers.jsonl`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from trainlens import schema
from trainlens.chunk import Chunk, Ended
from trainlens.readers._damage import Damage
from trainlens.readers._events import Events
from trainlens.readers._follow import REPLACED, TOO_LONG, Follow, no_numbers
from trainlens.readers._json.decode import (
    AROUND,
    Found,
    Object,
    decode_line,
    decode_lines,
    scan,
)
from trainlens.readers._json.duplicates import Duplicates
from trainlens.readers._json.fast import Fast
from trainlens.readers._json.records import Records
from trainlens.readers._json.rewritten import Rewritten
from trainlens.readers._json.rows import leaves
from trainlens.readers._json.sniff import counts, goes_on, tells
from trainlens.readers._json.steady import Steady
from trainlens.readers._lines import Piece
from trainlens.readers._values import number
from trainlens.readers.base import HEAD
from trainlens.words import plural

_SCHEMA = b'"trainlens.'
_BLANK = b"\xef\xbb\xbf \t\r\n\0"
_SOME = 64
"""Bytes that tell whether a file begins as an array."""


class JsonLines:
    """Reads a file of JSON records, each record exactly once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = Follow(path)
        self._damage = Damage(path.name)
        self._events = Events(path.name)
        self._records = Records()
        self._fast = Fast(self._records)
        self._steady = Steady(self._records)
        self._array = Rewritten()
        self._duplicates = Duplicates()
        self._around = 0
        self._twice: set[str] = set()
        self._by_lines: bool | None = None
        self._config: dict[str, Any] = {}
        self._config_keys: set[str] = set()
        self._first: Object | None = None
        self._begun = False
        self._headers = 0
        self._ended: Ended | None = None

    @property
    def records(self) -> int:
        """Records read so far; headers, configurations and ends are none."""
        return self._records.count

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be opened.
        """
        self._file.read(final, self._read)
        if final:
            self._settle_first(None)
            self._close()
            self._steady.forget()
        if self._records.assumed:
            self._file.note("assumed", self._records.assumed, key="steps")
        config, self._config = {**self._records.take_settings(), **self._config}, {}
        for event in self._records.take_events():
            self._events.add(event.text, partial("record {}".format, event.record), event.step)
        notices = self._damage.take(final) + self._events.take(final) + self._file.take()
        return Chunk(self._records.take(), config, notices, self._ended)

    def _read(self, final: bool) -> None:
        self._check_identity()
        if self._by_lines is None:
            self._by_lines = _is_by_lines(self._file.tail.peek(HEAD), final)
        if self._by_lines:
            self._read_lines(final)
        elif self._by_lines is False:
            self._read_objects(final)

    def _check_identity(self) -> None:
        if not self._file.replaced():
            return
        if self._by_lines is False:
            # An array is written anew whenever it grows: its records tell what is new.
            self._array.again()
        else:
            self._begin_anew(REPLACED)
            self._by_lines = None

    def _begin_anew(self, why: str) -> None:
        self._file.note("replaced", why, again=True)
        self._settle_first(None)
        self._begun, self._headers, self._config_keys = False, 0, set()
        self._ended = None
        self._records.restart()
        self._steady.forget()

    def _read_lines(self, final: bool) -> None:
        for piece in self._file.tail.lines(final):
            if not (piece.oversize or piece.torn):
                self._take_lines(piece.data, piece.start)
                continue
            self._fast.flush()
            if piece.oversize:
                self._too_long(piece)
            else:
                self._take_torn(piece)
        self._fast.rest()

    def _take_lines(self, data: bytes, start: int) -> None:
        at = 0
        if self._begun and self._fast.idle:
            at = self._steady.read(data, self._config_keys)
            self._taken(data, 0, at)
        while at < len(data):
            if self._begun:
                stop = self._fast.read(data, at, self._config_keys)
                self._taken(data, at, stop)
                at = stop
            if at < len(data):
                self._fast.flush()
                stop = self._fast.stretch(data, at)
                lines = data[at:stop]
                rows = decode_lines(lines, start + at, self._report)
                self._look_for_duplicates(lines, rows)
                self._take(rows, _SCHEMA in lines)
                at = stop

    def _taken(self, data: bytes, at: int, stop: int) -> None:
        """The records between two places needed no closer look."""
        self._duplicates.skip(stop - at)
        if self._ended is not None and data[at:stop].strip():
            self._ended = None

    def _read_objects(self, final: bool) -> None:
        for piece in self._file.tail.objects():
            if piece.oversize:
                self._too_long(piece)
                continue
            objects, end, gaps = scan(piece.data, array=True)
            for gap in gaps:
                what = "a record that is not valid JSON"
                self._damage.add("corrupt", what, piece.start, piece.start + end, gap.count(b"{"))
            new, other = self._array.new(objects)
            if other:
                self._begin_anew("the file has other records than before; those are read anew")
            self._take(new, True)
            self._file.tail.advance(end)
            rest = piece.data[end:].strip(b" \t\r\n\0,[]")
            if final and piece.torn:
                self._file.tail.advance(len(piece.data) - end)
                if rest:
                    start = piece.start + end
                    self._torn(start, piece.end, Found([], "an unfinished record", 1))
            if piece.torn and not rest and self._array.missing and self._is_whole(piece.data[end:]):
                self._cut()
        if final and self._array.missing:
            self._cut()

    def _is_whole(self, behind: bytes) -> bool:
        """Whether bytes behind the last record say that the file is not being written anew."""
        return b"]" in behind or self._file.tail.peek(_SOME).lstrip(_BLANK)[:1] != b"["

    def _cut(self) -> None:
        self._array.cut()
        self._file.note(
            "replaced", "the file was cut; the records read before are kept", again=True
        )

    def _look_for_duplicates(self, data: bytes, rows: list[Object]) -> None:
        twice = [name for name in self._duplicates.look(data, rows) if name not in self._twice]
        if twice:
            self._twice.update(twice)
            names = ", ".join(twice[:5]) + (f" and {len(twice) - 5} more" if len(twice) > 5 else "")
            self._file.note("assumed", f"twice in the same record: {names}; the last value counts")

    def _take_torn(self, piece: Piece) -> None:
        if not piece.data.strip():
            return
        found = decode_line(piece.data)
        self._take(found.objects, True)
        if found.damage:
            self._ended = None
            self._torn(piece.start, piece.end, found)

    def _torn(self, start: int, end: int, found: Found) -> None:
        what = "the last line has no end; " + found.damage
        self._damage.add("torn-tail", what, start, end, found.lost)

    def _too_long(self, piece: Piece) -> None:
        self._damage.add("corrupt", TOO_LONG, piece.start, piece.end, 1)

    def _report(self, start: int, end: int, found: Found) -> None:
        if found.damage == AROUND:
            self._around += 1
            return
        kind = "skipped" if found.lost == 0 else "corrupt"
        self._damage.add(kind, found.damage, start, end, found.lost)

    def _take(self, rows: Sequence[Object], headers: bool) -> None:
        """Admit records; headers, ends and configurations among them are told apart."""
        if not headers and not self._config_keys:
            self._admit(rows)
            return
        begin = 0
        for i, row in enumerate(rows):
            header, end = schema.is_header(row), schema.is_end(row)
            if header or end or (self._config_keys and row.keys() == self._config_keys):
                self._admit(rows[begin:i])
                begin = i + 1
                if end:
                    self._ended = _ended(row)
                elif header:
                    self._take_header(row)
                else:
                    self._config |= row
        self._admit(rows[begin:])

    def _take_header(self, row: Object) -> None:
        self._settle_first(None)
        self._begun = True
        self._ended = None
        self._headers += 1
        config = row.get("config")
        self._config |= config if isinstance(config, dict) else {}
        self._config |= {k: row[k] for k in ("run", "created", "schedules") if k in row}
        if self._records.count or self._headers > 1:
            what = "a second header: another run or a restart in the same file"
            self._file.note("assumed", what, again=True)
            self._records.restart()
        self._records.native = True
        self._steady.forget()

    def _admit(self, rows: Sequence[Object]) -> None:
        if not rows:
            return
        self._ended = None
        if not self._begun:
            if self._first is None and not counts(rows[0]):
                self._first, rows = rows[0], rows[1:]
            if not rows:
                return
            self._settle_first(rows[0])
            if self._config_keys:
                # Further rows of the same shape are configurations too, in this poll as in later.
                self._take(rows, True)
                return
        self._records.add(rows)

    def _settle_first(self, second: Object | None) -> None:
        """Decide what the first record was, now that the one behind it is known."""
        first, self._first = self._first, None
        self._begun = self._begun or second is not None
        if first is None:
            return
        if second is not None and _is_config(first, second):
            self._config |= first
            self._config_keys = set(first)
        else:
            self._records.add([first])

    def _close(self) -> None:
        skipped = self._records.skipped
        if skipped:
            self._file.note("skipped", no_numbers([f"{n} ({what})" for n, what in skipped.items()]))
        if self._around:
            self._file.note("skipped", f"{plural(self._around, 'line')}: {AROUND}")
        if not self._records.count:
            self._file.note("empty", "no records yet" if self._headers else "no records")


def _ended(row: Object) -> Ended:
    """What the end of a log says; what it says otherwise than we know is that of a closed one."""
    time, how = number(row.get("ended")), row.get("how")
    return Ended(math.nan if time is None else time, how if how in schema.HOWS else "closed")


def _is_by_lines(data: bytes, final: bool) -> bool | None:
    """Whether records are lines; None while that cannot be told."""
    body = data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\0")
    if body[:1] == b"[":
        return False
    first, newline, _ = body.partition(b"\n")
    if not newline:
        return False if len(scan(body).objects) > 1 else (True if final else None)
    return not goes_on(first)


def _is_config(first: Object, second: Object) -> bool:
    """Whether a first record without a step is a configuration, judged by the next record."""
    held = dict(leaves(first))
    shared = held.keys() & dict(leaves(second)).keys()
    if counts(first) or len(shared) * 2 > len(held):
        return False
    words = sum(number(v) is None for v in held.values())
    if not words and not counts(second):
        return False
    return words > 0.5 * len(held) or not tells(first, {"loss", "metric"})
