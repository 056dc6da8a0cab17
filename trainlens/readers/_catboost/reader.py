"""Reads the files of a CatBoost training together; see `trainlens.readers.catboost`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainlens.chunk import Chunk, Notice
from trainlens.errors import NotFound, Unreadable
from trainlens.readers._catboost.document import Document
from trainlens.readers._catboost.files import TIMES, logs
from trainlens.readers._catboost.names import Names, settings
from trainlens.readers._catboost.rows import Cell, Gap, Rows
from trainlens.readers._catboost.table import Table
from trainlens.readers._columns import Columns
from trainlens.readers._damage import Damage
from trainlens.readers._lines import Tail


class CatBoostRun:
    """Reads a CatBoost training, each value exactly once.

    Parameters
    ----------
    path : Path
        The folder, or one of its files.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._damage: dict[str, Damage] = {}
        self._notices: list[Notice] = []
        self._configured: Mapping[str, Any] = {}
        self._seen = False
        self._told: set[str] = set()
        self._start()

    def _start(self) -> None:
        self._documents: dict[Path, Document] = {}
        self._tables: dict[Path, Table] = {}
        self._given: dict[Cell, int] = {}
        self._ahead: dict[Path, set[int]] = {}
        self._last: dict[Path, int] = {}
        self._names = Names()

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound, Unreadable
            If the run is not there or a file of it cannot be opened.
        """
        self._open(final)
        found = self._read(final)
        columns = Columns()
        self._store(_merged(found.values()), columns)
        self._report(found)
        if final and not self._given:
            self._note("empty", "no iteration in this training yet")
        notices, self._notices = tuple(self._notices), []
        for damage in self._damage.values():
            notices += damage.take(final)
        return Chunk(columns.take(), self._settings(), notices)

    def _open(self, final: bool) -> None:
        """Look which files there are by now, and whether the known ones were begun anew."""
        tails = [d.tail for d in self._documents.values()]
        tails += [t.tail for t in self._tables.values()]
        if any(_replaced(tail) for tail in tails):
            self._note("replaced", "the files were written anew; read from their beginning")
            self._start()
        there = logs(self._path) if self._path.is_dir() else [self._path]
        for path in there:
            if path in self._documents or path in self._tables or not path.is_file():
                continue
            if path.suffix != ".tsv":
                self._documents[path] = Document(Tail(path))
            elif path.name != TIMES or final:
                # Its milliseconds are coarser than what the JSON log has: the last resort.
                self._tables[path] = Table(Tail(path))
        if not self._documents and not self._tables and not self._seen:
            raise NotFound(self._path, "holds no CatBoost log any more", "check the path")
        self._seen = True

    def _read(self, final: bool) -> dict[Path, Rows]:
        found = {}
        readers: dict[Path, Document | Table] = {**self._documents, **self._tables}
        for path, reader in readers.items():
            try:
                found[path] = reader.read(final)
            except NotFound:
                self._note("unreadable", f"{path.name} is gone; what was read of it is kept")
            except Unreadable as error:
                self._note("unreadable", f"{path.name} {error.problem}")
        for document in self._documents.values():
            self._names.take_meta(document.meta)
        for table in self._tables.values():
            self._names.take_header(table.group, table.names)
        return found

    def _store(self, merged: Mapping[int, Mapping[Cell, float]], columns: Columns) -> None:
        points: dict[Cell, tuple[list[int], list[float]]] = {}
        for iteration in sorted(merged):
            for cell, value in merged[iteration].items():
                if iteration > self._given.get(cell, -1):
                    steps, values = points.setdefault(cell, ([], []))
                    steps.append(iteration)
                    values.append(value)
        for cell in sorted(points, key=lambda c: (not c.group, c.group, str(c.metric))):
            steps, values = points[cell]
            self._given[cell] = steps[-1]
            columns.add(self._names(cell), np.array(steps, np.int64), np.array(values, np.float64))

    def _report(self, found: Mapping[Path, Rows]) -> None:
        """Tell what damage cost, once what another file has of it is known."""
        held = {p: {*self._ahead.get(p, ()), *rows.values} for p, rows in found.items()}
        entries = _common([h for p, h in held.items() if p in self._documents])
        lines = _common([h for p, h in held.items() if p in self._tables and p.name != TIMES])
        for path, rows in found.items():
            for gap in rows.gaps:
                self._tell(path, gap, lines if path in self._documents else entries)
        # A row may be torn of which another file gave the values in an earlier poll.
        reached = min((self._reached(p, h) for p, h in held.items()), default=-1)
        self._ahead = {p: {i for i in h if i > reached} for p, h in held.items()}

    def _reached(self, path: Path, held: set[int]) -> int:
        self._last[path] = max(held, default=self._last.get(path, -1))
        return self._last[path]

    def _tell(self, path: Path, gap: Gap, elsewhere: list[int]) -> None:
        between = bisect_left(elsewhere, gap.before) - bisect_right(elsewhere, gap.after)
        lost = max(gap.lost - between, 0)
        what = gap.what + ("; its values are in another file" if lost < gap.lost else "")
        damage = self._damage.setdefault(path.name, Damage(path.name))
        damage.add(gap.kind, what, gap.start, gap.end, lost)

    def _settings(self) -> Mapping[str, Any]:
        """The configuration, once it is known."""
        found: dict[str, Any] = {}
        for document in self._documents.values():
            found |= settings(document.meta)
        new = found if found != self._configured else {}
        self._configured = found or self._configured
        return new

    def _note(self, kind: str, message: str) -> None:
        if message not in self._told or kind == "replaced":
            self._told.add(message)
            self._notices.append(Notice(kind, self._path.name, message))


def _common(held: Sequence[set[int]]) -> list[int]:
    """The iterations that every one of some files has, ascending."""
    return sorted(set.intersection(*held)) if held else []


def _replaced(tail: Tail) -> bool:
    try:
        return bool(tail.offset) and tail.changed() and tail.replaced()
    except NotFound:
        return False


def _merged(found: Iterable[Rows]) -> dict[int, dict[Cell, float]]:
    """Values by iteration; where several files have one, the first of them counts."""
    merged: dict[int, dict[Cell, float]] = {}
    for rows in found:
        for iteration, values in rows.values.items():
            held = merged.setdefault(iteration, values)
            if held is not values:
                for cell, value in values.items():
                    held.setdefault(cell, value)
    return merged
