"""One metric of the file store: a growing file of lines ``timestamp value step``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from trainlens.chunk import Floats, Notice
from trainlens.readers._columns import Columns, Key
from trainlens.readers._damage import Damage
from trainlens.readers._lines import Piece, Tail
from trainlens.readers._mlflow.about import unix_times
from trainlens.readers._mlflow.stepless import ZeroSteps
from trainlens.words import plural

_NUMBER = rb"[+-]?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|nan|inf(?:inity)?)"
_BREAK = rb"(?=[ \t]|\r?$)"
# Letters of UTF-8, not the bytes that damage leaves.
_LETTER = rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
_NO_NUMBER = rb"[ \t]+(?!" + _NUMBER + _BREAK + rb")"
_WORD = _NO_NUMBER + rb"(?:[\x21-\x7e]|" + _LETTER + rb")+" + _BREAK
_RUN = _NO_NUMBER + rb"[a-z\d][\w-]{7,255}" + _BREAK
_DIGEST = rb"(?:[ \t]+[\da-f]{8}" + _BREAK + rb"|" + _WORD + rb")"
# Behind the step may stand a run, and a data set with its digest, of which only the digest may look
# like a number: numbers there are another line that lost its beginning.
_LINE = re.compile(
    rb"^(-?\d{1,18})[ \t]+(" + _NUMBER + rb")"
    rb"(?:[ \t]+(-?(?:0|[1-9]\d{0,17}))"
    rb"(?:" + _RUN + rb")?(?:" + _WORD + _DIGEST + rb")?)?[ \t]*\r?$",
    re.MULTILINE | re.IGNORECASE,
)


class MetricFile:
    """Reads one file of ``metrics/``, each line exactly once.

    Lines of the first versions of MLflow have no step; their number counts. So it does where
    nothing but step 0 was ever logged.

    Parameters
    ----------
    path : Path
    name : str
        Name of the metric.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._without = False
        self._zeros = ZeroSteps()
        self._tail = Tail(path)
        self._key = Key(name, kind="system" if name.startswith("system/") else "")
        self._label = f"metrics/{name}"
        self._damage = Damage(self._label)
        self._rows = 0
        self._notices: list[Notice] = []

    @property
    def assumed(self) -> bool:
        """Whether the numbers of the lines count as steps."""
        return self._without or self._zeros.counted

    def poll(self, columns: Columns, final: bool) -> list[Notice]:
        """Add what is new to `columns`.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be opened.
        """
        if final or self._tail.changed():
            if self._tail.offset and self._tail.replaced():
                text = "the file was replaced or cut; read anew from its beginning"
                self._notices.append(Notice("replaced", self._label, text))
                self._rows = 0
                self._zeros = ZeroSteps()
            for piece in self._tail.lines(final):
                self._take(piece, columns)
        notices, self._notices = self._notices, []
        return [*notices, *self._damage.take(final)]

    def _take(self, piece: Piece, columns: Columns) -> None:
        if piece.oversize:
            self._damage.add("corrupt", "a line too long, passed over", piece.start, piece.end, 1)
            return
        if piece.torn:
            # "0.12" may be the beginning of "0.125", and step 1 that of 10.
            if piece.data.strip():
                what = "the last line has no end; it was left out"
                self._damage.add("torn-tail", what, piece.start, piece.end, 1)
            return
        rows = _LINE.findall(piece.data)
        if len(rows) < piece.data.count(b"\n"):
            self._name_odd_lines(piece)
        if rows:
            self._add(rows, columns)

    def _add(self, rows: list[tuple[bytes, bytes, bytes]], columns: Columns) -> None:
        stamp, value, step = zip(*rows, strict=True)
        if b"" in step:
            self._without = True
            step = tuple(s or b"%d" % i for i, s in enumerate(step, self._rows))
        self._rows += len(rows)
        steps = np.array(list(map(int, step)), np.int64)
        columns.add(
            self._key,
            steps if self._without else self._zeros(steps),
            _floats(value),
            unix_times(_floats(stamp)),
        )

    def _name_odd_lines(self, piece: Piece) -> None:
        at = begin = piece.start
        odd = 0
        for line in piece.data.split(b"\n"):
            if _LINE.match(line):
                self._name(odd, begin, at)
                odd = 0
            elif line and not line.isspace():
                begin = begin if odd else at
                odd += 1
            at += len(line) + 1
        self._name(odd, begin, piece.end)

    def _name(self, odd: int, begin: int, end: int) -> None:
        if odd:
            what = f"{plural(odd, 'line')}: no time, value and step there; passed over"
            self._damage.add("corrupt", what, begin, end, odd)


def _floats(texts: tuple[bytes, ...]) -> Floats:
    return np.array(list(map(float, texts)), np.float64)
