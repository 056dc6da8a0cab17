"""A piece of a text log: its lines, and where in the file they stand."""

from __future__ import annotations

import re

from trainlens.readers._text.line import decode

try:
    from trainlens.readers._text._native import look
except ImportError:  # no compiler when this was installed
    look = None  # type: ignore[assignment]

_BREAK = re.compile(rb"[\r\n]")
_ODD, _CRLF = 1, 2
"""What the compiled look finds: control characters or bytes that are no text, and ``\\r\\n``."""


class Block:
    """Complete lines; the states of a progress bar count as lines.

    Parameters
    ----------
    start : int
        Where in the file it begins.
    data : bytes

    Attributes
    ----------
    data : bytes
        The lines as UTF-8, without what `decode` takes away, the last one with its end.
    """

    def __init__(self, start: int, data: bytes) -> None:
        self._raw = data
        self._start = start
        self.data = _clean(data)
        if not self.data.endswith((b"\n", b"\r")):
            self.data += b"\n"
        self._bars = b"\r" in self.data
        self._asked = 0
        self._line_start = 0

    def stop(self, at: int) -> int:
        """Where the line that begins at `at` ends."""
        if not self._bars:
            return self.data.index(b"\n", at)
        found = _BREAK.search(self.data, at)
        return found.start() if found else len(self.data)

    def text(self, at: int, stop: int) -> str:
        """The text between two places."""
        return self.data[at:stop].decode()

    def where(self, at: int) -> tuple[int, int]:
        """Bytes of the file that hold the line at a place; ask for places in ascending order."""
        for _ in range(self.data.count(b"\n", self._asked, at)):
            self._line_start = self._raw.index(b"\n", self._line_start) + 1
        self._asked = max(self._asked, at)
        end = self._raw.find(b"\n", self._line_start)
        end = len(self._raw) if end < 0 else end
        return self._start + self._line_start, self._start + end


def _clean(data: bytes) -> bytes:
    """The same as ``decode(data).encode()``, which most logs need not go through."""
    seen = _ODD if look is None else look(data)
    if seen & _ODD:
        return decode(data).encode()
    return data.replace(b"\r\n", b"\n") if seen & _CRLF else data
