"""Whether a folder has the entries that it had, without listing it again."""

from __future__ import annotations

import os
from pathlib import Path

SURE = 2.0
"""Seconds for which a folder must have kept its time: times of some file systems are that
coarse."""

AGAIN = 10.0
"""Seconds after which it is listed all the same: not every file system keeps such times."""


class Still:
    """The time of the last change of a folder, as often as it was looked at.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.forget()

    def forget(self) -> None:
        """Know nothing about the folder."""
        self._entry: tuple[int, int] | None = None
        self._since = self._listed = 0.0
        self._sure = False

    def same(self, now: float) -> bool:
        """Whether nothing was added, renamed or removed since the last answer that was False.

        Who hears False looks into the folder; a folder that cannot be looked at is never still.

        Parameters
        ----------
        now : float
            Seconds of any clock that never goes back.
        """
        entry = self._look()
        if entry is None or entry != self._entry:
            self._entry, self._since, self._sure = entry, now, False
        elif self._sure and now - self._listed < AGAIN:
            return True
        else:
            self._sure = now - self._since > SURE
        self._listed = now
        return False

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._folder)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns
