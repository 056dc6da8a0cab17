"""The parts of a log put together in one private file, and the way back to each part.

Parts follow each other byte by byte: a line that was cut in two where one part ended is whole
again. Where the next part begins with a line of its own instead, the unfinished line before it
is left out and named: what stands in it may be the beginning of another number. Where both may
be (``1`` and then ``5,0.25`` of a table), both are left out.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from trainlens.chunk import Notice

_NEAR = 1 << 16
"""Bytes before an unfinished line that show how lines begin."""

_LONGEST = 1 << 20
"""An unfinished line longer than this is not judged but simply goes on."""

_BOM = b"\xef\xbb\xbf"
_TORN = "the last line has no end, and the next part does not go on with it; left out"
_EITHER = (
    "the last line has no end; whether the next part goes on with it cannot be told: "
    "left out with what stands there"
)
_BEGIN = re.compile(rb"[^\S\n]*[^\s,;|]*[\s,;|]?")
_PARTED = re.compile(rb"[\s,;|]")
_WHERE = re.compile(r", (bytes|lines?) (\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class _Stretch:
    """Where bytes of a part begin in the whole, and there."""

    start: int
    name: str
    own: int
    lines: int


class Spliced:
    """A growing file that holds the parts of a log.

    Parameters
    ----------
    path : Path
        It is written from its beginning.
    tables : bool
        Lines are told apart by their number of cells, not by how they begin.
    """

    def __init__(self, path: Path, tables: bool = False) -> None:
        self.path = path
        self.path.touch()
        self._tables = tables
        self._stretches: list[_Stretch] = []
        self._size = self._lines = 0
        self._name, self._own, self._fresh = "", 0, False
        self._loose, self._torn = b"", ("", 0)
        self._before = b""
        self._joined = False

    @property
    def waits(self) -> bool:
        """Whether the part must show its first line before anything of it can be taken."""
        return self._fresh and bool(self._loose)

    def begin(self, name: str) -> None:
        """Begin with a part."""
        self._name, self._own, self._fresh = name, 0, True

    def whole(self, name: str, pieces: Iterable[bytes]) -> list[Notice]:
        """Add a part that others follow; its unfinished line is kept back until they do."""
        self.begin(name)
        notices: list[Notice] = []
        held = b""
        for piece in pieces:
            held += piece
            cut = max(held.rfind(b"\n"), held.rfind(b"\r")) + 1
            if not cut and len(held) > _LONGEST:
                cut = len(held)
            if cut:
                notices += self.take(held[:cut])
                begin = held.find(b"\n") + 1 if self._joined else 0
                self._before, held = held[max(cut - _NEAR, begin) : cut], held[cut:]
                self._joined = False
        if self.waits:
            self._loose += held  # not even one line: that of the part before goes on
        elif held:
            notices += self.take(b"") if self._fresh else []
            self._loose, self._torn = held, (name, self._own)
        return notices

    def take(self, data: bytes) -> list[Notice]:
        """Add bytes of the part; the first ones hold its first line whole, where it `waits`."""
        notices: list[Notice] = []
        if self._fresh:
            skip = len(_BOM) if self._stretches and data.startswith(_BOM) else 0
            notices, more = self._settle(data[skip:])
            data, self._own = data[skip + more :], skip + more
            self._stretches.append(_Stretch(self._size, self._name, self._own, self._lines))
            self._fresh = False
        self._write(data)
        self._own += len(data)
        return notices

    def rest(self) -> None:
        """Nothing follows: the unfinished line is the last one."""
        loose, self._loose = self._loose, b""
        self._write(loose)

    def _settle(self, data: bytes) -> tuple[list[Notice], int]:
        """Decide what the unfinished line of the part before is, now that more is known.

        Returns
        -------
        notices : list of Notice
        skip : int
            How much of what follows is left out with it.
        """
        loose, self._loose = self._loose, b""
        first = data.partition(b"\n")[0]
        if loose and _is_whole(loose) and first.strip():
            loose += b"\n"
        elif loose and self._is_line(first):
            name, own = self._torn
            either = not _PARTED.search(loose) and self._is_line(loose + first)
            text = _EITHER if either else _TORN
            notice = Notice("torn-tail", f"{name}, bytes {own}-{own + len(loose)}", text, 1)
            return [notice], len(first) + 1 if either else 0
        else:
            self._joined = bool(loose and first.strip())
        self._write(loose)
        return [], 0

    def _is_line(self, line: bytes) -> bool:
        """Whether bytes look like a line from its beginning, as those before do."""
        known = {self._shape(seen) for seen in self._before.splitlines()[-64:] if seen.strip()}
        return bool(line.strip()) and self._shape(line) in known

    def _shape(self, line: bytes) -> bytes:
        if self._tables:
            return re.sub(rb"[^,;\t|]", b"", line)
        found = _BEGIN.match(line)
        return re.sub(rb"\d+", b"0", found[0]) if found else b""

    def _write(self, data: bytes) -> None:
        if not data:
            return
        with open(self.path, "ab") as file:
            file.write(data)
        self._size += len(data)
        self._lines += data.count(b"\n")

    def placed(self, notice: Notice) -> Notice:
        """A notice about the whole, with the part, and the place in it, where it names one."""
        where = notice.where
        found = _WHERE.match(where, len(self.path.name))
        if not found or not where.startswith(self.path.name) or not self._stretches:
            return notice
        by_bytes = found[1] == "bytes"
        starts = [s.start if by_bytes else s.lines for s in self._stretches]
        first = int(found[2])
        at = max(bisect.bisect_right(starts, first if by_bytes else first - 1) - 1, 0)
        stretch = self._stretches[at]
        shift = stretch.own - stretch.start if by_bytes else -stretch.lines
        span = "-".join(str(int(n) + shift) for n in found.groups()[1:] if n)
        beyond = at + 1 < len(starts) and int(found[3] or first) > starts[at + 1]
        name = f"{stretch.name} and the next part" if beyond else stretch.name
        return replace(notice, where=f"{name}, {found[1]} {span}{where[found.end() :]}")


def _is_whole(line: bytes) -> bool:
    """Whether a line without an end is certainly complete: a JSON object."""
    if line.rstrip()[-1:] != b"}":
        return False
    try:
        return isinstance(json.loads(line[line.find(b"{") :]), dict)
    except (ValueError, RecursionError):
        return False
