"""Where settings stand on disk, and the TOML in there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainlens.errors import UsageError

NAME, PROJECT = "trainlens.toml", "pyproject.toml"
_ENDS = (".git", ".hg")
"""A folder that holds one of these is a whole project: what lies above it is not asked."""


def find(folder: Path) -> Path | None:
    """The settings that hold in a folder: those nearest to it, in it or above it.

    Parameters
    ----------
    folder : Path
        Absolute.

    Returns
    -------
    Path or None
        A ``trainlens.toml``, or a ``pyproject.toml`` with ``[tool.trainlens]``.

    Raises
    ------
    UsageError
        A ``pyproject.toml`` that speaks of trainlens is no TOML.
    """
    for place in (folder, *folder.parents):
        if (place / NAME).is_file():
            return place / NAME
        if _speaks_of_us(place / PROJECT):
            return place / PROJECT
        if any((place / end).exists() for end in _ENDS):
            return None
    return None


def _speaks_of_us(path: Path) -> bool:
    try:
        # Most do not: they need not be parsed.
        if not path.is_file() or b"trainlens" not in path.read_bytes():
            return False
    except OSError:
        return False
    return "trainlens" in _tools(_parsed(path))


def read_table(path: Path) -> tuple[Mapping[str, Any], str]:
    """The settings in a file, and what stands before each of their keys there.

    Raises
    ------
    UsageError
    """
    document = _parsed(path)
    if path.name != PROJECT:
        return document, ""
    table = _tools(document).get("trainlens")
    if not isinstance(table, Mapping):
        raise UsageError(
            f"{path}: there is no [tool.trainlens] in it; add it, or name another file"
        )
    return table, "tool.trainlens."


def _tools(document: Mapping[str, Any]) -> Mapping[str, Any]:
    tools = document.get("tool")
    return tools if isinstance(tools, Mapping) else {}


def _parsed(path: Path) -> Mapping[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path}: settings cannot be read: {reason}; check the path") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: settings are no UTF-8 text; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path}: no valid TOML: {_lowered(str(error))}; correct it there"
        ) from None
    except RecursionError:
        raise UsageError(f"{path}: no valid TOML: nested too deeply; correct it there") from None


def _lowered(text: str) -> str:
    flat = " ".join(text.split())
    return flat[:1].lower() + flat[1:]
