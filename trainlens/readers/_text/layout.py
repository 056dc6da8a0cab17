"""Lines of the same layout: logs repeat a line with other numbers, so it is learnt once.

A layout is the pattern of a line in which every number that `parse` understood is a group and
everything else stays as it is, but for the numbers that mean nothing and the width of blanks.
Lines that fit it are split into columns without being understood again; any other line goes the
long way. What `parse` makes of a line must not depend on the numbers themselves: it says so by
``Line.fixed``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields

import numpy as np

from trainlens.chunk import Floats
from trainlens.readers._text.line import LONGEST, Line, Mark, Pair
from trainlens.readers._text.program import between, end_of_line, group, squeeze
from trainlens.readers._values import unix_seconds

_LIKE_REAL = r"([+-]?[\d.][\d.eE+-]{0,38}|[+-]?(?:nan|NaN|inf))"
"""Quick, and mostly right: what it takes must still be a number."""

_REAL = (
    r"([+-]?(?:\d{1,16}(?:\.\d{0,24})?|\.\d{1,24})(?:[eE][+-]?\d{1,4})?|[+-]?(?:[nN]a[nN]|nan|inf))"
)
_THOUSANDS = r"([+-]?\d{1,3}(?:,\d{3}){1,5}(?:\.\d{1,24})?)"
_WHOLE = r"(\d{1,15})"
_EPOCH = r"(\d{1,9}(?:\.\d{1,20})?)"
_ODD = r"(?:\d+\.\d+|\.\d+|\d+(?:\.\d+)?[eE][+-]?\d+)(?:\.\d+)+"
"""Two numbers grown together (``8.02.51``), an address, a version."""

_PIECE = re.compile(rf"{_ODD}|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[ \t]+|.", re.DOTALL)
_GROWN = re.compile(_ODD)
_DIGITS = re.compile(r"[\d.]+(?:e[+-]\d+)?|[ \t]+")
_ZONE = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
_MOST = 12
"""Layouts that are tried on a line."""

_TRIES = 200
"""Layouts that are learnt from one file."""

_SIGHTS = 4
_PIECES = 400


class Layout:
    """One layout.

    Parameters
    ----------
    line : Line
        What `parse` made of a line.
    text : str
        That line.
    """

    def __init__(self, line: Line, text: str) -> None:
        # A copy: the line itself is given its place in the run after this.
        self._said = {f.name: getattr(line, f.name) for f in fields(line)}
        self.split = line.split
        self.rank = line.rank
        self.bar = line.bar
        marks = [m for m in sorted(line.marks) if m.role not in ("name", "fill")]
        self.roles = [m.role for m in marks]
        pairs = iter(range(len(line.pairs)))
        self.pair_of = [next(pairs) if role == "pair" else -1 for role in self.roles]
        self.pairs = line.pairs
        self._model = sorted(line.marks), text
        self._pattern = _pattern(*self._model)
        self.program = _program(*self._model, strict=False)
        self.match: Callable[[str, int], re.Match[str] | None] = re.compile(self._pattern).match

    def at(self, role: str) -> int | None:
        """Which group holds a field; None where the line does not have it."""
        return self.roles.index(role) if role in self.roles else None

    def harden(self) -> None:
        """From now on match numbers only."""
        self.match = re.compile(self._pattern.replace(_LIKE_REAL, _REAL)).match
        self.program = _program(*self._model, strict=True)

    def values(self, texts: list[tuple[str, ...]]) -> list[Floats]:
        """The numbers of each pair, in the order of the groups.

        Raises
        ------
        ValueError
            If some text is no number: `harden` the layout.
        """
        columns = zip(texts, self.pair_of, strict=True)
        return [reals(column) for column, pair in columns if pair >= 0]

    @property
    def batches(self) -> bool:
        """Whether many such lines can be placed at once: training lines that say where."""
        placed = "step" in self.roles or "epoch" in self.roles
        return placed and not self.bar and self.split in (None, "train") and not self.rank

    def of_text(self, text: str) -> Line:
        """The line that a text with its end stands for, which is known to match."""
        found = self.match(text, 0)
        assert found is not None
        return self.line(found.groups())

    def line(self, groups: tuple[str, ...]) -> Line:
        """The line that the groups of a match stand for."""
        line = Line(**self._said)
        line.pairs, line.marks, line.wall_time = list(self.pairs), [], None
        for role, pair, text in zip(self.roles, self.pair_of, groups, strict=True):
            if pair >= 0:
                name, _, _, unit, split = self.pairs[pair]
                line.pairs[pair] = Pair(name, real(text), text, unit, split)
            elif role == "wall_time":
                line.wall_time = unix_seconds(text)
            else:
                setattr(line, role, float(text) if role == "epoch" else int(text))
        return line


class Layouts:
    """The layouts of a file; each is learnt when lines like it come again and again."""

    def __init__(self) -> None:
        self.known: list[Layout] = []
        self._seen: dict[str, int] = {}
        self._tries = 0

    def prefer(self, at: int) -> None:
        """Try this layout first from now on."""
        self.known.insert(0, self.known.pop(at))

    def learn(self, line: Line, text: str) -> None:
        """Take notice of a line that was understood the long way."""
        if not line.fixed or line.clash or line.damaged or not line.placed or not line.pairs:
            return
        if self._tries >= _TRIES or len(text) > LONGEST:
            return
        # A damaged line is no sight of the others: it has other names, or other axes.
        held = [m.role for m in line.marks], [p.name for p in line.pairs]
        key = f"{_DIGITS.sub('0', text)}\n{held}"
        if len(self._seen) > 1000:
            self._seen.clear()
        self._seen[key] = self._seen.get(key, 0) + 1
        if self._seen[key] == _SIGHTS:
            self._tries += 1
            if len(_PIECE.findall(text)) > _PIECES * 4 or len(line.pairs) > 90:
                return
            self.known.insert(0, Layout(line, text))
            del self.known[_MOST:]


def _pattern(marks: list[Mark], text: str) -> str:
    text = text.rstrip()
    parts, at = [], 0
    for mark in marks:
        if mark.start < at:
            continue
        parts.append(_between(text[at : mark.start], text[at - 1 : at]))
        parts.append(_group(mark, text[mark.start : mark.end]))
        at = mark.end
    parts.append(_between(text[at:], text[at - 1 : at]))
    return "".join(parts) + r"[ \t]{0,200}[\r\n]"


def _program(marks: list[Mark], text: str, strict: bool) -> bytes:
    """The same for the compiled matcher; empty where it has no step for some part."""
    text = text.rstrip()
    parts, at = [], 0
    for mark in marks:
        if mark.start < at:
            continue
        parts.append(between(_PIECE.findall(text[at : mark.start]), _GROWN, text[at - 1 : at]))
        step = group(mark, text[mark.start : mark.end], strict)
        if step is None:
            return b""
        parts.append(step)
        at = mark.end
    parts.append(between(_PIECE.findall(text[at:]), _GROWN, text[at - 1 : at]))
    return squeeze(b"".join(parts)) + end_of_line()


def _between(text: str, before: str) -> str:
    """Pattern of a stretch without meaning."""
    parts = []
    for piece in _PIECE.findall(text):
        if len(piece) > 1 and _GROWN.match(piece):
            # As it is: else a damaged line would make the layout of all lines, without a group.
            parts.append(re.escape(piece))
        elif piece[0].isdecimal() and piece.isascii():
            parts.append(
                r"\d{1,15}(?:\.\d{1,24})?(?:[eE][+-]?\d{1,4})?" if _is_real(piece) else r"\d{1,15}"
            )
        elif piece[0] in " \t":
            # Behind a letter or a number a blank divides; elsewhere it only fills.
            parts.append(r"[ \t]{1,99}" if before.isalnum() or before == "_" else r"[ \t]{0,99}")
        else:
            parts.append(re.escape(piece))
        before = piece[-1]
    return "".join(parts)


def _is_real(piece: str) -> bool:
    return not piece.isdecimal()


def _group(mark: Mark, text: str) -> str:
    if mark.role == "name":
        # Digits belong to a name; blanks behind it only fill.
        return re.sub(r"(?:\\[ \t]|[ \t])+", r"[ \\t]{1,99}", re.escape(text))
    if mark.role == "wall_time":
        body, point, _ = re.sub(r"\d", "0", text[:19]), text[19:20], text[20:]
        fraction = rf"{re.escape(point)}\d{{1,9}}" if point in (".", ",") else ""
        rest = re.sub(r"^[.,]\d+", "", text[19:])
        zone = re.sub("0", r"\\d", re.escape(re.sub(r"\d", "0", rest)))
        return "(" + re.sub("0", r"\\d", re.escape(body)) + fraction + zone + ")"
    if mark.role == "fill":
        # The bar itself: its percentage and what it is drawn with.
        return r"[ \t]{0,9}\d{1,3}(?:\.\d{1,9})?%[ \t]?\|[^|\r\n]{0,500}\|[ \t]{0,8}"
    if mark.role == "epoch":
        return _EPOCH
    if mark.role == "pair":
        return _THOUSANDS if "," in text else _LIKE_REAL
    return _WHOLE


def real(text: str) -> float:
    """The number of a text."""
    return float(text.replace(",", "") if "," in text else text)


def reals(texts: tuple[str, ...]) -> Floats:
    """The numbers of n texts, shape (n,); a ValueError where one is none."""
    if "," in texts[0]:
        texts = tuple(text.replace(",", "") for text in texts)
    return np.array(list(map(float, texts)), np.float64)


def moments(texts: tuple[str, ...]) -> Floats:
    """Unix seconds of n dates, shape (n,); NaN where a text is none."""
    if not _ZONE.search(texts[0], 19):
        plain = "\n".join(texts).replace("/", "-").replace(",", ".").split("\n")
        try:
            stamps = np.array(plain, "datetime64[us]")
        except ValueError:
            pass  # no date of the calendar, or more digits than numpy takes: one by one
        else:
            return stamps.astype(np.int64) / 1e6
    found = [unix_seconds(text) for text in texts]
    return np.array([np.nan if f is None else f for f in found], np.float64)
