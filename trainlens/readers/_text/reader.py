"""Reads text logs line by line; see `trainlens.readers.text`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainlens.chunk import Chunk, Notice
from trainlens.readers._columns import Columns
from trainlens.readers._damage import Damage
from trainlens.readers._events import Events
from trainlens.readers._follow import TOO_LONG, Follow
from trainlens.readers._text.block import Block
from trainlens.readers._text.follow import Follower


class TextLog:
    """Reads a text log, each line exactly once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = Follow(path)
        self._damage = Damage(path.name)
        self._events = Events(path.name)
        self._follower = Follower(path, self._damage, self._events)
        self._points = 0
        self._config: dict[str, Any] = {}
        self._broken = False

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be opened.
        """
        columns: tuple[Columns, ...] = ()
        with self._file.reading():
            columns = self._read(final)
        found = sum((c.take() for c in columns), ())
        self._points += sum(len(c.value) for c in found)
        self._observe(final)
        config = {**self._follower.settings.found, **self._follower.planned}
        new = {k: v for k, v in config.items() if k not in self._config or self._config[k] != v}
        self._config.update(new)
        return Chunk(found, new, self._notices(final))

    def _notices(self, final: bool) -> tuple[Notice, ...]:
        return self._damage.take(final) + self._events.take(final) + self._file.take()

    def _read(self, final: bool) -> tuple[Columns, ...]:
        before: tuple[Columns, ...] = ()
        if not self._file.grown(final):
            return before
        if self._file.begins_anew():
            self._file.forget()
            before = (self._follower.points.take(),)
            self._follower, self._broken = Follower(self._path, self._damage, self._events), False
        self._pieces(final)
        if final:
            self._follower.finish()
        return (*before, self._follower.points.take())

    def _pieces(self, final: bool) -> None:
        """Read all complete lines; a carriage return ends a line as well."""
        for piece in self._file.tail.objects():
            if piece.oversize:
                self._damage.add("corrupt", TOO_LONG, piece.start, piece.end, 1)
                self._broken = True
                continue
            data = piece.data
            cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
            lines = data[:cut]
            self._zeros(piece.start, lines if cut or not final else data)
            if cut:
                self._follower.read(Block(piece.start, self._after_break(lines)))
                self._file.tail.advance(cut)
            elif final and piece.torn:
                if not self._broken:
                    self._follower.read_torn(Block(piece.start, data))
                self._file.tail.advance(len(data))

    def _zeros(self, start: int, data: bytes) -> None:
        """Name the lines with zero bytes: what a machine that crashed leaves."""
        at, done = data.find(b"\0"), 0
        while at >= 0:
            begin = max(done, data.rfind(b"\n", done, at) + 1, data.rfind(b"\r", done, at) + 1)
            done = min(e for e in (data.find(b"\n", at), len(data)) if e >= 0)
            what = "zero bytes in a line; what stands around them was read"
            self._damage.add("corrupt", what, start + begin, start + done, None)
            at = data.find(b"\0", done)

    def _after_break(self, data: bytes) -> bytes:
        """Without the rest of a line of which the beginning was passed over."""
        if not self._broken:
            return data
        self._broken = False
        ends = [at for at in (data.find(b"\n"), data.find(b"\r")) if at >= 0]
        # Blanks keep the places of what follows.
        return b" " * min(ends) + data[min(ends) :]

    def _observe(self, final: bool) -> None:
        """What the whole log is told about once."""
        follower = self._follower
        if follower.counter.assumed:
            self._file.note("assumed", follower.counter.assumed)
        if follower.nameless:
            self._file.note(
                "assumed", f"two columns without names, read as step and {follower.nameless}"
            )
        if follower.conflicts:
            what = "holds conflict markers of git; both sides are read, in their order"
            self._file.note("assumed", what)
        if follower.ranks.left_out:
            what = "several processes write into it; each metric is read of the first that tells it"
            self._file.note("assumed", f"{what} ({follower.ranks.told})", key=what)
        if final and follower.ranks.left_out:
            what = "values of other processes were left out"
            self._file.note("skipped", what, follower.ranks.left_out)
        if final and follower.points.crowded:
            what = "more than 5000 different names; what comes after them was left out"
            self._file.note("skipped", what, follower.points.crowded)
        if final and not self._points:
            self._file.note("empty", "no line with a step and a number")
