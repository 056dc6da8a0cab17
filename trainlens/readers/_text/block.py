"""A piece of a text log: its lines, and where in the file they stand."""

from __future__ import annotations

import re

from trainlens.readers._text.line import decode

_BREAK = re.compile(r"[\r\n]")


class Block:
    """Complete lines; the states of a progress bar count as lines.

    Parameters
    ----------
    start : int
        Where in the file it begins.
    data : bytes
    """

    def __init__(self, start: int, data: bytes) -> None:
        self._data = data
        self._start = start
        self.text = decode(data)
        if not self.text.endswith(("\n", "\r")):
            self.text += "\n"
        self._bars = "\r" in self.text
        self._plain = self.text.isascii()
        self._char = self._byte = 0
        self._asked = 0
        self._line_start = 0

    def stop(self, at: int) -> int:
        """Where the line that begins at `at` ends."""
        if not self._bars:
            return self.text.index("\n", at)
        found = _BREAK.search(self.text, at)
        return found.start() if found else len(self.text)

    def byte(self, at: int) -> int:
        """Where a place stands in the text as UTF-8; ask for places in ascending order."""
        if self._plain:
            return at
        self._byte += len(self.text[self._char : at].encode())
        self._char = at
        return self._byte

    def reached(self, at: int, byte: int) -> None:
        """Note a place that is known to be at `byte`."""
        self._char, self._byte = at, byte

    def where(self, at: int) -> tuple[int, int]:
        """Bytes of the file that hold the line at a place; ask for places in ascending order."""
        for _ in range(self.text.count("\n", self._asked, at)):
            self._line_start = self._data.index(b"\n", self._line_start) + 1
        self._asked = max(self._asked, at)
        end = self._data.find(b"\n", self._line_start)
        end = len(self._data) if end < 0 else end
        return self._start + self._line_start, self._start + end
