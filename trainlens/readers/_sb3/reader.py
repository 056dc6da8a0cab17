"""Reads a file of evaluations; see `trainlens.readers.sb3_evaluations`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Chunk, Floats, Ints, Notice
from trainlens.errors import NotFound, Unreadable
from trainlens.readers._columns import Columns, Key
from trainlens.readers._sb3.archive import END, members, stray
from trainlens.readers._sb3.array import load
from trainlens.readers._values import LARGEST
from trainlens.words import plural

_STEPS = "timesteps"

_TOLD = {"results": "mean_reward", "ep_lengths": "mean_ep_length", "successes": "success_rate"}

_MEASURED = tuple(_TOLD)

_WANTED = frozenset(f"{name}.npy" for name in (_STEPS, *_MEASURED))

_LARGEST_FILE = 256 << 20

_BLOCK = 1 << 18


class _Fault(NamedTuple):
    """Material for a `Notice`."""

    kind: str
    what: str
    where: str = ""
    lost: int | None = 0


@dataclass(frozen=True)
class _Found:
    """What an archive holds: one row an evaluation, and what is wrong with it."""

    step: Ints
    values: dict[str, Floats]
    episodes: int = 0
    faults: list[_Fault] = field(default_factory=list)
    whole: bool = True


class Evaluations:
    """Reads a file of evaluations, each evaluation exactly once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._given: _Found | None = None
        self._count = 0
        self._episodes = 0
        self._notices: list[Notice] = []
        self._closed = False

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        While the file is being written anew, it waits for the whole of it.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be opened.
        """
        columns = Columns()
        config = {}
        found = self._read(final)
        if found is not None:
            self._store(found, columns)
            if found.episodes and found.episodes != self._episodes:
                self._episodes = config["n_eval_episodes"] = found.episodes
            if final and not self._closed:
                self._closed = True
                for fault in found.faults:
                    self._note(fault.kind, fault.what, fault.lost, fault.where)
                if not self._count and not found.faults:
                    self._note("empty", "no evaluation yet")
        notices, self._notices = tuple(self._notices), []
        return Chunk(columns.take(), config, notices)

    def _read(self, final: bool) -> _Found | None:
        """The archive, None while it is unchanged or being written."""
        try:
            entry = os.stat(self._path)
            seen = (entry.st_ino, entry.st_size, entry.st_mtime_ns)
            if seen == self._seen and not final:
                return None
            if entry.st_size > _LARGEST_FILE:
                what = "the file is larger than 256 MiB; it was not read"
                return _Found(np.empty(0, np.int64), {}, faults=[_Fault("skipped", what)])
            data = self._path.read_bytes()
        except FileNotFoundError:
            if self._seen is not None:
                self._note("unreadable", "the file is gone; what was read of it is kept")
                return None
            raise NotFound(self._path, "does not exist", "check the path") from None
        except OSError as error:
            reason = (error.strerror or "cannot be opened").lower()
            raise Unreadable(self._path, reason, "check the permissions") from None
        found = _decode(data)
        if not found.whole and not final:
            return None
        self._seen = seen
        return found

    def _store(self, found: _Found, columns: Columns) -> None:
        begin = self._count
        if self._given is not None and not _continues(self._given, found, begin):
            if not found.whole:
                self._note("replaced", "the file is damaged by now; what was read before is kept")
                return
            self._note("replaced", "the file was written anew by another training; read whole")
            begin = 0
        for name, values in found.values.items():
            columns.add(Key(name), found.step[begin:], values[begin:])
        self._given, self._count = found, len(found.step)

    def _note(self, kind: str, message: str, lost: int | None = 0, where: str = "") -> None:
        self._notices.append(Notice(kind, self._path.name + where, message, lost))


def _continues(before: _Found, now: _Found, count: int) -> bool:
    """Whether an archive begins with the evaluations that were given already."""
    if len(now.step) < count or not np.array_equal(before.step[:count], now.step[:count]):
        return False
    return all(
        name in now.values
        and np.array_equal(values[:count], now.values[name][:count], equal_nan=True)
        for name, values in before.values.items()
    )


def _decode(data: bytes) -> _Found:
    arrays, faults = _arrays(data)
    if END not in data[-65557:]:
        what = "the end of the archive is missing"
        kept = f"; {plural(len(arrays), 'array')} before it are intact" if arrays else ""
        faults.append(_Fault("torn-tail", what + kept, f", bytes {len(data)}-{len(data)}"))
    whole = not faults
    if whole and (between := stray(data)) is not None:
        what = "bytes that belong to no array, passed over; an array may be missing"
        faults.append(_Fault("corrupt", what, ", bytes {}-{}".format(*between), None))
    rows = {name: _rows(arrays[name]) for name in _MEASURED if name in arrays}
    lengths = [len(array) for array in arrays.values()]
    count = min(lengths, default=0)
    if max(lengths, default=0) > count:
        what = "arrays of different lengths: the shortest counts"
        faults.append(_Fault("corrupt", what, lost=max(lengths) - count))
    if _STEPS in arrays:
        step = _steps(arrays[_STEPS])[:count]
    else:
        step = np.arange(count)
        if count:
            what = "the time steps are lost: the number of the evaluation counts as step"
            faults.append(_Fault("assumed", what))
    episodes = rows["results"].shape[1] if "results" in rows else 0
    return _Found(step, _summary(rows, count), episodes, faults, whole)


def _arrays(data: bytes) -> tuple[dict[str, NDArray[Any]], list[_Fault]]:
    """The intact arrays by name, and what is wrong with the others."""
    arrays: dict[str, NDArray[Any]] = {}
    faults: dict[str, _Fault] = {}
    for entry, content, fault in members(data, _WANTED):
        name = entry.name.removesuffix(".npy")
        if name in arrays:
            continue
        array, why = load(content) if content is not None else (None, fault)
        if array is not None and array.ndim:
            arrays[name] = array
        elif name not in faults or content is not None:
            end = min(entry.begin + entry.size, len(data))
            kind = "skipped" if content is not None else "corrupt"
            what = f"{name} cannot be read: {why or 'it is no list'}"
            faults[name] = _Fault(kind, what, f", bytes {entry.start}-{end}", None)
    for name in (_STEPS, "results"):
        if name not in arrays and name not in faults:
            faults[name] = _Fault("corrupt", f"{name} is missing", lost=None)
    return arrays, [fault for name, fault in faults.items() if name not in arrays]


def _rows(array: NDArray[Any]) -> NDArray[Any]:
    """One row an evaluation, one column an episode, shape (n, k)."""
    return array.reshape(len(array), -1) if array.size else np.empty((len(array), 0))


def _steps(array: NDArray[Any]) -> Ints:
    flat = _rows(array)[:, 0] if array.size else np.empty(0)
    with np.errstate(all="ignore"):
        within = np.abs(flat.astype(np.float64)) < LARGEST
        return np.where(within, flat, 0).astype(np.int64)


def _summary(rows: dict[str, NDArray[Any]], count: int) -> dict[str, Floats]:
    """Means over the episodes of each evaluation, each of shape (n,)."""
    found: dict[str, Floats] = {}
    for name, told in _TOLD.items():
        if name in rows and rows[name].shape[1]:
            mean, deviation = _mean_and_deviation(rows[name][:count])
            found[f"eval/{told}"] = mean
            if name == "results":
                found["eval/std_reward"] = deviation
    return found


def _mean_and_deviation(rows: NDArray[Any]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each row, in blocks that take little memory."""
    mean, deviation = np.empty(len(rows)), np.empty(len(rows))
    height = max(1, _BLOCK // rows.shape[1])
    with np.errstate(all="ignore"):
        for begin in range(0, len(rows), height):
            block = rows[begin : begin + height].astype(np.float64)
            mean[begin : begin + height] = block.mean(axis=1)
            deviation[begin : begin + height] = block.std(axis=1)
    return mean, deviation
