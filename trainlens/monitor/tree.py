"""Which runs there are by now: found anew where files came, went or were renamed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trainlens.errors import (
    MissingExtra,
    NotALog,
    NotFound,
    SourceError,
    TrainlensError,
    Unreadable,
)
from trainlens.readers import Discovery, discover
from trainlens.readers.base import Source
from trainlens.remote.url import is_url, public

_COST, _AWAITING = 20.0, 5.0
"""A search that took t seconds is not made again within so many t; sooner while runs are awaited,
as there is nothing else to do."""
_AGAIN, _AGAIN_COST = 10.0, 500.0
"""Seconds, and times its cost, after which it is made although no folder has changed: a file may
have become a log."""
_FOLDERS = 20_000


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Parameters
    ----------
    sources : tuple of Source
    waiting : str
        What there is to wait for, where there is no run yet; else empty.
    notices : tuple of str
        About files that are no run, ready to print.
    missing : tuple of TrainlensError
        Of each path that leads to no run: why.
    """

    sources: tuple[Source, ...] = ()
    waiting: str = ""
    notices: tuple[str, ...] = ()
    missing: tuple[TrainlensError, ...] = ()


class Tree:
    """The runs in some paths.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, glob patterns or URLs, there or not.
    search : callable
        As `trainlens.readers.discover`.
    """

    def __init__(self, paths: Sequence[str], search: Callable[..., Discovery] = discover) -> None:
        self._paths = paths
        self._search = search
        self._stamps: dict[str, int] | None = None
        self._searched = self._cost = 0.0
        self._awaits = False
        self._known: set[str] = set()

    def look(self, tick: float, *, stirred: bool = False, must: bool = False) -> Found | None:
        """Search, where that may bring something new.

        Parameters
        ----------
        tick : float
            Seconds of a clock that never jumps.
        stirred : bool
            Whether the system has said that a file came, went or was renamed.
        must : bool
            Whether it is searched in any case.

        Returns
        -------
        Found or None
            None where nothing was searched.
        """
        if self._stamps is not None and not must:
            waited = tick - self._searched
            if waited < (_AWAITING if self._awaits else _COST) * self._cost:
                return None
            again = waited >= max(_AGAIN, _AGAIN_COST * self._cost)
            if not (stirred or again or self._awaits or self._changed()):
                return None
        self._searched = tick
        return self._found()

    def took(self, seconds: float) -> None:
        """Note what the last search has cost."""
        self._cost = seconds

    def _changed(self) -> bool:
        return any(is_url(p) for p in self._paths) or dict(self._folders()) != self._stamps

    def _found(self) -> Found:
        # Before the search: what changes while it goes on is found by the next one.
        self._stamps = dict(self._folders())
        sources: dict[Source, None] = {}
        waiting: list[str] = []
        missing: list[TrainlensError] = []
        notices: list[str] = []
        for path in self._paths:
            try:
                found = self._search(path)
            except (SourceError, MissingExtra) as error:
                missing.append(error)
                waiting.append(_awaited(path, error, path in self._known))
            except OSError as error:
                said = f"cannot be read: {error.strerror or error}"
                missing.append(Unreadable(public(path), said, "check its permissions"))
                waiting.append(f"{public(path)}: {error.strerror or error}")
            else:
                self._known.add(path)
                sources.update(dict.fromkeys(found.sources))
                notices += map(str, found.notices)
        self._awaits = bool(waiting)
        return Found(tuple(sources), "; ".join(waiting), tuple(notices), tuple(missing))

    def _folders(self) -> Iterator[tuple[str, int]]:
        """Folders that runs may be in, with the time of their last change."""
        # What lies below counts where a folder was named, not around a lone file.
        held = [(p, True) if os.path.isdir(p) else (os.path.dirname(p) or ".", False)
                for p in self._paths]  # fmt: skip
        seen = 0
        while held and seen < _FOLDERS:
            folder, below = held.pop()
            seen += 1
            try:
                about = os.stat(folder)
                yield folder, about.st_mtime_ns
                if below and about.st_nlink != 2:
                    entries = (e for e in os.scandir(folder) if e.is_dir(follow_symlinks=False))
                    held += [(e.path, True) for e in entries]
            except OSError:
                yield folder, -1


def _awaited(path: str, error: TrainlensError, known: bool) -> str:
    if isinstance(error, NotFound):
        return f"{public(path)} " + ("is gone" if known else "does not exist yet")
    if isinstance(error, NotALog):
        try:
            empty = stat.S_ISREG(os.stat(path).st_mode) and not os.path.getsize(path)
        except OSError:
            empty = False
        return f"{public(path)} is empty so far" if empty else f"no run yet: {error}"
    return str(error)
