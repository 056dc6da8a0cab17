"""Every file of a folder, with the run that it belongs to or the reason why it is in none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainlens.chunk import Notice
from trainlens.readers._find import (
    PASSED_OVER,
    PathLike,
    all_readers,
    expand,
    nothing_in,
    runs_at,
)
from trainlens.readers._reason import explain
from trainlens.readers.base import Source


@dataclass(frozen=True)
class Account:
    """What became of a file.

    Parameters
    ----------
    path : Path
    format : str
        Format of the run that it belongs to; empty for none.
    reason : str
        Why it belongs to none, or that it was written with another; empty where it belongs to one.
    """

    path: Path
    format: str = ""
    reason: str = ""


def account(*paths: PathLike) -> Iterator[Account]:
    """What became of every file in some paths, in the order of their names.

    Parameters
    ----------
    *paths : str or path-like
        Files, folders or glob patterns, as for `discover`.

    Raises
    ------
    NotFound, Unreadable, NotALog
        A path does not exist, cannot be listed, or is a folder without a file.
    """
    for path in expand(paths):
        formats: dict[Path, str] = {}
        copied: dict[Path, str] = {}
        notices: list[Notice] = []
        for source in runs_at(path, notices):
            for part in (*source.places, *source.copies):
                formats.update(dict.fromkeys(_files(part), part.format))
            copies = (file for copy in source.copies for file in _files(copy))
            copied.update(dict.fromkeys(copies, f"written with {source.path.name}"))
        files = _all_files(path)
        if not files:
            raise nothing_in(path, notices)
        for file in files:
            owner = next((p for p in (file, *file.parents) if p in formats), None)
            if owner is None:
                yield Account(file, "", _reason(file, path))
            else:
                yield Account(file, formats[owner], copied.get(owner, ""))


def _reason(file: Path, top: Path) -> str:
    for name in file.relative_to(top).parts[:-1]:
        if name in PASSED_OVER:
            return f"lies in {name}, which is never searched"
    if file.is_dir():
        return "a folder that cannot be listed"
    return explain(file, asked=True).message


def _files(source: Source) -> list[Path]:
    module = all_readers()[source.format]
    if not hasattr(module, "files"):
        return [source.path]
    found: list[Path] = module.files(source)
    return found


def _all_files(path: Path) -> list[Path]:
    """Every file below a path, and behind them every folder there that cannot be listed."""
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    shut: list[Path] = []
    for top, folders, names in os.walk(path, onerror=lambda e: shut.append(Path(e.filename))):
        folders.sort()
        found += (Path(top) / name for name in sorted(names))
    return found + [folder for folder in shut if folder != path]
