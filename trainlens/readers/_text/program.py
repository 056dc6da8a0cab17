"""The pattern of a layout for the compiled matcher, and the lines that it found.

A program is a list of steps, each a byte for its kind and one for its size. No step ever gives
back what it took: what a program matches, the regular expression of the layout matches with the
same groups, but not the other way round.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from trainlens.chunk import Floats, Ints
from trainlens.readers._text.line import Mark

try:
    from trainlens.readers._text._native import match
except ImportError:  # no compiler when this was installed
    match = None  # type: ignore[assignment]

COMPILED = match is not None

_BLANKS, _DIGITS, _NUMBER, _BAR, _END = (bytes([kind, 0]) for kind in range(2, 7))
_SOME_BLANKS = bytes([2, 1])
_LITERAL, _DATE = 1, 11
_GROUPS = {"whole": bytes([7, 0]), "epoch": bytes([8, 0]), "strict": bytes([9, 0])}
_LIKE_REAL = bytes([10, 0])
_MOMENT = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:([.,])\d{1,9})?")

_NO_VALUES, _NO_STARTS = np.empty((0, 0)), np.empty(0, np.int64)


class Found(NamedTuple):
    """Lines of a layout.

    Parameters
    ----------
    data : bytes
        The lines, and others before and behind them.
    end : int
        Where they end.
    value : ndarray of float64, shape (groups, n)
        What the groups of each line hold: numbers, and dates as Unix seconds.
    start : ndarray of int64, shape (n,)
        Where the lines begin.
    """

    data: bytes
    end: int
    value: Floats
    start: Ints

    def line(self, i: int) -> str:
        """One of the lines, with its end."""
        end = self.end if i + 1 == len(self.start) else int(self.start[i + 1])
        return self.data[int(self.start[i]) : end].decode()


def find_lines(data: bytes, program: bytes, at: int, groups: int) -> Found:
    """The lines from a place on that follow a program, one behind the other."""
    rows, end, value, start = match(data, program, at)
    if not rows:
        return Found(data, end, _NO_VALUES, _NO_STARTS)
    table = np.frombuffer(value).reshape(groups, rows)
    return Found(data, end, table, np.frombuffer(start, np.int64))


def end_of_line() -> bytes:
    """Blanks and a line break."""
    return _END


def literal(text: str) -> bytes:
    """A text as it is."""
    data = text.encode()
    parts = [data[i : i + 255] for i in range(0, len(data), 255)]
    return b"".join(bytes([_LITERAL, len(part)]) + part for part in parts)


def between(pieces: list[str], grown: re.Pattern[str], before: str) -> bytes:
    """What `layout._between` makes of the same pieces."""
    parts = []
    for piece in pieces:
        if len(piece) > 1 and grown.match(piece):
            parts.append(literal(piece))
        elif piece[0].isdecimal() and piece.isascii():
            parts.append(_DIGITS if piece.isdecimal() else _NUMBER)
        elif piece[0] in " \t":
            parts.append(_SOME_BLANKS if before.isalnum() or before == "_" else _BLANKS)
        else:
            parts.append(literal(piece))
        before = piece[-1]
    return b"".join(parts)


def group(mark: Mark, text: str, strict: bool) -> bytes | None:
    """What `layout._group` makes of a mark; None where no step does that."""
    if mark.role == "name":
        names = re.split(r"([ \t]+)", text)
        return b"".join(_SOME_BLANKS if n[:1] in (" ", "\t") else literal(n) for n in names if n)
    if mark.role == "wall_time":
        found = _MOMENT.fullmatch(text)
        model = re.sub(r"\d", "0", text[:19]).encode()
        return bytes([_DATE, ord(found[1] or "\0")]) + model if found else None
    if mark.role == "fill":
        return _BAR
    if mark.role == "pair":
        if "," in text:
            return None
        return _GROUPS["strict"] if strict else _LIKE_REAL
    return _GROUPS["epoch" if mark.role == "epoch" else "whole"]


def squeeze(program: bytes) -> bytes:
    """The same program with neighbouring literals joined."""
    parts: list[bytes] = []
    at = 0
    while at < len(program):
        kind, size = program[at], program[at + 1]
        end = at + 2 + (size if kind == _LITERAL else 19 if kind == _DATE else 0)
        step, at = program[at:end], end
        last = parts[-1] if parts else b""
        if kind == _LITERAL and last[:1] == bytes([_LITERAL]) and len(last) + size - 2 < 256:
            parts[-1] = bytes([_LITERAL, len(last) - 2 + size]) + last[2:] + step[2:]
        else:
            parts.append(step)
    return b"".join(parts)
