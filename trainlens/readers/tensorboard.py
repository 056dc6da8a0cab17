"""TensorBoard event files: TF1, TF2, torch, tensorboardX; damaged, growing, several a folder.

A run is a folder that holds event files directly. Checksums are verified; behind damage the next
record that is intact is searched for, so one flipped byte costs one record and not the rest.
Scalars become series; hyperparameters and texts become the configuration; images, audio,
histograms and graphs are skipped.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trainlens.readers._tfevents.damage import header_length
from trainlens.readers._tfevents.fallback import Points
from trainlens.readers._tfevents.follow import LFS_POINTER, Batch, EventFile
from trainlens.readers._tfevents.settings import Settings
from trainlens.readers.base import Source, head
from trainlens.run import Chunk, Column, Notice, unknown

FORMAT = "tensorboard"
FOLDERS = True
MARK = "tfevents"
Number = TypeVar("Number", np.int64, np.float64)
_NAME = re.compile(r"(^|\.)tfevents($|\.)")
_TIMESTAMP = re.compile(r"tfevents\.(\d{1,18})(?:\D|$)")


def sniff(path: Path) -> float:
    """Confidence that a folder holds event files directly, or that a file is one.

    Parameters
    ----------
    path : Path

    Returns
    -------
    float in [0, 1]
        1 where a file begins with a length and its checksum, 0.6 where a file is only named like
        one: empty, damaged in its first bytes, or a git-LFS pointer.
    """
    if not path.is_dir():
        return _confidence(path)
    best = 0.0
    for file in event_files(path):
        best = max(best, _confidence(file))
        if best == 1:
            break
    return best


def owns(file: Path) -> bool:
    """Whether `file` is an event file.

    Parameters
    ----------
    file : Path
    """
    return _confidence(file) > 0


def find(path: Path) -> list[Source]:
    """The one run of a folder, or of a lone event file.

    Parameters
    ----------
    path : Path
    """
    return [Source(FORMAT, path)]


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


def _confidence(path: Path) -> float:
    if MARK not in path.name:
        return 0.0
    named = 0.6 if _NAME.search(path.name) else 0.0
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return 0.0
        start = head(path, 512)
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
    grow again.

    Parameters
    ----------
    path : Path
        A folder of event files, or one event file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._settings = Settings()
        self._files: dict[Path, EventFile] = {}
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
        self._follow_renames(names)
        batches = [self._file(name).poll(final) for name in names if self._wanted(name)]
        config = {}
        for batch in batches:
            config.update(batch.config)
        notices = tuple(notice for batch in batches for notice in batch.notices)
        return Chunk(tuple(_columns(batches)), config, notices)

    def _wanted(self, path: Path) -> bool:
        # A file that was begun but has no bytes yet is looked at again; foreign files are not ours.
        return path in self._files or path == self.path or owns(path)

    def _file(self, path: Path) -> EventFile:
        if path not in self._files:
            self._files[path] = EventFile(path, self._settings)
        return self._files[path]

    def _follow_renames(self, names: list[Path]) -> None:
        """A file that was renamed (rotated) since the last poll keeps its place."""
        for path in names:
            old = None if path in self._files else self._old_name(path)
            if old:
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
    for name, held in parts.items():
        step = _join([np.frombuffer(p[1], np.int64) for p in held])
        value = _join([np.frombuffer(p[2], np.float64) for p in held])
        wall_time = _join([np.frombuffer(p[3], np.float64) for p in held])
        yield Column(name, step, value, wall_time, unknown(len(step)))


def _join(arrays: list[NDArray[Number]]) -> NDArray[Number]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
