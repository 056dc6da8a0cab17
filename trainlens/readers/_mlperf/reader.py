"""Reads MLPerf logs record by record; see `trainlens.readers.mlperf`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from trainlens.chunk import Chunk
from trainlens.readers._columns import Key
from trainlens.readers._damage import Damage
from trainlens.readers._follow import TOO_LONG, Follow
from trainlens.readers._lines import Piece
from trainlens.readers._mlperf.aside import read_aside
from trainlens.readers._mlperf.events import Events
from trainlens.readers._mlperf.place import At
from trainlens.readers._mlperf.record import Found, plain, read_line
from trainlens.words import plural


class MLPerfLog:
    """Reads an MLPerf log, each record exactly once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = Follow(path)
        self._damage = Damage(path.name)
        self._events = Events()
        self._given: dict[str, Any] = {}
        self._closed = False

    @property
    def records(self) -> int:
        """Records read so far, of every kind."""
        return self._events.records

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be opened.
        """
        self._file.read(final, self._read, self._events.places.restart)
        for what in sorted(self._events.places.assumed):
            self._file.note("assumed", what)
        if final and not self._closed:
            self._closed = True
            self._close()
        config = self._events.config
        new = {k: v for k, v in config.items() if k not in self._given or self._given[k] != v}
        self._given = dict(config)
        notices = self._damage.take(final) + self._file.take()
        return Chunk(self._events.columns.take(), new, notices)

    def _read(self, final: bool) -> None:
        for piece in self._file.tail.lines(final):
            if piece.oversize:
                self._damage.add("corrupt", TOO_LONG, piece.start, piece.end, 1)
            else:
                self._take(piece)
        self._events.flush()

    def _take(self, piece: Piece) -> None:
        at = piece.start
        for raw in piece.data.split(b"\n"):
            end = min(at + len(raw) + 1, piece.end)
            if raw.strip():
                line = plain(raw)
                found = read_line(line, piece.torn)
                for record in found.records:
                    self._events.take(record)
                if found.damage:
                    self._report(piece, at, end, found)
                if not found.marks and not piece.torn:
                    self._aside(line)
            at = end

    def _report(self, piece: Piece, start: int, end: int, found: Found) -> None:
        torn = piece.torn and found.lost != 0
        what = "the last line has no end; " + found.damage if torn else found.damage
        self._damage.add("torn-tail" if torn else "corrupt", what, start, end, found.lost)

    def _aside(self, line: bytes) -> None:
        """A line of other output within a run."""
        said = read_aside(line) if self._events.runs else None
        if said is None:
            return
        places = self._events.places
        if said.step is not None:
            places.advance(said.step)
        epoch = places.epoch if said.epoch is None else said.epoch
        step = int(said.epoch or 0) if said.step is None else said.step
        at = At(step, math.nan if epoch is None else epoch)
        for name, value in said.pairs:
            # The clock of such lines is of an unknown zone, unlike that of the records.
            self._events.add(Key(name), at, value, math.nan)

    def _close(self) -> None:
        events = self._events
        for key, count in events.unplaced.items():
            times = plural(count, "time")
            what = (
                f"{key} changed {times} without a step or epoch: its last value is kept as setting"
            )
            self._file.note("skipped", what)
        if events.status and events.status != "success" and not events.open:
            self._file.note("unfinished", f"run_stop says that the run was {events.status}")
        elif events.records and (events.open or not events.runs):
            self._file.note(
                "unfinished", "no run_stop: the run was not finished, or its log ends early"
            )
        if events.runs > 1:
            self._file.note("assumed", f"{events.runs} runs, one after the other, in this file")
        if not events.records:
            self._file.note("empty", "no MLPerf record")
