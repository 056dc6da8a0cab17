"""Reads the event files of a run together; see `trainlens.readers.tensorboard`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trainlens.readers._packed import Unfolded
from trainlens.readers._tfevents import yaml_file
from trainlens.readers._tfevents.copies import Copies
from trainlens.readers._tfevents.fallback import Points
from trainlens.readers._tfevents.files import REPORT, confidence, event_files
from trainlens.readers._tfevents.follow import Batch, EventFile
from trainlens.readers._tfevents.settings import Settings
from trainlens.readers._tfevents.yaml_file import YamlFile
from trainlens.readers._wrapping import can_unfold, wrapping_of
from trainlens.readers.base import Look
from trainlens.run import Chunk, Column, Floats, Notice, unknown

Number = TypeVar("Number", np.int64, np.float64)


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
        looks = {name: Look(name) for name in names}
        names = [self._unpacked(look, final, unfolding) for look in looks.values()]
        self._follow_renames(names)
        names = [name for name in names if self._wanted(looks.get(name) or Look(name))]
        found = {}
        for group in self._copies.groups(names, looks):
            for name in group:
                found[name] = self._poll(name, group, final)
        batches = [found[name] for name in names]
        config, notices = self._yaml.poll(final)
        notices += unfolding
        for batch in batches:
            config.update(batch.config)
            notices += batch.notices
        return Chunk(tuple(_columns(batches)), config, tuple(notices))

    def _unpacked(self, look: Look, final: bool, notices: list[Notice]) -> Path:
        """The file itself, or the copy of the content of a compressed one."""
        path = look.path
        if path not in self._unfolded:
            if path in self._files and self._files[path].position:
                return path
            try:
                kind = wrapping_of(look)
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

    def _wanted(self, look: Look) -> bool:
        # A file that was begun but has no bytes yet is looked at again; foreign files are not ours.
        known = look.path in self._files or look.path == self.path
        report = look.name.startswith(REPORT)
        return known or (not report and confidence(look) > 0)

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
