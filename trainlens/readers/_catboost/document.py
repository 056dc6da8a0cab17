"""``catboost_training.json``: what the run is, and one entry an iteration.

While CatBoost trains, the closing brackets of the document are overwritten by the next entry;
so everything up to the last complete entry is final, and nothing behind it. Entries hold no
object in themselves, so each is found on its own: a torn document loses what is torn.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from trainlens.readers._catboost.header import META, read_header
from trainlens.readers._catboost.rows import LAST, SEAM, Ascending, Cell, Gap, Row, Rows
from trainlens.readers._json.decode import decode_line
from trainlens.readers._lines import Tail
from trainlens.readers._values import number, whole

_ENTRY = re.compile(rb"\{[^{}]*\}")
_OPENS = re.compile(rb'"iterations"\s*:\s*\[')
_ANY_ENTRY = re.compile(rb'\{[^{}]*"iteration"\s*:')
_MOST = 1000
"""Metrics of a set; no training has more."""

_BETWEEN = b" \t\r\n,"
TIMES = ("passed_time", "remaining_time")


def looks_like(head: bytes) -> bool:
    """Whether the beginning of a file is that of a CatBoost training."""
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    told = sum(key in head for key in (b'"launch_mode"', b'"learn_metrics"', b'"iteration_count"'))
    return begin[:1] == b"{" and bool(META.search(head)) and told >= 2


class Document:
    """Reads the entries of a growing JSON log, each once.

    Parameters
    ----------
    tail : Tail
    """

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.meta: dict[str, Any] = {}
        self._begun = self._following = False
        self._keys: set[str] = set()
        self._admit = Ascending()

    def read(self, final: bool) -> Rows:
        """The entries that are new."""
        if not final and not self.tail.changed():
            return Rows()
        found: list[Row] = []
        gaps: list[Gap] = []
        for piece in self.tail.objects():
            if piece.oversize:
                what = "a stretch without a complete entry, passed over"
                gaps.append(Gap("corrupt", what, piece.start, piece.end, 1))
                continue
            begin = 0 if self._begun else self._header(piece.data, piece.start, gaps)
            if begin is None:
                if final and piece.torn:
                    gaps.append(_torn_start(piece.start, piece.end))
                continue
            end = self._entries(piece.data, piece.start, begin, found, gaps)
            if end > begin or begin:
                self._begun = True
                self.tail.advance(end)
            if final and piece.torn:
                gaps += _tail_gap(piece.data[end:], piece.start + end)
                self.tail.advance(len(piece.data) - end)
        return self._admit(found, gaps)

    def _header(self, data: bytes, start: int, gaps: list[Gap]) -> int | None:
        """Offset of the first entry, once it is there; takes what the document says of the run."""
        opens = _OPENS.search(data)
        entry = _ANY_ENTRY.search(data)
        if opens is None and entry is None:
            return None
        begin = opens.end() if opens is not None else 0
        if entry is not None and (opens is None or entry.start() < opens.start()):
            begin = entry.start()
        self.meta, damage, lost = read_header(data[:begin])
        if len(META.findall(data[:begin])) > 1:
            damage, lost = "the file begins more than once; what stood there before is gone", 1
        if damage:
            gaps.append(Gap("corrupt", damage, start, start + begin, lost))
        return begin

    def _entries(
        self,
        data: bytes,
        start: int,
        begin: int,
        found: list[Row],
        gaps: list[Gap],
    ) -> int:
        """Take the complete entries; the offset behind the last."""
        end = begin
        for match in _ENTRY.finditer(data, begin):
            between = data[end : match.start()]
            if between.strip(_BETWEEN):
                _add(gaps, _gap(between, start + end, start + match.start()))
            elif between.count(b",") != self._following:
                gaps.append(Gap("corrupt", SEAM, start + end, start + match.start(), 0))
            self._take(match.group(), start + match.start(), start + match.end(), found, gaps)
            end, self._following = match.end(), True
        return end

    def _take(self, data: bytes, start: int, end: int, found: list[Row], gaps: list[Gap]) -> None:
        entry = _decoded(data)
        iteration = whole(entry.get("iteration"))
        if iteration is None or not 0 <= iteration < LAST:
            _add(gaps, Gap("corrupt", "an entry that is not valid JSON", start, end, 1))
            return
        if not self._keys:
            sets = [self.meta.get("learn_sets"), self.meta.get("test_sets")]
            named = [name for names in sets if isinstance(names, list) for name in names]
            self._keys = {"iteration", *TIMES, *map(str, named)}
            if named and not entry.keys() <= self._keys:
                what = "an entry with a name that the beginning of the file does not know"
                _add(gaps, Gap("corrupt", what, start, end, 0))
            self._keys |= entry.keys()
        cells = dict(_cells({key: v for key, v in entry.items() if key in self._keys}))
        if not entry.keys() <= self._keys:
            what = "an entry with an unknown name; its other values were kept"
            _add(gaps, Gap("corrupt", what, start, end, 1))
        if any(isinstance(value, list) and len(value) > _MOST for value in entry.values()):
            what = f"an entry with more than {_MOST} values of a set; the first were kept"
            _add(gaps, Gap("skipped", what, start, end, 0))
        found.append(Row(start, end, iteration, cells))


def _decoded(data: bytes) -> dict[str, Any]:
    """An entry, empty where it is not valid JSON."""
    if b'"iteration"' not in data:
        return {}
    try:
        entry = orjson.loads(data)
    except orjson.JSONDecodeError:
        objects = decode_line(data).objects
        entry = objects[0] if len(objects) == 1 else None
    return entry if isinstance(entry, dict) else {}


def _add(gaps: list[Gap], gap: Gap) -> None:
    """Add a gap; those that follow one another are one."""
    last = gaps[-1] if gaps else None
    if last and (last.kind, last.what) == (gap.kind, gap.what) and gap.start - last.end <= 2:
        last.end, last.lost = gap.end, last.lost + gap.lost
    else:
        gaps.append(gap)


def _cells(entry: dict[str, Any]) -> list[tuple[Cell, float]]:
    found = []
    for key, value in entry.items():
        if key in TIMES and (seconds := number(value)) is not None:
            found.append((Cell("", key), seconds))
        elif isinstance(value, list):
            found += _of_set(key, value)
    return found


def _of_set(key: str, values: list[Any]) -> list[tuple[Cell, float]]:
    """Values of a set by metric; a list of lists holds one set each."""
    if values and isinstance(values[0], list):
        lists = [(key if not i else f"{key}{i}", v) for i, v in enumerate(values)]
        return [cell for name, v in lists if isinstance(v, list) for cell in _of_set(name, v)]
    numbers = [(i, number(v)) for i, v in enumerate(values[:_MOST])]
    return [(Cell(key, i), v) for i, v in numbers if v is not None]


def _gap(between: bytes, start: int, end: int) -> Gap:
    lost = max(between.count(b"{"), between.count(b"}"), 1)
    return Gap("corrupt", "a torn or damaged entry", start, end, lost)


def _torn_start(start: int, end: int) -> Gap:
    return Gap("torn-tail", "the file ends before the first entry", start, end, 0)


def _tail_gap(rest: bytes, start: int) -> list[Gap]:
    """What is wrong behind the last entry of a finished file."""
    body = rest.strip(_BETWEEN)
    if re.fullmatch(rb"\]\s*\}", body):
        return []
    lost = body.count(b"{")
    what = "an unfinished entry" if lost else "the closing brackets are missing"
    return [Gap("torn-tail" if lost else "unfinished", what, start, start + len(rest), lost)]
