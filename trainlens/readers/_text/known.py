"""What lines say, found out once for all lines of a shape: most files repeat a few of them.

Two lines are of one shape where they differ only in digits that are no part of a name, or in long
numbers within names. Then `parse` says the same of both, but for the numbers themselves; so its
answer counts for the second line too where no number is asked for: nothing, or names without a
place.
"""

from __future__ import annotations

import re

from trainlens.readers._text.line import Line
from trainlens.readers._text.parse import parse

_ZEROS = str.maketrans("123456789", "000000000")
_IN_NAME = re.compile(r"(?<=[^\W\d])[/.@-]*\d[\d/.@-]*")
_LONG = re.compile(r"\d{3,}")
_COUNTS = re.compile(r"step|iter|update|up\.", re.IGNORECASE)
"""Behind such a word 3.0 is a step, but 3.5 is none."""

_MOST = 4096
_LONGEST_SHAPE = 500


class Known:
    """Remembers what lines said that have no place."""

    def __init__(self) -> None:
        self._said: dict[str, Line | None] = {}

    def parse(self, text: str) -> Line | None:
        """As the function `parse`; the numbers of a line without a place may be those of another.

        Parameters
        ----------
        text : str
        """
        shape = _shape(text)
        if shape in self._said:
            return self._said[shape]
        inner = Line()
        line = parse(text, inner)
        same = inner.fixed and (line is None or (line.fixed and not line.placed))
        if same and len(self._said) < _MOST and not _COUNTS.search(text):
            self._said[shape] = line
        return line


class Silent:
    """Remembers the shapes of lines that say nothing."""

    def __init__(self) -> None:
        self._shapes: set[str] = set()

    def parse(self, text: str) -> Line | None:
        """As the function `parse`.

        Parameters
        ----------
        text : str
        """
        if len(text) > _LONGEST_SHAPE:
            return parse(text)
        shape = _shape(text)
        if shape in self._shapes:
            return None
        inner = Line()
        line = parse(text, inner)
        if line is None and inner.fixed and len(self._shapes) < _MOST and not _COUNTS.search(text):
            self._shapes.add(shape)
        return line


def _shape(text: str) -> str:
    """The line with zeros for all digits that say nothing."""
    zeros = text.translate(_ZEROS)
    parts: list[str] = []
    done = 0
    for found in _IN_NAME.finditer(text):
        start, end = found.span()
        inner = found.group()
        if end - start > 2:
            inner = _LONG.sub(_as_zeros, inner)
        parts += (zeros[done:start], inner)
        done = end
    return "".join(parts) + zeros[done:] if parts else zeros


def _as_zeros(found: re.Match[str]) -> str:
    return "0" * (found.end() - found.start())
