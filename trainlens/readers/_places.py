"""Where the runs that were found lie on disk, whatever links led there."""

from __future__ import annotations

import os
from pathlib import Path


class Places:
    """Real paths, each worked out once, and the folders above them."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._above: set[str] = set()
        self._folders: dict[str, str] = {}

    def add(self, path: Path) -> str:
        """Take a place; give its real path, without links.

        Parameters
        ----------
        path : Path
        """
        real = self._real(path)
        self._held.add(real)
        folder = os.path.dirname(real)
        while folder not in self._above:
            self._above.add(folder)
            folder = os.path.dirname(folder)
        return real

    def touch(self, path: Path) -> bool:
        """Whether a path is, lies in or holds a place that was taken.

        Parameters
        ----------
        path : Path
        """
        real = os.path.realpath(path)
        above = [real]
        while (folder := os.path.dirname(above[-1])) != above[-1]:
            above.append(folder)
        return real in self._above or not self._held.isdisjoint(above)

    def _real(self, path: Path) -> str:
        """As `os.path.realpath`, which asks for every folder of the path anew."""
        folder, name = os.path.split(path)
        if name in ("", ".", "..") or os.path.islink(path):
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], name)
