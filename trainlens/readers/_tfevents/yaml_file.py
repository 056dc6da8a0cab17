"""The ``hparams.yaml`` that Lightning writes beside its event files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trainlens.chunk import Notice
from trainlens.readers._yaml import read_yaml

NAME = "hparams.yaml"


class YamlFile:
    """The settings in a file, given again when they change.

    Parameters
    ----------
    path : Path
        Need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._notice: Notice | None = None

    @property
    def there(self) -> bool:
        """Whether the file has been seen."""
        return self._seen is not None

    def poll(self, final: bool) -> tuple[dict[str, Any], list[Notice]]:
        """Settings that are new, and, at the end, why they could not be read.

        Parameters
        ----------
        final : bool
            Before that a file that cannot be understood may only be half written.
        """
        found: dict[str, Any] = {}
        seen = self._look()
        if seen is not None and seen != self._seen:
            self._seen = seen
            found, self._notice = read_yaml(self._path)
        if not final or self._notice is None:
            return found, []
        notice, self._notice = self._notice, None
        return found, [notice]

    def _look(self) -> tuple[int, int, int] | None:
        try:
            stat = os.stat(self._path)
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns
