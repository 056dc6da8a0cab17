"""Keeping a cache folder below its size: what was not used for longest goes first."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SUFFIX = ".columns"

_KEPT = 0.9
"""Share of the size to which a folder is brought down, so that it is not at its end at once."""
_LEFT = ".new-"
_OLD_NS = 3600 * 10**9


class Room:
    """The entries of a folder and what they may take together.

    What other processes add in the meantime is seen when this one looks next: at its first entry,
    and whenever it has written an eighth of the size.

    Parameters
    ----------
    folder : Path
    most : int
        Bytes.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self.most = most
        self._unseen = most

    def add(self, size: int) -> None:
        """An entry of `size` bytes was written."""
        self._unseen += size
        if self._unseen * 8 > self.most:
            self._unseen = 0
            self._make_room()

    def _make_room(self) -> None:
        held = sorted(self._entries(), reverse=True)
        total = sum(size for _, size, _ in held)
        if total <= self.most:
            return
        while held and total > _KEPT * self.most:
            _, size, path = held.pop()
            with suppress(OSError):
                os.unlink(path)
            total -= size

    def _entries(self) -> list[tuple[int, int, str]]:
        """Time of last use, size and path of every entry; what a crash left behind is removed."""
        found = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    stat = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(SUFFIX):
                        found.append((stat.st_mtime_ns, stat.st_size, entry.path))
                    elif entry.name.startswith(_LEFT) and self._is_old(stat.st_mtime_ns):
                        os.unlink(entry.path)
        return found

    def _is_old(self, moment: int) -> bool:
        newest = self._folder.stat().st_mtime_ns
        return newest - moment > _OLD_NS
