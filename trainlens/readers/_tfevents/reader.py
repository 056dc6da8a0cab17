"""Reads the event files of a run together; see `trainlens.readers.tensorboard`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from trainlens.readers._packed import Unfolded
from trainlens.readers._still import Still
from trainlens.readers._tfevents import yaml_file
from trainlens.readers._tfevents.copies import Copies
from trainlens.readers._tfevents.fallback import Points
from trainlens.readers._tfevents.files import REPORT, confidence, event_files
from trainlens.readers._tfevents.follow import Batch, EventFile
from trainlens.readers._tfevents.settings import Settings
from trainlens.readers._tfevents.yaml_file import YamlFile
from trainlens.readers._wrapping import can_unfold, wrapping_of
from trainlens.readers.base import Look
from trainlens.run import Chunk, Column, Floats, Ints, Notice, unknown


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
        self._still = Still(path)
        self._settled: list[EventFile] = []

    def poll(self, final: bool = False) -> Chunk:
        """Everything new in all files, each record once.

        Parameters
        ----------
        final : bool
            See `Reader.poll`.
        """
        if final:
            self._still.forget()
        elif self._still.same(time.monotonic()) and self._settled:
            return self._poll_settled()
        try:
            names = event_files(self.path) if self.path.is_dir() else [self.path]
        except OSError as error:
            return self._no_folder(error)
        listed = len(names)
        unfolding: list[Notice] = []
        looks = {name: Look(name) for name in names}
        names = [self._unpacked(look, final, unfolding) for look in looks.values()]
        self._follow_renames(names)
        unfolding += self._removed(names)
        names = [name for name in names if self._wanted(looks.get(name) or Look(name))]
        found = {}
        groups = self._copies.groups(names, looks)
        for group in groups:
            for name in group:
                found[name] = self._poll(name, group, final)
        batches = [found[name] for name in names]
        files = [self._files[name] for name in names]
        plain = len(groups) == listed and not final and not self._unfolded
        self._settled = files if plain and all(file.position for file in files) else []
        config, notices = self._yaml.poll(final)
        notices += unfolding
        for batch in batches:
            config.update(batch.config)
            notices += batch.notices
        return Chunk(tuple(_columns(batches)), config, tuple(notices))

    def _poll_settled(self) -> Chunk:
        """The same while the folder stays as it is, every file in it is read, and none a copy."""
        batches = [file.poll(False) for file in self._settled]
        config, notices = self._yaml.poll(False) if self._yaml.there else ({}, [])
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
        moved = next((old for old in same if _inode(old) != inode), None)
        if moved or path not in self._copied_to:
            return moved
        # What was packed meanwhile: the copy of its content goes on where the file ended.
        gone = (old for old, file in self._files.items() if file.position and not _inode(old))
        return next((old for old in gone if self._files[old].continues_in(path)), None)

    def _removed(self, names: list[Path]) -> list[Notice]:
        """Say so where a file is gone and others are still there; a folder may come back whole."""
        gone = [p for p, f in self._files.items() if f.position and p not in names]
        if not (names and self.path.is_dir()):
            return []
        for path in gone:
            del self._files[path]
        text = "the file is gone; what was read of it is kept"
        return [Notice("replaced", path.name, text) for path in gone]

    @property
    def _copied_to(self) -> set[Path]:
        return {unfolded.content for unfolded in self._unfolded.values()}

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
        step, value, wall_time = _axes(held)
        epoch = blank.get(len(step))
        if epoch is None:
            epoch = blank[len(step)] = unknown(len(step))
        yield Column(name, step, value, wall_time, epoch)


def _axes(held: list[Points]) -> tuple[Ints, Floats, Floats]:
    """Steps, values and times of one tag."""
    parts = [
        (np.frombuffer(p[1], np.int64), np.frombuffer(p[2]), np.frombuffer(p[3])) for p in held
    ]
    if len(parts) == 1:
        return parts[0]
    steps, values, times = zip(*parts, strict=True)
    return np.concatenate(steps), np.concatenate(values), np.concatenate(times)
