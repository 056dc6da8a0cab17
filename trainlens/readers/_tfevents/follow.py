"""One event file, followed: each poll reads only what is new."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from trainlens.readers._tfevents import Decoder
from trainlens.readers._tfevents.damage import notices
from trainlens.readers._tfevents.fallback import Points, Range
from trainlens.readers._tfevents.settings import Settings
from trainlens.run import Notice

WINDOW = 1 << 20
"""Bytes read at once: few enough to stay in the cache of a processor core."""
UNSETTLED = 1 << 20
"""Bytes of damage at the end of a growing file that are looked at again: some file systems show
zeros for a moment where data are on their way."""
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_HEAD, _TAIL = 64, 32


@dataclass
class Batch:
    """What one poll of a file found."""

    points: list[Points] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)


@dataclass(frozen=True)
class _Look:
    """A file as it was when last looked at."""

    inode: int = 0
    size: int = 0
    mtime: int = 0


class EventFile:
    """A reader of one event file that keeps its place.

    A file that was replaced or cut is read anew; a copy that continues the old one (a sync from
    another machine) is not.

    Parameters
    ----------
    path : Path
    settings : Settings
        Shared by the files of a run.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self._settings = settings
        self._said: set[str] = set()
        self._seen = _Look()
        self._restart()

    def _restart(self) -> None:
        self._decoder = Decoder()
        self._need = 0
        self._head = b""
        self._tail = b""
        self._useful = False

    @property
    def inode(self) -> int:
        """Of the file when it was last looked at, 0 before."""
        return self._seen.inode

    @property
    def position(self) -> int:
        """Offset up to which the file has been read."""
        return self._decoder.position

    def continues_in(self, path: Path) -> bool:
        """Whether a file holds what was read of this one; the system gives out inodes again."""
        at, tail = self._decoder.position, self._tail
        try:
            with open(path, "rb", buffering=0) as file:
                same = _read_at(file, 0, len(self._head)) == self._head
                return same and _read_at(file, at - len(tail), len(tail)) == tail
        except OSError:
            return False

    def pass_over(self, end: int) -> None:
        """Go on to offset `end` without giving the records before it: another file gave them.

        Parameters
        ----------
        end : int
            A file that has been read further stays where it is.
        """
        if end <= self._decoder.position:
            return
        batch = Batch()
        try:
            with open(self.path, "rb", buffering=0) as file:
                self._check_identity(file, _read_at(file, 0, _HEAD), end, batch)
                self._read(file, end, False, batch)
        except OSError:
            pass  # the poll that follows says why
        self._useful |= bool(self._decoder.take() or batch.config)

    def poll(self, final: bool) -> Batch:
        """What is new in the file.

        Parameters
        ----------
        final : bool
            See `Reader.poll`.
        """
        batch = Batch()
        try:
            self._poll(batch, final)
        except OSError as error:
            message = f"cannot be read ({error.strerror or error}); check its permissions"
            self._say_once(batch, "unreadable", message, None)
        batch.points = self._decoder.take()
        self._useful |= bool(batch.points or batch.config)
        if final and not batch.notices:
            self._check_empty(batch)
        return batch

    def _poll(self, batch: Batch, final: bool) -> None:
        stat = os.stat(self.path)
        look = _Look(stat.st_ino, stat.st_size, stat.st_mtime_ns)
        waiting = final and self._decoder.position < look.size
        if look == self._seen and not waiting:
            return
        with open(self.path, "rb", buffering=0) as file:
            head = _read_at(file, 0, _HEAD)
            if head.startswith(LFS_POINTER):
                message = "a git-LFS pointer stands in for the event file; run `git lfs pull`"
                self._say_once(batch, "lfs-pointer", message, None)
            else:
                self._check_identity(file, head, look.size, batch)
                if final or look.size >= self._decoder.position + self._need:
                    self._read(file, look.size, final, batch)
        self._seen = look

    def _say_once(self, batch: Batch, kind: str, message: str, lost: int | None = 0) -> None:
        if kind not in self._said:
            self._said.add(kind)
            batch.notices.append(Notice(kind, self.path.name, message, lost))

    def _check_identity(self, file: BinaryIO, head: bytes, size: int, batch: Batch) -> None:
        at = self._decoder.position
        tail = _read_at(file, at - len(self._tail), len(self._tail))
        if size < at or not head.startswith(self._head) or tail != self._tail:
            self._restart()
            message = "the file was replaced or cut; it is read again from its beginning"
            batch.notices.append(Notice("replaced", self.path.name, message))
        self._head = head

    def _read(self, file: BinaryIO, size: int, final: bool, batch: Batch) -> None:
        damage: list[Range] = []
        malformed: list[Range] = []
        skipped = self._decoder.skipped
        self._decoder.expect(size)
        for data, have, last in self._windows(file, size, final):
            used, self._need, bad, odd_ones, odds = self._decoder.feed(data, have, last)
            damage += bad
            malformed += odd_ones
            if odds:
                batch.config.update(self._settings.read(data, odds))
            if used:
                self._tail = bytes(data[max(0, used - _TAIL) : used])
        if not final:
            self._rewind(file)
        at_end = bool(damage) and damage[-1][1] == size
        if damage:
            batch.notices += notices(file, self.path.name, damage, final and at_end)
        self._report(malformed, self._decoder.skipped - skipped, batch)

    def _rewind(self, file: BinaryIO) -> None:
        before = self._decoder.position
        self._decoder.rewind(UNSETTLED)
        at = self._decoder.position
        if at != before:
            self._need = 0
            keep = min(_TAIL, at)
            self._tail = _read_at(file, at - keep, keep)

    def _windows(
        self, file: BinaryIO, size: int, final: bool
    ) -> Iterator[tuple[bytearray, int, bool]]:
        """Pieces of the file up to `size`, each beginning at the decoder's position."""
        start = self._decoder.position
        file.seek(start)
        room = min(WINDOW, size - start)
        data, have = bytearray(room), 0
        while True:
            have += _fill(file, data, have, room)
            at_end = start + have >= size or have < room
            yield data, have, final and at_end
            if at_end:
                return
            used = self._decoder.position - start
            rest = have - used
            # More than is needed, so that a crafted file cannot make us come back byte by byte.
            room = min(max(WINDOW, 2 * self._need), size - start - used)
            grown = data if room == len(data) else bytearray(room)
            grown[:rest] = data[used:have]
            data, have, start = grown, rest, start + used

    def _report(self, malformed: list[Range], skipped: int, batch: Batch) -> None:
        name = self.path.name
        if malformed:
            where = f"{name}, bytes {malformed[0][0]}-{malformed[-1][1]}"
            message = "records whose checksums hold but that are no events were skipped"
            batch.notices.append(Notice("corrupt", where, message, len(malformed)))
        if skipped:
            message = "scalar summaries that hold no single number were skipped"
            batch.notices.append(Notice("skipped", name, message, skipped))

    def _check_empty(self, batch: Batch) -> None:
        records = self._decoder.records
        if self._useful or self._said & {"unreadable", "lfs-pointer"}:
            return
        if self._seen.size == 0:
            self._say_once(batch, "empty", "the file is empty")
        elif records == 1:
            self._say_once(batch, "empty", "the file holds one record and no scalar")
        elif records:
            self._say_once(batch, "empty", f"the file holds {records} records but no scalar")


def _read_at(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _fill(file: BinaryIO, data: bytearray, have: int, want: int) -> int:
    """Read into ``data[have:want]``; fewer bytes only at the end of the file."""
    got = have
    with memoryview(data) as view:
        while got < want:
            n = file.readinto(view[got:want])  # type: ignore[attr-defined]
            if not n:
                break
            got += n
    return got - have
