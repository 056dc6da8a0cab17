"""Whether the ends of a file look like a text log of a training."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

from trainlens.readers._text.line import Line, clean, parse
from trainlens.readers.base import HEAD

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
    r"\s*(\d{1,15})[ \t]+([+-]?(?:\d+\.\d*|\.\d+|\d+(?=e))(?:e[+-]?\d+)?|[+-]?(?:nan|inf))\s*",
    re.IGNORECASE,
)
_LOOK_AT = 2000


def ends(path: Path) -> tuple[bytes, bytes]:
    """Beginning and end of a file, together at most `HEAD` bytes; the end empty if it is short."""
    with open(path, "rb") as file:
        begin = file.read(HEAD // 2)
        size = os.fstat(file.fileno()).st_size
        file.seek(max(len(begin), size - HEAD // 2))
        return begin, file.read(HEAD // 2)


def two_columns(text: str) -> Line | None:
    """A line of a step and a loss and nothing else; None for other lines."""
    found = _ROW.fullmatch(text)
    if not found:
        return None
    step, value = found.groups()
    pairs = [("loss", float(value))]
    return Line(step=int(step), pairs=pairs, telling=True, texts=[value], open_end=True)


def confidence(path: Path, begin: bytes, end: bytes) -> float:
    """Confidence in [0, 0.5] that a file is a text log.

    Parameters
    ----------
    path : Path
        Source code, documents and configurations are known by their names.
    begin, end : bytes
        See `ends`.
    """
    if path.suffix.lower() in _NO_LOG or _NAMES.match(path.name) or b"\0" in begin[:1024]:
        return 0.0
    texts = _texts(begin)[:_LOOK_AT] + _texts(end)[-_LOOK_AT:]
    if not texts:
        return 0.0
    if two_columns(texts[0]):
        return _of_columns(texts)
    found = [line for line in map(parse, texts) if line is not None]
    records = [line for line in found if line.placed and line.pairs and line.telling]
    placed = {(line.epoch, line.step) for line in records}
    if len(records) >= 3 and len(placed) >= 2:
        return 0.5
    if records and len(records) == len(texts) and len(begin) < 4096 and records[0].steps:
        return 0.4
    return 0.3 if _in_blocks(found) else 0.0


def _texts(part: bytes) -> list[str]:
    cleaned = [clean(raw) for raw in part.split(b"\n")]
    return [text for text in cleaned if text.strip()]


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
            heading = not line.pairs
        elif heading and line.telling and line.filled:
            blocks, heading = blocks + 1, False
    return blocks >= 2
