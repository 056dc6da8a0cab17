"""What a native log says of the files beside it: the same run, written more than once.

A recorder that writes several formats at once names the files of the others in the header of its
native log, ``"copies": ["tb", "metrics.csv"]``, and one that trains in several processes says how
many, ``"ranks": 8``. Where all of a folder is looked at, such a run counts once; the native log of
rank 0 is the one that is read. Nothing but that header tells: other folders are none of this. A
copy that is named itself is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trainlens.chunk import Notice
from trainlens.readers.base import Source

KIND = "copies"


def copied(sources: Sequence[Source]) -> list[Source]:
    """The same runs without copies, which the run that names them then holds.

    Parameters
    ----------
    sources : sequence of Source
        Of a folder and those in it.
    """
    named = [(s.path.parent / name, s.path) for s in sources for name in s.beside]
    if not named:
        return list(sources)
    there = {s.path for s in sources}
    owner = {path: native for path, native in named if path in there and path != native}
    held: dict[Path, list[Source]] = {}
    kept: list[Source] = []
    for source in sources:
        native = _first(source.path, owner)
        if native == source.path:
            kept.append(source)
        else:
            held.setdefault(native, []).append(source)
    return [replace(s, copies=tuple(held.get(s.path, ()))) if s.beside else s for s in kept]


def _first(path: Path, owner: Mapping[Path, Path]) -> Path:
    """The log that names this one, or the log that names that one; itself where none does."""
    seen = [path]
    while (native := owner.get(seen[-1])) is not None:
        if native in seen:  # logs that name each other are runs of their own
            return path
        seen.append(native)
    return seen[-1]


def said(sources: Iterable[Source]) -> list[Notice]:
    """One notice about all copies that are not counted, none where there are none."""
    holders = [s for s in sources if s.copies]
    if not holders:
        return []
    first = holders[0]
    # Several runs of an AIM repository lie in one place.
    names = sorted({copy.path.name for copy in first.copies})
    more = f"; so in {len(holders)} folders" if len(holders) > 1 else ""
    what = ", ".join(names)
    message = f"not counted again: {what} (written with {first.path.name}, by its header{more})"
    return [Notice(KIND, str(first.path.parent), message, 0)]
