"""Whether the ends of a file look like a text log of a training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

from trainlens.readers._text.faults import crashed
from trainlens.readers._text.known import Known
from trainlens.readers._text.line import Line, Mark, Pair, decode
from trainlens.readers._text.tables import Tables
from trainlens.readers._values import known_split
from trainlens.roles import parse_name, role_of

_NO_LOG = frozenset(
    f".{end}"
    for ends in (
        "bat c cc cpp cu go h hpp java jl js proto ps1 py pyi r rs sh sql ts tsx vue",
        "bib cfg conf css csv diff htm html ini ipynb json jsonl lock md patch rst svg tex toml",
        "ckpt gz jpg npy npz pdf png pt pth tsv xml yaml yml zip",
    )
    for end in ends.split()
)
_NAMES = re.compile(r"^(readme|licen[sc]e|changelog|requirements|constraints|makefile)", re.I)
_ROW = re.compile(
    r"\s{0,40}(\d{1,15})[ \t]{1,40}"
    r"([+-]?(?:\d{1,30}\.\d{0,30}|\.\d{1,30}|\d{1,30}(?=[eE]))(?:[eE][+-]?\d{1,4})?"
    r"|[+-]?(?:nan|inf|NaN|Inf))\s{0,40}"
)
_LOOK_AT = 2000
_ANYWHERE = frozenset(
    {
        "other",
        "progress",
        "epoch",
        "system",
        "batch-time",
        "data-time",
        "throughput",
        "gpu-memory",
        "gpu-usage",
        "memory-limit",
        "memory-retries",
        "out-of-memory",
    }
)
_CRASHES = (b"Traceback", b"out of memory", b"OutOfMemory", b"Killed")
_RESULTS = frozenset({"result", "results", "score", "scores"})


def two_columns(text: str, name: str = "loss", split: str | None = None) -> Line | None:
    """A line of a step and a number and nothing else; None for other lines."""
    found = _ROW.fullmatch(text)
    if not found:
        return None
    value = found.group(2)
    marks = [Mark(*found.span(1), "step"), Mark(*found.span(2), "pair")]
    pairs = [Pair(name, float(value), value)]
    return Line(
        step=int(found.group(1)), split=split, pairs=pairs, telling=True, open_end=True, marks=marks
    )


def column_name(path: Path) -> tuple[str, str | None]:
    """Name and split of the numbers of a file without names, by the name of the file.

    ``eval_result.txt`` holds results of validation; where the name says nothing it is a loss.
    """
    words = [w for w in re.split(r"[^a-z0-9]+", path.stem.lower()) if w]
    found = {known_split(word) for word in words} & {"val", "test"}
    split = found.pop() if len(found) == 1 else None
    if any(word in _RESULTS for word in words):
        return "result", split
    metric = parse_name(path.stem)[0]
    return (metric if role_of(metric).name == "metric" else "loss"), split


def confidence(path: Path, begin: bytes, end: bytes) -> float:
    """Confidence in [0, 0.5] that a file is a text log.

    Parameters
    ----------
    path : Path
        Source code, documents and configurations are known by their names.
    begin, end : bytes
        As of a `Look`.
    """
    if path.suffix.lower() in _NO_LOG or _NAMES.match(path.name) or b"\0" in begin[:1024]:
        return 0.0
    texts = _lines(begin, end)
    first = next(texts, None)
    if first is None:
        return 0.0
    texts = chain((first,), texts)
    if two_columns(first):
        return _of_columns(list(texts))
    return _of_lines(texts, len(begin) < 4096) or _of_crash(begin, end)


def _of_lines(texts: Iterator[str], small: bool) -> float:
    found: list[Line] = []
    evidence = _Evidence()
    count = rows = 0
    for line, is_row in _understood(texts):
        count += 1
        rows += is_row
        if line is not None:
            found.append(line)
            evidence.add(line)
            if evidence.enough:
                return 0.5
    records = [line for line in found if _is_record(line)]
    if not any(map(_learns, found)):
        return 0.0
    if rows and records:
        return 0.4
    if records and len(records) == count and small and records[0].steps:
        return 0.4
    return 0.3 if _in_blocks(found) else 0.0


def _of_crash(begin: bytes, end: bytes) -> float:
    """A training that ended in an error before it said any number."""
    if not any(sign in part for sign in _CRASHES for part in (begin, end)):
        return 0.0
    texts = list(_lines(begin, end))
    if not crashed(texts):
        return 0.0
    lines = (line for line, _ in _understood(iter(texts)) if line is not None)
    # A bar without a label may count anything.
    return 0.3 if any(line.bar.strip("/0123456789") for line in lines) else 0.0


def _learns(line: Line) -> bool:
    """Whether a line tells more than time and memory: those many programs tell."""
    return any(role_of(parse_name(pair.name)[0]).name not in _ANYWHERE for pair in line.pairs)


def _is_record(line: Line) -> bool:
    return bool(line.placed and line.pairs and line.telling)


class _Evidence:
    """What lines have shown so far; more of them never takes it back."""

    def __init__(self) -> None:
        self._records = 0
        self._learns = False
        self._places: set[tuple[float | None, int | None]] = set()
        self._epoch: float | None = None

    def add(self, line: Line) -> None:
        self._learns = self._learns or _learns(line)
        # An epoch may stand on a line before.
        self._epoch = self._epoch if line.epoch is None else line.epoch
        if _is_record(line):
            self._records += 1
            self._places.add((self._epoch, line.step))

    @property
    def enough(self) -> bool:
        """Whether three lines with metrics name two different places or more."""
        return self._learns and self._records >= 3 and len(self._places) >= 2


def _understood(texts: Iterator[str]) -> Iterator[tuple[Line | None, bool]]:
    """What each line says, and whether that is a table's."""
    tables, known = Tables(), Known()
    for text in texts:
        taken, line = tables.feed(text)
        yield line or (None if taken else known.parse(text)), line is not None


def _lines(begin: bytes, end: bytes) -> Iterator[str]:
    """Lines of both ends; the second is taken apart only where the first did not suffice."""
    yield from _texts(begin)[:_LOOK_AT]
    yield from _texts(end)[-_LOOK_AT:]


def _texts(part: bytes) -> list[str]:
    lines = decode(part).replace("\r", "\n").split("\n")
    return [text for text in lines if text and not text.isspace()]


def _of_columns(texts: list[str]) -> float:
    rows = [row for row in map(two_columns, texts) if row]
    steps = [row.step or 0 for row in rows]
    rising = sum(b > a for a, b in pairwise(steps))
    if len(rows) >= 3 and len(rows) >= 0.9 * len(texts) and rising >= 0.8 * (len(rows) - 1):
        return 0.4
    return 0.0


def _in_blocks(found: list[Line]) -> bool:
    """An epoch or step on a line of its own, its metrics on the next ones, several times."""
    blocks, heading = 0, False
    for line in found:
        if line.placed:
            heading = not line.telling
        elif heading and line.telling and line.filled:
            blocks, heading = blocks + 1, False
    return blocks >= 2
