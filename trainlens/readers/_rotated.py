"""A log that is rotated while it is written, read as the one log that it is.

Its parts are put together in a private file, as one writes it without rotation, and read there by
the reader of their format: what a line says about the next ones holds across parts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trainlens.chunk import Chunk, Notice
from trainlens.errors import MissingExtra, NotFound, SourceError
from trainlens.readers._lines import Tail
from trainlens.readers._rotation import missing
from trainlens.readers._spliced import Spliced
from trainlens.readers._wrapping import wrapping
from trainlens.readers.base import Reader, Source

if TYPE_CHECKING:
    from trainlens.readers._packed import Unfolded

ROTATED = "the log was rotated since it was opened; what follows is read by opening it anew"
AMID = "the log was rotated while it was read; read it again"
COPY = "holds what the log itself begins with, a copy in the making; left out"
GONE = "is not there any more; what it held is missing"

_PIECE = 1 << 20
_TOLD = 6

Entry = tuple[int, int, int]


class Rotated:
    """Reads the parts of a log, oldest first, then the file that grows.

    Where the files behind the parts are no longer the same, a notice of kind ``replaced`` says
    so, and nothing more is given: whoever follows the log finds its parts anew.

    Parameters
    ----------
    source : Source
        Its parts, the file that grows last.
    open_content : callable
        Makes a reader of a file of all parts.
    beside : sequence of Path
        Other files that the reader looks for in the folder of the log.
    """

    def __init__(
        self, source: Source, open_content: Callable[[Path], Reader], beside: Sequence[Path] = ()
    ) -> None:
        self._name = source.path.name
        self._older = [part.path for part in source.parts[:-1]]
        self._last = _Last(source.parts[-1].path)
        folder = Path(tempfile.mkdtemp(prefix="trainlens-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        for path in beside:
            _show(path, folder / path.name)
        self._whole = Spliced(folder / self._name, tables=source.format == "csv")
        self._open_content = open_content
        self._reader: Reader | None = None
        self._seen: dict[Path, Entry | None] = {}
        self._told: set[Notice] = set()
        self._over = False

    def poll(self, final: bool = False) -> Chunk:
        """Everything new; see `Reader.poll`.

        Raises
        ------
        NotFound, Unreadable
            Not one part could be opened, at the first poll.
        """
        if self._over:
            return Chunk()
        first = self._reader is None
        if not first and (self._changed() or self._last.replaced()):
            self._over = True
            return Chunk(notices=(Notice("replaced", self._name, ROTATED),))
        notices = self._begun() if first else []
        notices += self._follow(final)
        if first and final and self._changed():
            notices.append(Notice("skipped", self._name, AMID, None))
        if self._reader is None:
            self._reader = self._open_content(self._whole.path)
        chunk = self._reader.poll(final)
        placed = (self._whole.placed(n) for n in chunk.notices)
        return replace(chunk, notices=(*notices, *placed))

    def _begun(self) -> list[Notice]:
        """Take the older parts; what there is to say about the log as a whole."""
        names = [p.name for p in (*self._older, self._last.path)]
        shown = ", ".join(names if len(names) <= _TOLD else [*names[:2], "...", *names[-2:]])
        notices = [Notice("assumed", self._name, f"one log in {len(names)} parts: {shown}")]
        notices += [Notice("unreadable", name, GONE, None) for name in missing(names)]
        for path in self._older:
            self._seen[path] = _entry(path)
            notices += self._add(path)
        if not any(self._seen.values()) and _entry(self._last.path) is None:
            raise NotFound(self._last.path, "does not exist", "check the path")
        self._whole.begin(self._last.path.name)
        return notices

    def _add(self, path: Path) -> list[Notice]:
        try:
            if path is self._older[-1] and _is_copy(path, self._last.path):
                return [Notice("identical", path.name, COPY)]
            content = _Content(path)
            said = content.update(final=True)
            return said + self._whole.whole(path.name, _pieces(content.path))
        except FileNotFoundError:
            return [Notice("unreadable", path.name, GONE, None)]
        except MissingExtra as error:
            return [Notice("unreadable", path.name, f"left out: {error}", None)]
        except OSError as error:
            text = f"cannot be read: {error.strerror or error}"
            return [Notice("unreadable", path.name, text, None)]

    def _changed(self) -> bool:
        """Whether another file lies where an older part was; one that is gone is no other."""
        now = {path: _entry(path) for path in self._seen}
        return any(entry and entry != self._seen[path] for path, entry in now.items())

    def _follow(self, final: bool) -> list[Notice]:
        """Take what is new in the file that grows; while a log is rotated it may be away."""
        notices: list[Notice] = []
        try:
            for piece, at_end in self._last.pieces(final):
                enough = b"\n" in piece or (final and at_end) or len(piece) >= _PIECE
                if self._whole.waits and not enough:
                    continue  # it comes again, longer
                notices += self._whole.take(piece)
                self._last.advance(len(piece))
        except NotFound as error:
            notices += self._tell(error.problem) if final else []
        except (SourceError, MissingExtra) as error:
            notices += self._tell(error.problem if isinstance(error, SourceError) else str(error))
        except OSError as error:
            notices += self._tell(f"cannot be read: {error.strerror or error}")
        if final:
            self._whole.rest()
        return notices + self._last.said()

    def _tell(self, problem: str) -> list[Notice]:
        notice = Notice("unreadable", self._last.path.name, problem, None)
        new = notice not in self._told
        self._told.add(notice)
        return [notice] if new else []


class _Content:
    """What a part holds, unfolded where it is wrapped.

    Parameters
    ----------
    part : Path
        It is there.
    """

    def __init__(self, part: Path) -> None:
        kind = wrapping(part)
        self._unfolded: Unfolded | None = None
        self.path = part
        if kind:
            from trainlens.readers._packed import Unfolded

            self._unfolded = Unfolded(part, kind)
            self.path = self._unfolded.content

    def update(self, final: bool) -> list[Notice]:
        return self._unfolded.update(final) if self._unfolded else []


class _Last:
    """The part that grows, as far as it is there.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content: _Content | None = None
        self._tail: Tail | None = None
        self._notices: list[Notice] = []

    def replaced(self) -> bool:
        """Whether what was taken of it is no longer there; a file that is gone may come back."""
        if self._tail is None or self._content is None or not self._tail.offset:
            return False
        try:
            self._notices += self._content.update(final=False)
            return self._tail.changed() and self._tail.replaced()
        except (SourceError, OSError):
            return False  # reading it says what is wrong

    def pieces(self, final: bool) -> Iterator[tuple[bytes, bool]]:
        """Unread bytes, growing until they are taken, and whether they reach to its end."""
        if self._tail is None or self._content is None:
            entry = _entry(self.path)
            if entry is None:
                raise NotFound(self.path, "does not exist", "check the path")
            if not entry[1]:
                return
            self._content = _Content(self.path)
            self._tail = Tail(self._content.path)
        self._notices += self._content.update(final)
        if final or self._tail.changed():
            for piece in self._tail.objects():
                yield piece.data, piece.torn

    def advance(self, count: int) -> None:
        """So many bytes were taken."""
        if self._tail is not None:
            self._tail.advance(count)

    def said(self) -> list[Notice]:
        """What there was to say about how it is wrapped."""
        said, self._notices = self._notices, []
        return said


def _entry(path: Path) -> Entry | None:
    """What tells a file from another one under its name; None where there is none."""
    try:
        entry = os.stat(path)
    except OSError:
        return None
    return entry.st_ino, entry.st_size, entry.st_mtime_ns


def _pieces(path: Path) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece


def _is_copy(part: Path, log: Path) -> bool:
    """Whether a part is the log itself so far: a copy is made before the log is cut."""
    was, now = _entry(part), _entry(log)
    if was is None or now is None or not 0 < was[1] <= now[1] or was[2] < now[2]:
        return False
    with open(part, "rb") as one, open(log, "rb") as other:
        while piece := one.read(_PIECE):
            if other.read(len(piece)) != piece:
                return False
    return True


def _show(path: Path, here: Path) -> None:
    """Let a file of the log's folder be found beside the private one."""
    try:
        here.symlink_to(os.path.abspath(path))
    except OSError:  # where links need a right that few have
        with suppress(OSError):
            shutil.copyfile(path, here)
