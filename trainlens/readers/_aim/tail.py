"""New points of a run that is being written, from the new bytes of its write-ahead log alone.

Between two polls most often only that log has grown. Its records are lists of operations: a
tag byte, then key and value, each behind its length. Anything unusual makes the reader read the
whole store again, so this may give up at any time. Source: ``db/write_batch.cc`` of RocksDB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainlens.readers._aim import wal
from trainlens.readers._aim.cells import COLUMNS, Points, SeriesKey, aligned_points, cells_of
from trainlens.readers._aim.codec import encode_path
from trainlens.readers._aim.series import column_of
from trainlens.readers._aim.store import Signature

DELETE, PUT, SINGLE_DELETE, RANGE_DELETE = 0, 1, 7, 15


class GiveUp(Exception):
    """The log holds something that only a full read can judge."""


@dataclass
class Tail:
    """A place in the log of a store, and the points that are not complete there.

    Parameters
    ----------
    folder : Path
    run : str
        Hash of the run.
    seen : tuple of (name, size)
        Signature of the store when it was last read.
    name : str
        The log that is written to.
    end : int
        Bytes of it that have been read.
    """

    folder: Path
    run: str
    seen: Signature
    name: str
    end: int
    _cells: dict[SeriesKey, dict[int, dict[str, bytes]]] = field(default_factory=dict)

    def read(self, now: Signature) -> list[Points]:
        """Points that are new and complete.

        Parameters
        ----------
        now : tuple of (name, size)
            Signature of the store.

        Raises
        ------
        GiveUp
            More than this log has changed, or it cannot be followed.
        """
        if _but(now, self.name) != _but(self.seen, self.name) or self.name not in dict(now):
            raise GiveUp
        base = self.end - self.end % wal.BLOCK
        try:
            with open(self.folder / self.name, "rb") as file:
                file.seek(base)
                log = file.read()
        except OSError as error:
            raise GiveUp from error
        found = wal.scan(log, verify=True, start=self.end - base)
        if found.broken or base + len(log) < self.end:
            raise GiveUp
        done: dict[SeriesKey, list[dict[str, bytes]]] = {}
        for record in found.records:
            for key, value in _puts(record):
                self._take(key, value, done)
        self.end = base + (found.torn[0] if found.torn else len(log))
        self.seen = now
        return [_points(key, rows) for key, rows in sorted(done.items(), key=lambda d: d[0][::-1])]

    def _take(
        self, key: bytes, value: bytes, done: dict[SeriesKey, list[dict[str, bytes]]]
    ) -> None:
        prefix = encode_path("seqs", "v2", "chunks", self.run)
        column = column_of(key, len(prefix)) if key.startswith(prefix) else None
        if column is None or len(key) != len(column[0]) + 10:
            return
        context, name, label = column[1]
        number = int.from_bytes(key[-9:-1], "big")
        waiting = self._cells.setdefault((context, name), {})
        row = waiting.setdefault(number, {})
        row[label] = value
        if all(c in row for c in COLUMNS):
            done.setdefault((context, name), []).append(waiting.pop(number))


def _but(found: Signature, name: str) -> Signature:
    return tuple(pair for pair in found if pair[0] != name)


def _points(key: SeriesKey, rows: list[dict[str, bytes]]) -> Points:
    return aligned_points(key, {c: cells_of([row[c] for row in rows]) for c in COLUMNS})


def _puts(record: bytes) -> Iterator[tuple[bytes, bytes]]:
    # A deletion needs no attention: AIM deletes a key only to write it anew.
    at = wal.BATCH.size
    while at < len(record):
        tag = record[at]
        if tag not in (DELETE, PUT, SINGLE_DELETE, RANGE_DELETE):
            raise GiveUp
        key, at = _text(record, at + 1)
        if tag in (PUT, RANGE_DELETE):
            value, at = _text(record, at)
            if tag == PUT:
                yield key, value


def _text(record: bytes, at: int) -> tuple[bytes, int]:
    size, at = wal.variable_number(record, at)
    if at + size > len(record):
        raise GiveUp
    return record[at : at + size], at + size
