"""Runs behind a URL that are read on another machine, which makes a mirror of its own."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from trainlens.chunk import Notice
from trainlens.errors import MissingExtra, SourceError, Unreadable
from trainlens.readers.base import Source
from trainlens.remote.place import LOCK
from trainlens.remote.shown import as_shown, mirrors_around, shown
from trainlens.remote.url import public

PATIENCE = 300.0
"""Seconds to wait while another worker on the same machine makes the mirror."""


@dataclass(frozen=True)
class Origin:
    """Where a file of a mirror comes from, for a process that may not see the mirror.

    Parameters
    ----------
    url : str
        As the user gave it, so it may hold a password.
    name : str
        The path as it is shown.
    look : str
        Which look at the URL it was; one mirror of another machine serves all runs of a look.
    folder : Path
        Of the mirror.
    mark : tuple of int
        Tells the folder from one of the same path on another machine.
    renamed : tuple of (str, str)
        Paths here and there, where they differ, as far as they have to do with the file.
    """

    url: str = field(repr=False)
    name: str
    look: str
    folder: Path
    mark: tuple[int, ...]
    renamed: tuple[tuple[str, str], ...]


@dataclass
class _Made:
    """What became of mirroring a URL in this process; `notices` until they are passed on."""

    look: str
    folder: Path | None
    failure: SourceError | MissingExtra | None
    notices: tuple[Notice, ...]


_made: dict[str, _Made] = {}
_one_at_a_time = threading.Lock()


def origin(source: Source) -> Origin | None:
    """Where a run comes from; None where its path is no mirror's that this process has made."""
    for folder in mirrors_around(source.path):
        from trainlens.readers._remote import looks

        if folder in looks:
            (url, look), path = looks[folder], source.path
            name = as_shown(path, str(path))
            return Origin(url, name, look, folder, _mark(folder), _renamed(path))
    return None


def at_hand(source: Source, known: Origin | None) -> tuple[Source, tuple[Notice, ...]]:
    """A run where this process can read it; if need be its URL is mirrored here, once a look.

    Parameters
    ----------
    source : Source
        As it was found, maybe on another machine.
    known : Origin or None
        What `origin` said there.

    Returns
    -------
    source : Source
    notices : tuple of Notice
        What could not be fetched; told once.

    Raises
    ------
    SourceError, MissingExtra
        Nothing could be had here.
    """
    if known is None or _mark(known.folder) == known.mark:
        return source, ()
    with _one_at_a_time:
        made = _made.get(known.url)
        if made is None or made.look != known.look:
            made = _made[known.url] = _mirrored(known)
    if made.failure is not None:
        raise made.failure.with_traceback(None)
    moved = _moved(source, known.folder, made.folder) if made.folder else None
    if moved is None or not moved.path.exists() or _renamed(moved.path) != known.renamed:
        problem = f"is not, or not by the same name, in the copy on {socket.gethostname()}"
        raise Unreadable(known.name, problem, "it may be changing there; try again")
    told, made.notices = made.notices, ()
    return moved, told


def _mirrored(known: Origin) -> _Made:
    from trainlens.readers._remote import mirrored

    notices: list[Notice] = []
    try:
        paths = mirrored(known.url, notices, patience=PATIENCE)
    except SourceError as error:
        problem = f"{error.problem}, on {socket.gethostname()}"
        return _Made(known.look, None, type(error)(error.path, problem, error.remedy), ())
    except MissingExtra as error:
        what = f"reading {public(known.url)} on {socket.gethostname()}"
        return _Made(known.look, None, MissingExtra(what, error.extra), ())
    folder = next(mirrors_around(paths[0]), None) if paths else None
    return _Made(known.look, folder, None, tuple(notices))


def _moved(source: Source, old: Path, new: Path) -> Source:
    parts = tuple(_moved(part, old, new) for part in source.parts)
    return replace(source, path=new / source.path.relative_to(old), parts=parts)


def _mark(folder: Path) -> tuple[int, ...]:
    """What a folder of the same path elsewhere has otherwise; empty where there is none.

    The lock of a mirror is written once. A passing mirror has none, but a name of its own.
    """
    try:
        found = os.stat(folder).st_ino
    except OSError:
        return ()
    try:
        return found, os.stat(folder / LOCK).st_mtime_ns
    except OSError:
        return (found,)


def _renamed(path: Path) -> tuple[tuple[str, str], ...]:
    mirror = shown(path)
    if mirror is None or not mirror.renamed:
        return ()
    own = Path(os.path.abspath(path))
    root = Path(mirror.root)
    return tuple(
        (here, there)
        for here, there in mirror.renamed
        if own == root / here or own in (root / here).parents
    )
