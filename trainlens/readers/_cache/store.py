"""What is kept of a run: its chunk, and how to go on from there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlens.cachedir import cache_folder, cache_size, private_folder
from trainlens.chunk import Chunk, Column, Ended, Notice
from trainlens.readers._cache.code import version
from trainlens.readers._cache.entry import Entry, NoEntry, write
from trainlens.readers._cache.freeze import NotAState, Unfreezable, freeze, thaw
from trainlens.readers._cache.identity import Seen
from trainlens.readers._cache.room import SUFFIX, Room

FOLDER = "columns"


@dataclass(frozen=True)
class State:
    """A reader before it was told that nothing more comes, and what it had given until then.

    Parameters
    ----------
    table : list
        See `freeze`.
    arrays : list of ndarray
    first : Chunk
        Its columns are the beginnings of those of the whole.
    """

    table: list[Any]
    arrays: list[NDArray[Any]]
    first: Chunk


@dataclass(frozen=True)
class Kept:
    """What is kept of a run.

    Parameters
    ----------
    looks : sequence of Seen
        The files as they were before they were read.
    chunk : Chunk
        Everything in them.
    state : State or None
        None where the run is read anew when anything has changed.
    """

    looks: Sequence[Seen]
    chunk: Chunk
    state: State | None = None


class Shelf:
    """The entries in a folder.

    Parameters
    ----------
    folder : Path
    most : int
        Bytes that they may take together.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self._room = Room(folder, most)

    def place(self, key: Sequence[str]) -> Place:
        """Where a run is kept; its name is a digest: keys are hostile input."""
        name = hashlib.blake2b(repr(tuple(key)).encode("utf-8", "replace"), digest_size=20)
        return Place(self.folder / (name.hexdigest() + SUFFIX), list(key), self._room)


def shelf() -> Shelf | None:
    """The shelf of this user, None where nothing is to be kept."""
    folder, most = cache_folder(), cache_size()
    return _shelf(folder / FOLDER, most) if folder is not None and most else None


@lru_cache(maxsize=4)
def _shelf(folder: Path, most: int) -> Shelf | None:
    return Shelf(folder, most) if private_folder(folder) else None


class Place:
    """The entry of one run.

    Parameters
    ----------
    path : Path
    key : list of str
    room : Room
    """

    def __init__(self, path: Path, key: list[str], room: Room) -> None:
        self._path = path
        self._key = key
        self._room = room
        self._entry: Entry | None = None

    def looks(self) -> list[Seen] | None:
        """The files as they were when the run was kept, None where it is not."""
        try:
            self._entry = Entry(self._path)
        except NoEntry:
            return None
        about = self._entry.about
        if about["key"] != self._key or about["version"] != version():
            return None
        return [Seen.of(row) for row in about["looks"]]

    def take(self) -> Kept | None:
        """What is kept; None where it is not as it was written."""
        entry = self._entry
        if entry is None:
            return None
        try:
            arrays = entry.arrays()
            kept = _kept(entry.about, arrays)
        except (NoEntry, NotAState):
            return None
        with suppress(OSError):
            os.utime(self._path)  # used just now
        return kept

    def put(self, kept: Kept) -> None:
        """Keep a run, if it can be kept; otherwise nothing happens."""
        arrays: list[NDArray[Any]] = []
        try:
            about = _about(kept, arrays)
        except Unfreezable:
            return
        about |= {"key": self._key, "version": version()}
        if sum(a.nbytes for a in arrays if a.strides != (0,)) * 4 > self._room.most:
            return
        with suppress(OSError):
            self._room.add(write(self._path, about, arrays))


def _about(kept: Kept, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    columns = []
    for c in kept.chunk.columns:
        columns.append([c.name, c.split, c.kind, c.unit, len(arrays)])
        arrays += [c.step, c.value, c.wall_time, c.epoch]
    about: dict[str, Any] = {"looks": kept.looks, "columns": columns, "said": _said(kept.chunk)}
    if kept.state is not None:
        about["state"] = [
            kept.state.table,
            len(arrays),
            [len(c.value) for c in kept.state.first.columns],
            _said(kept.state.first),
        ]
        arrays += kept.state.arrays
    return about


def _said(chunk: Chunk) -> list[Any]:
    none: list[NDArray[Any]] = []
    notices = [[n.kind, n.where, n.message, n.lost] for n in chunk.notices]
    table = freeze(dict(chunk.config), none)
    if none:
        raise Unfreezable("an array among the settings")
    ended = chunk.ended
    return [table, notices, ended and [ended.time, ended.how]]


def _kept(about: Mapping[str, Any], arrays: list[NDArray[Any]]) -> Kept:
    columns = tuple(
        Column(name, arrays[at], arrays[at + 1], arrays[at + 2], arrays[at + 3], split, kind, unit)
        for name, split, kind, unit, at in about["columns"]
    )
    chunk = _chunk(columns, about["said"])
    looks = [Seen.of(row) for row in about["looks"]]
    if "state" not in about:
        return Kept(looks, chunk)
    table, at, lengths, said = about["state"]
    begun = tuple(_beginning(c, n) for c, n in zip(columns, lengths, strict=False))
    # What a reader holds it may change, what was mapped it must not see change.
    held = [np.array(a) for a in arrays[at:]]
    return Kept(looks, chunk, State(table, held, _chunk(begun, said)))


def _beginning(column: Column, n: int) -> Column:
    if n == len(column.value):
        return column
    return replace(
        column,
        step=column.step[:n],
        value=column.value[:n],
        wall_time=column.wall_time[:n],
        epoch=column.epoch[:n],
    )


def _chunk(columns: tuple[Column, ...], said: list[Any]) -> Chunk:
    table, notices, ended = said
    told = tuple(Notice(*n) for n in notices)
    return Chunk(columns, thaw(table, []), told, ended and Ended(*ended))
