"""Logs of several parts, found among the runs of a file or folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from trainlens.chunk import Notice
from trainlens.readers._join import replaced
from trainlens.readers._rotation import Listings
from trainlens.readers.base import Source

_KEPT = frozenset({"lfs-pointer", "needs-extra", "unreadable"})
"""What is said so of a part is true in the log as well; a part without a record is nothing odd."""

Look = Callable[[Path, list[Notice]], Iterator[Source]]


class Parts:
    """Puts the parts of logs together.

    Parameters
    ----------
    lined : set of str
        Formats of which files, one behind the other, are a file of the same format.
    look : callable
        Runs in a file; what is said about it is added to the list.
    """

    def __init__(self, lined: frozenset[str], look: Look) -> None:
        self._lined = lined
        self._look = look
        self._lists = Listings()

    def of_file(self, path: Path, sources: list[Source], notices: list[Notice]) -> list[Source]:
        """The run of a file with its older parts, where it has some.

        Parameters
        ----------
        path : Path
        sources : list of Source
            What was found in the file alone: nothing where it has just been begun.
        notices : list of Notice
            What is said about parts is added, what was said about the file alone taken out.
        """
        names = self._lists.of(path.parent).get(path.name)
        if names is None:
            return sources
        said = list(notices)
        older = [s for n in names[:-1] for s in self._look(path.with_name(n), said)]
        whole = self._whole(path, names, [*older, *sources], said)
        if whole is None:
            return sources
        notices[:] = _beyond(said, [whole])
        return [whole]

    def of_folder(self, sources: list[Source], notices: list[Notice]) -> list[Source]:
        """Runs of a folder, the parts of one log put together where the first of them stood.

        Parameters
        ----------
        sources : list of Source
        notices : list of Notice
            What is said about a part as a file of its own is taken out.
        """
        held: dict[Path, list[Source]] = {}
        for source in sources:
            held.setdefault(source.path, []).append(source)
        wholes: list[tuple[list[Source], Source]] = []
        for folder in {s.path.parent: None for s in sources if s.format in self._lined}:
            for log, names in self._lists.of(folder).items():
                found = [s for n in names for s in held.get(folder / n, ())]
                whole = self._whole(folder / log, names, found, notices)
                if whole is not None:
                    wholes.append((found, whole))
        notices[:] = _beyond(notices, [whole for _, whole in wholes])
        return replaced(sources, wholes)

    def unrepeated(self, sources: list[Source]) -> list[Source]:
        """Without the parts that were named beside the log that they belong to."""
        whole = [s for s in sources if s.parts and s.format in self._lined]
        held = {os.path.realpath(part.path) for s in whole for part in s.parts}
        if not held:
            return sources
        return [s for s in sources if s.parts or os.path.realpath(s.path) not in held]

    def _whole(
        self, log: Path, names: list[str], found: Sequence[Source], notices: list[Notice]
    ) -> Source | None:
        """One run of all parts; None where what was found in some of them does not fit."""
        formats = {s.format for s in found}
        if len(formats) != 1 or not formats <= self._lined or any(s.key for s in found):
            return None
        kinds = {n.where: n.kind for n in notices}
        paths = [log.with_name(n) for n in names]
        paths = [p for p in paths if kinds.get(str(p)) not in _KEPT]
        if len(paths) < 2:
            return None
        form = formats.pop()
        name = next((s.name for s in reversed(found) if s.name), "")
        return Source(form, log, name=name, parts=tuple(Source(form, p) for p in paths))


def _beyond(notices: list[Notice], wholes: list[Source]) -> list[Notice]:
    """What was said about other files than the parts of logs."""
    silent = {str(part.path) for whole in wholes for part in whole.parts}
    return [n for n in notices if n.where not in silent]
