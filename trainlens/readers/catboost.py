"""CatBoost: a training folder (``catboost_info``), or its ``catboost_training.json`` alone.

Each value is taken from the JSON log, or from the tables beside it (``learn_error.tsv``,
``test_error.tsv``) where the JSON log lacks it: torn, damaged or absent. The event files in
``learn`` and ``test`` hold the same values once more and belong to the run.

The set ``learn`` is the split ``train``. The first evaluation set is the split ``val``, though
CatBoost calls it ``test``: it decides on the best iteration and on early stopping. Further
evaluation sets keep their names.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainlens.chunk import Chunk, Notice
from trainlens.errors import NotFound, Unreadable
from trainlens.readers._catboost.document import Document, looks_like
from trainlens.readers._catboost.names import Names, settings
from trainlens.readers._catboost.rows import Cell, Gap, Rows
from trainlens.readers._catboost.table import HEADER, Table
from trainlens.readers._columns import Columns
from trainlens.readers._damage import Damage
from trainlens.readers._lines import Tail
from trainlens.readers.base import Inputs, Look, Source

FORMAT = "catboost"
FOLDERS = True

_DOCUMENT = "catboost_training.json"
_TABLES = "*_error.tsv"
_TIMES = "time_left.tsv"
_SURE = 0.98


def sniff(path: Path | Look) -> float:
    """Confidence in [0, 1] that a folder is, or a file belongs to, a CatBoost training."""
    look = Look.at(path)
    if not look.is_dir:
        return _confidence(look)
    known = (n for n in (_DOCUMENT, "learn_error.tsv", "test_error.tsv") if n in look.entries)
    return max((_confidence(Look(look.path / name)) for name in known), default=0.0)


def _confidence(look: Look) -> float:
    if not look.is_file:
        return 0.0
    if look.name.endswith("_error.tsv"):
        return _SURE if HEADER.match(look.begin(256)) else 0.0
    # The quick look spares the search in the many other files.
    return _SURE if b'"meta"' in look.head and looks_like(look.head) else 0.0


def files(source: Source) -> list[Path]:
    """The logs of a run, its event files and CatBoost's own folder for temporary files."""
    if not source.path.is_dir():
        return [source.path]
    events = (
        p for name in ("learn", "test*") for p in source.path.glob(f"{name}/events.out.tfev*")
    )
    return [p for p in _logs(source.path) if p.is_file()] + sorted(events) + _temporary(source.path)


def _temporary(folder: Path) -> list[Path]:
    return [folder / "tmp"] if (folder / "tmp").is_dir() else []


def _logs(folder: Path) -> list[Path]:
    return [folder / _DOCUMENT, *sorted(folder.glob(_TABLES)), folder / _TIMES]


def find(path: Path) -> list[Source]:
    """The one run of a folder, or of a lone file."""
    return [Source(FORMAT, path)]


def inputs(source: Source) -> Inputs:
    """The logs of the run, which grow together."""
    return Inputs(tuple(_logs(source.path) if source.path.is_dir() else [source.path]))


def open_source(source: Source) -> CatBoostRun:
    """A reader positioned at the beginning."""
    return CatBoostRun(source.path)


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
            self._note("assumed", "the files were written anew; read from their beginning")
            self._start()
        there = _logs(self._path) if self._path.is_dir() else [self._path]
        for path in there:
            if path in self._documents or path in self._tables or not path.is_file():
                continue
            if path.suffix != ".tsv":
                self._documents[path] = Document(Tail(path))
            elif path.name != _TIMES or final:
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
        entries = _iterations([r for p, r in found.items() if p in self._documents])
        tables = [r for p, r in found.items() if p in self._tables and p.name != _TIMES]
        lines = _iterations(tables)
        for path, rows in found.items():
            for gap in rows.gaps:
                self._tell(path, gap, lines if path in self._documents else entries)

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
        if message not in self._told or kind == "assumed":
            self._told.add(message)
            self._notices.append(Notice(kind, self._path.name, message))


def _iterations(files: Sequence[Rows]) -> list[int]:
    """The iterations that every one of these files has, ascending."""
    held = [set(rows.values) for rows in files]
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
