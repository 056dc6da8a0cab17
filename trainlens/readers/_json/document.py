"""Reading a single object of lists: all of it at each change, only what is new of it given on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from trainlens.chunk import Chunk, Floats, Ints, Notice
from trainlens.errors import NotFound, Unreadable
from trainlens.readers._columns import Columns, Key
from trainlens.readers._json.lists import (
    AXES,
    MORE_EPOCHS,
    MORE_STEPS,
    lists,
    parse,
    salvage,
    settings,
)
from trainlens.readers._json.points import List
from trainlens.readers._values import LARGEST
from trainlens.roles import parse_name

_MOST = 64 << 20


class Document:
    """A log that is one object with a list for each metric, written anew as it grows.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns = Columns()
        self._given: dict[str, List] = {}
        self._config: dict[str, Any] = {}
        self._notices: list[Notice] = []
        self._told: set[str] = set()
        self._seen: tuple[int, int, int] | None = None

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be read.
        """
        data = self._read(final)
        document = parse(data, self._path.stem) if data else None
        if document is None and data and final:
            document = self._torn(data)
        if document is None and data is not None and final and self._given:
            self._note("replaced", "the file was cut; the numbers read before are kept")
        config: dict[str, Any] = {}
        if document is not None:
            found = settings(document)
            config = {
                k: v for k, v in found.items() if k not in self._config or self._config[k] != v
            }
            self._config |= config
            self._take(list(lists(document)))
        if final and not self._given:
            self._note("empty", "no records")
        notices, self._notices = tuple(self._notices), []
        return Chunk(self._columns.take(), config, notices)

    def _read(self, final: bool) -> bytes | None:
        """The content, empty where it is as before; None for a file that is gone."""
        try:
            with open(self._path, "rb") as file:
                entry = os.fstat(file.fileno())
                now = (entry.st_ino, entry.st_size, entry.st_mtime_ns)
                if now == self._seen and not final:
                    return b""
                self._seen = now
                return file.read(_MOST)
        except FileNotFoundError:
            if not self._given:
                raise NotFound(self._path, "does not exist", "check the path") from None
            self._note("unreadable", "the file is gone; what was read of it is kept")
            return None
        except OSError as error:
            reason = (error.strerror or "cannot be opened").lower()
            raise Unreadable(self._path, reason, "check the permissions") from None

    def _torn(self, data: bytes) -> dict[str, Any] | None:
        document = salvage(data)
        where = f"{self._path.name}, bytes 0-{len(data)}"
        if document is None:
            self._notices.append(Notice("corrupt", where, "not valid JSON; nothing was read", None))
        else:
            text = "the document has no end; the complete numbers before it were kept"
            self._notices.append(Notice("torn-tail", where, text, None))
        return document

    def _take(self, found: list[List]) -> None:
        axes = {held.name: held for held in found if _is_axis(held.name)}
        values = [held for held in found if held.name not in axes]
        known = {held.name for held in values}
        shrunk = any(name not in known for name in self._given)
        if shrunk or any(not h.goes_on(self._given.get(h.name, _empty(h.name))) for h in values):
            self._given = {}
            self._note("replaced", "the lists were replaced; read anew from their beginning")
        for held in values:
            self._give(held, axes)

    def _give(self, held: List, axes: dict[str, List]) -> None:
        before = self._given.get(held.name, _empty(held.name))
        self._given[held.name] = held
        step, epoch = _places(axes, held)
        if step is None and "steps" not in self._told:
            self._told.add("steps")
            self._note("assumed", "no step in this log: the place in its list counts as step")
        new = slice(len(before.at), None)
        places = held.at.astype(np.int64) if step is None else step
        self._columns.add(
            Key(held.name),
            places[new],
            held.value[new],
            None if held.wall_time is None else held.wall_time[new],
            None if epoch is None else epoch[new],
        )

    def _note(self, kind: str, message: str) -> None:
        self._notices.append(Notice(kind, self._path.name, message))


def _empty(name: str) -> List:
    return List(name, np.empty(0, np.intp), np.empty(0), 0)


def _is_axis(name: str) -> bool:
    return _count_of(name)[1] in AXES


def _count_of(name: str) -> tuple[str, str]:
    """Group or split that an axis is of, and what it counts: ``eval_steps`` is of ``val``."""
    group, _, last = name.rpartition("/")
    if last.lower() in AXES:
        return group, last.lower()
    counted, split = parse_name(name)
    return split, counted.lower()


def _places(axes: dict[str, List], held: List) -> tuple[Ints | None, Floats | None]:
    """Steps and epochs of a list's numbers from the lists beside it; None for unknown."""
    step, epoch = held.step, held.epoch
    if step is None and epoch is None:
        step, epoch = _axis(axes, held, MORE_STEPS), _axis(axes, held, MORE_EPOCHS)
    for counted in (step, epoch):
        if counted is not None and _all_whole(counted):
            return counted.astype(np.int64), epoch
    return None, epoch


def _axis(axes: dict[str, List], held: List, keys: tuple[str, ...]) -> Floats | None:
    split = parse_name(held.name)[1]
    places = ([split] if split else []) + [held.name.rpartition("/")[0], ""]
    for key in keys:
        for place in places:
            for name, axis in axes.items():
                complete = len(axis.at) == axis.length >= held.length
                if _count_of(name) == (place, key) and complete:
                    return axis.value[held.at]
    return None


def _all_whole(value: Floats) -> bool:
    return bool(np.all(np.isfinite(value) & (value == np.floor(value)) & (abs(value) < LARGEST)))
