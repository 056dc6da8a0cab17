"""Plain records of JSON lines straight into columns, by the compiled scanner where there is one.

The scanner takes records as long as they are plain: no key twice, no object within a list, of a
shape that needs no rearranging. It stops at the first line that is anything else, and that line
and a few behind it are decoded as ever; the more often that happens, the more lines. What comes
out is the same with and without the scanner.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
import orjson

from trainlens.readers._json.decode import quote_non_finite
from trainlens.readers._json.duplicates import repeated
from trainlens.readers._json.records import Records
from trainlens.readers._json.reported import LISTS
from trainlens.readers._json.rows import SECTIONS, Cells, Name, is_native
from trainlens.readers._json.scanned import Scanned
from trainlens.readers._json.settings import holds_none
from trainlens.readers._json.shapes import stays
from trainlens.readers._values import STEP_KEYS

try:
    from trainlens.readers._json._native import Scanner

    COMPILED = True
except ImportError:  # no compiler was there when this was installed
    COMPILED = False

_EXACT = frozenset(key.encode() for key in STEP_KEYS)
_KEEPS = frozenset(key.encode() for key in LISTS)
_BATCH = 2_000_000
"""Cells that the scanner gathers before they become columns."""

_STRETCH = 1 << 12
_WIDEST = 1 << 18
"""Bytes that are decoded as ever behind an odd line: at least, and at most."""


class Fast:
    """Feeds a scanner and hands its columns to `records`.

    Parameters
    ----------
    records : Records

    Attributes
    ----------
    taken : int
        Bytes that the scanner took.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._scanner: Scanner | None = None
        self._judge = _Judge(False, frozenset())
        self._useless = not COMPILED
        self._stretch = _STRETCH
        self.taken = 0

    @property
    def idle(self) -> bool:
        """Whether it holds no records that are still to become columns."""
        return self._scanner is None

    def read(self, data: bytes, at: int, config_keys: Set[str]) -> int:
        """Take plain records from `at` on; the place of the first line that is left.

        Parameters
        ----------
        data : bytes
            Complete lines.
        at : int
            Beginning of one of them.
        config_keys : set of str
            Keys of records that are configurations.
        """
        if self._useless or not _is_text(data):
            return at
        if self._scanner is None or not self._judge.fits(self._records.native, config_keys):
            self._begin(config_keys)
        stop, cells, full = self._feed(data, at)
        self._useless = bool(full)
        self.taken += stop - at
        if stop < len(data):
            often = stop - at < 16 * self._stretch
            self._stretch = min(2 * self._stretch, _WIDEST) if often else _STRETCH
        if cells >= _BATCH:
            self.flush()
        return stop

    def stretch(self, data: bytes, at: int) -> int:
        """Where the lines end that are to be decoded as ever, from `at` on."""
        if self._useless or len(data) - at <= self._stretch:
            return len(data)
        return data.find(b"\n", at + self._stretch) + 1 or len(data)

    def flush(self) -> None:
        """Make columns of what the scanner holds."""
        if self._scanner is None:
            return
        rows, columns, blob = self._scanner.take()
        if not rows:
            return
        texts: list[str | list[Any]] = orjson.loads(b"[" + blob[:-1] + b"]") if blob else []
        every = np.arange(rows, dtype=np.intp)
        cells: dict[Name, Cells] = {}
        for path, values, at, odd in columns:
            pairs = np.frombuffer(odd, np.uint32).reshape(-1, 2)
            cells[self._judge.names[path]] = Scanned(
                every if at is None else np.frombuffer(at, np.uint32).astype(np.intp),
                np.frombuffer(values, np.float64),
                pairs[:, 0],
                pairs[:, 1],
                texts,
            )
        self._records.add_cells(cells, rows)

    def rest(self) -> None:
        """Make columns, and let the scanner go: a state without it can be kept.

        What it has learnt of the shapes of records the next one learns as fast.
        """
        self.flush()
        self._scanner = None
        self._judge = _Judge(False, frozenset())

    def _begin(self, config_keys: Set[str]) -> None:
        self.flush()
        self._judge = _Judge(self._records.native, config_keys)
        self._scanner = Scanner(_EXACT, _KEEPS)

    def _feed(self, data: bytes, at: int) -> tuple[int, int, int]:
        assert self._scanner is not None
        known = self._scanner.names
        return self._scanner.feed(data, at, lambda line, paths: self._judge(line, paths, known))


def _is_text(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Judge:
    """Tells which records are plain, by the first one of each shape; names their columns."""

    def __init__(self, native: bool, config_keys: Set[str]) -> None:
        self._native = native
        self._config_keys = frozenset(config_keys)
        self.names: dict[int, Name] = {}
        self._owners: dict[Name, int] = {}

    def fits(self, native: bool, config_keys: Set[str]) -> bool:
        """Whether it judges by these circumstances."""
        return native == self._native and config_keys == self._config_keys

    def __call__(self, line: bytes, paths: tuple[int, ...], known: list[tuple[int, bytes]]) -> bool:
        """Whether all records of the shape of a line can go straight into columns.

        Parameters
        ----------
        line : bytes
        paths : tuple of int
            Paths of its values.
        known : list of pairs of int and bytes
            What each path is: the path above it, and its key.
        """
        try:
            row = orjson.loads(quote_non_finite(line))
        except orjson.JSONDecodeError:
            return False
        if not paths or "schema" in row or row.keys() == self._config_keys or repeated(line):
            return False
        if not holds_none(row) or not (self._native or stays(row)):
            return False
        sections = is_native(tuple(row), self._native)
        return all([self._owns(path, _name(path, known, sections)) for path in paths])

    def _owns(self, path: int, name: Name) -> bool:
        # Two paths of one name, or a path of two: `{"a/b": 1}` beside `{"a": {"b": 1}}`.
        return (
            self.names.setdefault(path, name) == name
            and self._owners.setdefault(name, path) == path
        )


def _name(path: int, known: list[tuple[int, bytes]], sections: bool) -> Name:
    keys: list[str] = []
    while path:
        path, key = known[path]
        keys.append(key.decode())
    keys.reverse()
    section = ""
    if sections and len(keys) > 1 and keys[0] in SECTIONS:
        section = keys.pop(0)
    name = ""
    for part in keys:
        name = f"{name}/{part}" if name else part
    return Name(section, name)
