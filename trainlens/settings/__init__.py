"""How the runs of a project are judged: ``trainlens.toml``, or a part of ``pyproject.toml``.

Settings are found from the current folder upward, never beside a log: a log that somebody sent
must not bring settings.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainlens.settings._files import find, read_table
from trainlens.settings._keys import Place, Settings, parse
from trainlens.settings.meaning import Meaning, with_meanings
from trainlens.settings.suppress import Suppression, expired, with_suppressions

__all__ = [
    "Meaning",
    "Place",
    "Settings",
    "Suppression",
    "expired",
    "find",
    "load",
    "parse",
    "with_meanings",
    "with_suppressions",
]


def load(source: str | os.PathLike[str] | Mapping[str, Any] | None) -> Settings:
    """Settings of a file, or of a mapping with the same keys.

    Parameters
    ----------
    source : path-like, mapping or None
        Of a file called ``pyproject.toml`` the table ``[tool.trainlens]`` is read, of any other
        the whole. None gives settings that change nothing.

    Raises
    ------
    UsageError
        It cannot be read, or a key or value in it is wrong: one line with file, key and remedy.
    """
    if source is None:
        return Settings()
    if isinstance(source, Mapping):
        return parse(source, Place("settings"))
    path = Path(source)
    table, prefix = read_table(path)
    return parse(table, Place(str(source), prefix))
