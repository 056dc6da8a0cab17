"""TensorBoard event files: TF1, TF2, torch, tensorboardX; damaged, growing, several a folder.

A run is a folder that holds event files directly. Checksums are verified; behind damage the next
record that is intact is searched for, so one flipped byte costs one record and not the rest.
Scalars become series; hyperparameters and texts become the configuration; images, audio,
histograms and graphs are skipped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trainlens.readers._packed import Unfolded, can_unfold, first_bytes, wrapping
from trainlens.readers._tfevents import yaml_file
from trainlens.readers._tfevents.copies import Copies, first_record
from trainlens.readers._tfevents.damage import header_length
from trainlens.readers._tfevents.fallback import Points
from trainlens.readers._tfevents.follow import LFS_POINTER, Batch, EventFile
from trainlens.readers._tfevents.settings import Settings
from trainlens.readers._tfevents.yaml_file import YamlFile
from trainlens.readers.base import Inputs, Look, Source
from trainlens.run import Chunk, Column, Floats, Notice, unknown

FORMAT = "tensorboard"
FOLDERS = True
MARK = "tfevents"
Number = TypeVar("Number", np.int64, np.float64)
_NAME = re.compile(r"(^|\.)tfevents($|\.)")
_TIMESTAMP = re.compile(r"tfevents\.(\d{1,18})(?:\D|$)")


def sniff(path: Path | Look) -> float:
    """Confidence that a folder holds event files directly, or that a file is one.

    Parameters
    ----------
    path : Path or Look

    Returns
    -------
    float in [0, 1]
        1 where a file begins with a length and its checksum, 0.6 where a file is only named like
        one: empty, damaged in its first bytes, or a git-LFS pointer.
    """
    look = Look.at(path)
    if not look.is_dir:
        return _confidence(look)
    if not any(MARK in name for name in look.entries):
        return 0.0
    best = 0.0
    for file in event_files(look.path):
        best = max(best, _confidence(Look(file)))
        if best == 1:
            break
    return best


def files(source: Source) -> list[Path]:
    """The event files of a run, and the settings beside them.

    Parameters
    ----------
    source : Source
    """
    if not source.path.is_dir():
        return [source.path]
    found = [path for path in event_files(source.path) if _confidence(Look(path)) > 0]
    settings = source.path / yaml_file.NAME
    return [*found, settings] if settings.is_file() else found


def find(path: Path) -> list[Source]:
    """The one run of a folder, or of a lone event file.

    Parameters
    ----------
    path : Path
    """
    return [Source(FORMAT, path)]


def inputs(source: Source) -> Inputs:
    """Settings, and the event files: the last one grows."""
    if not source.path.is_dir():
        return Inputs((source.path / yaml_file.NAME, source.path), grows=True)
    found = event_files(source.path)
    # Which of two copies is read, and which passed over, depends on what becomes of both.
    begun = {first_record(path) for path in found} if len(found) > 1 else found
    return Inputs((source.path / yaml_file.NAME, *found), grows=len(begun) == len(found))


def open_source(source: Source) -> TensorBoardReader:
    """A reader positioned at the beginning of a run.

    Parameters
    ----------
    source : Source
    """
    return TensorBoardReader(source.path)


def event_files(folder: Path) -> list[Path]:
    """Files of a folder that are named like event files, in the order they were begun.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path
        By the time in the name, then by name.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    """
    with os.scandir(folder) as entries:
        found = [Path(e.path) for e in entries if MARK in e.name and e.is_file()]
    return sorted(found, key=_order)


def _order(path: Path) -> tuple[int, str]:
    match = _TIMESTAMP.search(path.name)
    return int(match[1]) if match else 0, path.name


def _confidence(look: Look) -> float:
    if MARK not in look.name:
        return 0.0
    named = 0.6 if _NAME.search(look.name) else 0.0
    try:
        if not look.is_file:
            return 0.0 if look.mode else named  # a link to nothing is only named like one
        with first_bytes(look) as shown:
            start = shown.begin(512)
    except OSError:
        return named
    if header_length(start, 0) is not None:
        return 1.0
    return 0.0 if _is_text(start) and not start.startswith(LFS_POINTER) else named


def _is_text(start: bytes) -> bool:
    """Whether bytes are plain text: an export that kept the name of the event file."""
    return len(start) > 0 and min(start) >= 9 and start.isascii()


class TensorBoardReader:
    """Reads the event files of a run; `poll` again for what was added since.

    All files are followed: several live writers in one folder are normal, and any of them may
    grow again. What two files share at their beginning, because one was copied, is read once.

    Parameters
    ----------
    path : Path
        A folder of event files, or one event file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._settings = Settings()
        self._files: dict[Path, EventFile] = {}
        self._unfolded: dict[Path, Unfolded] = {}
        self._copies = Copies()
        self._told: set[Path] = set()
        self._yaml = YamlFile(path / yaml_file.NAME)
        self._missing = False

    def poll(self, final: bool = False) -> Chunk:
        """Everything new in all files, each record once.

        Parameters
        ----------
        final : bool
            See `Reader.poll`.
        """
        try:
            names = event_files(self.path) if self.path.is_dir() else [self.path]
        except OSError as error:
            return self._no_folder(error)
        unfolding: list[Notice] = []
        names = [self._unpacked(name, final, unfolding) for name in names]
        self._follow_renames(names)
        names = [name for name in names if self._wanted(name)]
        found = {}
        for group in self._copies.groups(names):
            for name in group:
                found[name] = self._poll(name, group, final)
        batches = [found[name] for name in names]
        config, notices = self._yaml.poll(final)
        notices += unfolding
        for batch in batches:
            config.update(batch.config)
            notices += batch.notices
        return Chunk(tuple(_columns(batches)), config, tuple(notices))

    def _unpacked(self, path: Path, final: bool, notices: list[Notice]) -> Path:
        """The file itself, or the copy of the content of a compressed one."""
        if path not in self._unfolded:
            if path in self._files and self._files[path].position:
                return path
            try:
                kind = wrapping(path)
            except OSError:
                return path  # reading it will say why
            if not kind or not can_unfold(kind):
                return path
            self._unfolded[path] = Unfolded(path, kind)
        try:
            notices += self._unfolded[path].update(final)
        except OSError as error:
            notices.append(Notice("unreadable", path.name, f"cannot be read: {error.strerror}"))
        return self._unfolded[path].content

    def _poll(self, name: Path, group: list[Path], final: bool) -> Batch:
        """Poll a file but for what it shares with others of its group, the longest first."""
        file, rest = self._file(name), [other for other in group if other != name]
        if not rest:
            return file.poll(final)
        others = rest if name == group[0] else group[:1]
        shared = {other: self._common(name, other, group[0]) for other in others}
        done = max(min(size, self._file(other).position) for other, size in shared.items())
        file.pass_over(done)
        repeats = 0 if name == group[0] else shared[group[0]]
        whole = repeats == self._copies.size(name)
        batch = Batch() if whole else file.poll(final)
        if repeats and name not in self._told:
            self._told.add(name)
            text = f"it begins like {group[0].name}: a copy; what both hold was read once"
            batch.notices.append(Notice("assumed", name.name, text))
        return batch

    def _common(self, name: Path, other: Path, longest: Path) -> int:
        return self._copies.shared(other if name == longest else name, longest)

    def _wanted(self, path: Path) -> bool:
        # A file that was begun but has no bytes yet is looked at again; foreign files are not ours.
        return path in self._files or path == self.path or _confidence(Look(path)) > 0

    def _file(self, path: Path) -> EventFile:
        if path not in self._files:
            self._files[path] = EventFile(path, self._settings)
        return self._files[path]

    def _follow_renames(self, names: list[Path]) -> None:
        """A file that was renamed (rotated) since the last poll keeps its place."""
        for path in names:
            old = None if path in self._files else self._old_name(path)
            if old and self._files[old].continues_in(path):
                self._files[path] = self._files.pop(old)
                self._files[path].path = path

    def _old_name(self, path: Path) -> Path | None:
        inode = _inode(path)
        same = (old for old, file in self._files.items() if inode and file.inode == inode)
        return next((old for old in same if _inode(old) != inode), None)

    def _no_folder(self, error: OSError) -> Chunk:
        if self._missing:
            return Chunk()
        self._missing = True
        message = f"the folder cannot be listed ({error.strerror or error}); check its permissions"
        return Chunk(notices=(Notice("unreadable", str(self.path), message, None),))


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0  # gone, or reading it will say why


def _columns(batches: Iterable[Batch]) -> Iterator[Column]:
    parts: dict[str, list[Points]] = {}
    for batch in batches:
        for points in batch.points:
            parts.setdefault(points[0].decode("utf-8", "replace"), []).append(points)
    blank: dict[int, Floats] = {}
    for name, held in parts.items():
        step = _join([np.frombuffer(p[1], np.int64) for p in held])
        value = _join([np.frombuffer(p[2], np.float64) for p in held])
        wall_time = _join([np.frombuffer(p[3], np.float64) for p in held])
        epoch = blank.get(len(step))
        if epoch is None:
            epoch = blank[len(step)] = unknown(len(step))
        yield Column(name, step, value, wall_time, epoch)


def _join(arrays: list[NDArray[Number]]) -> NDArray[Number]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
