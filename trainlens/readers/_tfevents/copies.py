"""Files of a folder that are copies of one another: what they share is read once.

The first record of an event file holds the time at which its writer began, to the microsecond. So
two files that begin with the same record come from the same writer: one is a copy of the other (a
backup, an older synchronisation, the start of a run that was continued elsewhere).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trainlens.readers.base import Look

FIRST = 21
"""Bytes up to the end of the time in the first record: length, checksum, field, float64."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class _Entry:
    inode: int
    size: int
    first: bytes


@dataclass(frozen=True)
class _Common:
    """How many bytes two files were seen to share."""

    one: int
    other: int
    upto: int


class Copies:
    """Knows, of the event files of a folder, which share their beginning."""

    def __init__(self) -> None:
        self._entries: dict[Path, _Entry] = {}
        self._common: dict[tuple[Path, Path], _Common] = {}

    def groups(self, paths: list[Path], looks: Mapping[Path, Look]) -> list[list[Path]]:
        """Files that begin with the same record, the longest first in each group.

        Parameters
        ----------
        paths : list of Path
        looks : mapping of Path to Look
            What has just been seen of some of them.

        Returns
        -------
        list of list of Path
            Each path stands in one group; most groups hold one.
        """
        if len(paths) < 2:
            return [paths] if paths else []
        held: dict[bytes, list[Path]] = {}
        for path in paths:
            entry = self._entry(looks.get(path) or Look(path))
            held.setdefault(entry.first or bytes(path), []).append(path)
        return [sorted(g, key=lambda p: -self._entries[p].size) for g in held.values()]

    def shared(self, path: Path, longest: Path) -> int:
        """Bytes that a file has in common with a longer one of its group.

        Parameters
        ----------
        path, longest : Path
        """
        one, other = self._entries[path], self._entries[longest]
        known = self._common.get((path, longest))
        same = known and (known.one, known.other) == (one.inode, other.inode)
        upto = known.upto if known and same and known.upto <= min(one.size, other.size) else 0
        try:
            with open(path, "rb") as a, open(longest, "rb") as b:
                upto = _agree(a, b, upto, min(one.size, other.size))
        except OSError:
            return 0  # reading it will say why
        self._common[path, longest] = _Common(one.inode, other.inode, upto)
        return upto

    def size(self, path: Path) -> int:
        """Size of a file when it was last grouped."""
        return self._entries[path].size

    def _entry(self, look: Look) -> _Entry:
        path = look.path
        try:
            stat = os.stat(path)
            old = self._entries.get(path)
            known = old and old.first and old.inode == stat.st_ino and old.size <= stat.st_size
            first = old.first if old and known else first_record(look)
            entry = _Entry(stat.st_ino, stat.st_size, first)
        except OSError:
            entry = _Entry(0, 0, b"")
        self._entries[path] = entry
        return entry


def first_record(path: Path | Look) -> bytes:
    """Bytes that files of one writer have in common; empty where there are none yet.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    first = Look.at(path).begin(FIRST)
    # All zeros are no first record: a file that was only just made room for.
    return first if len(first) == FIRST and any(first) else b""


def _common(one: bytes, other: bytes) -> int:
    """Length of the common beginning of two texts."""
    n = min(len(one), len(other))
    a, b = np.frombuffer(one, np.uint8, n), np.frombuffer(other, np.uint8, n)
    odd = np.flatnonzero(a != b)
    return int(odd[0]) if len(odd) else n


def _agree(a: BinaryIO, b: BinaryIO, at: int, end: int) -> int:
    """The offset up to which two files agree, from `at` on and at most `end`."""
    a.seek(at)
    b.seek(at)
    while at < end:
        one, other = a.read(min(_BLOCK, end - at)), b.read(min(_BLOCK, end - at))
        if one != other or not one:
            return at + _common(one, other)
        at += len(one)
    return at
