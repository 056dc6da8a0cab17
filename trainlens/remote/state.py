"""What a mirror knows about its files, kept in its folder between two commands."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trainlens import atomic
from trainlens.errors import OutputError

VERSION = 1


@dataclass
class Entry:
    """A file of a mirror.

    Parameters
    ----------
    here : str
        Its path below the tree, with ``/``.
    size : int
        Bytes of the object when it was last looked at; -1 where that is unknown.
    mark : str
        Version of the object, see `listing`.
    have : int
        How many of its first bytes the file holds; the rest is a hole or missing.
    whole : bool
        Whether that is all of them.
    stamp : tuple of int
        Size and time of the file as it was left, to see whether anybody has touched it.
    """

    here: str
    size: int = -1
    mark: str = ""
    have: int = 0
    whole: bool = False
    stamp: tuple[int, ...] = field(default=())


def stamp(path: Path) -> tuple[int, ...]:
    """Size and time of a file, empty where there is none."""
    try:
        held = os.stat(path, follow_symlinks=False)
    except OSError:
        return ()
    return held.st_size, held.st_mtime_ns


def load(file: Path) -> dict[str, Entry]:
    """The entries in a file, by their paths there; none where it is missing, old or damaged."""
    try:
        held: Any = json.loads(file.read_bytes())
        if held["version"] != VERSION:
            return {}
        return {there: _entry(about) for there, about in held["entries"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _entry(about: dict[str, Any]) -> Entry:
    entry = Entry(**about)
    entry.stamp = tuple(int(n) for n in entry.stamp)
    right = isinstance(entry.here, str) and isinstance(entry.mark, str)
    parts = entry.here.split("/") if right else []
    if not parts or any(part in ("", ".", "..") for part in parts):
        raise ValueError("no path of a mirror")
    entry.size, entry.have, entry.whole = int(entry.size), int(entry.have), bool(entry.whole)
    return entry


def save(file: Path, entries: dict[str, Entry]) -> None:
    """Write the entries; where that fails, the next command only knows less."""
    held = {"version": VERSION, "entries": {there: asdict(e) for there, e in entries.items()}}
    try:
        atomic.write(file, json.dumps(held).encode("utf-8", "surrogatepass"))
    except OutputError:
        file.unlink(missing_ok=True)
