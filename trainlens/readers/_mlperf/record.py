"""What one line says: records of both MLPerf syntaxes, and what is left of torn ones.

``:::MLLOG {json}`` since v0.6, ``:::MLPv0.5.0 benchmark time (file:line) key: value`` before.
Ranks, time stamps and other output may stand before a mark, and several records on one line
where processes wrote at the same time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from trainlens.readers._values import number

MARK = re.compile(rb":::ML(?:LOG\b|P(?=v\d))")
_PLAIN, _MARK = b":::MLLOG ", b":::ML"
_ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]")
_OLD = re.compile(
    r"P?v[\w.]+[ \t]+(\S+)[ \t]+(\d{1,12}(?:\.\d{1,12})?)[ \t]+\((.{0,1000}?)\)[ \t]+"
    r"([A-Za-z_][\w./-]*)[ \t]*(?::(.*))?",
    re.DOTALL,
)
# What only a record holds: a line that has it but no whole mark was damaged. All repetitions
# are bounded, so that no line takes long.
_TRACE = re.compile(
    rb'"event_type": ?"(?:POINT|INTERVAL)|"lineno": ?\d{1,9}[,}]|\0'
    rb'|^[^{}]{0,400}\}\}\s*$|^[^{]{0,400}"value": ?[^{}]{0,400}\}\s*$'
    rb"|^\s{0,9}:{1,3}[A-Z]{2,5}v?\d|MLPv\d[\w.]{0,9} \S{1,64} \d|:::ML"
)
_BEGINS = re.compile(rb'^\s{0,9}\S{0,12}\s{0,9}\{"|v\d[\w.]{0,9} \S{1,64} \d|:::ML')
_TORN = "what is left of a damaged record, beside a record that was kept"
_BEHIND = "other output behind a record, which was kept, on its line"
_WHOLE_EVENTS = frozenset({"run_final"})
_OPENING = ("{", "[", '"')
_LONGEST_WORD = 1000
_TOP_LEVEL = frozenset(
    {"namespace", "time_ms", "event_type", "key", "value", "metadata", "file", "lineno"}
)


class Record(NamedTuple):
    """One event of a log.

    Parameters
    ----------
    key : str
    value : Any
        As decoded; None where there is none.
    wall_time : float
        Unix seconds; NaN where unknown.
    metadata : mapping
        What stands beside the value: epoch, step, samples, status.
    benchmark : str
        Where the line says it (the old syntax).
    """

    key: str
    value: Any = None
    wall_time: float = float("nan")
    metadata: Mapping[str, Any] = MappingProxyType({})
    benchmark: str = ""


class Found(NamedTuple):
    """What a line held.

    Parameters
    ----------
    records : list of Record
    marks : int
        Marks of records on the line; what they begin but no record ends is damaged.
    damage : str
        Empty where nothing is wrong.
    lost : int or None
        Records that are gone; None where that cannot be known.
    """

    records: list[Record]
    marks: int = 0
    damage: str = ""
    lost: int | None = 0


def plain(line: bytes) -> bytes:
    """A line without colours."""
    return _ESCAPE.sub(b"", line) if b"\x1b" in line else line


def read_line(line: bytes, torn: bool = False) -> Found:
    """The records of one line.

    Parameters
    ----------
    line : bytes
        Without colours and its line break.
    torn : bool
        The line has no line break: a value counts only where a bracket or quote closes it.
    """
    if line.startswith(_PLAIN) and line.find(_MARK, 1) < 0:
        # The commonest line at once: nothing but one record, which is UTF-8 or no JSON.
        record = _of_text(line[len(_PLAIN) :])
        if record is not None:
            return Found([record], 1)
    starts = [m.start() for m in MARK.finditer(line)]
    if not starts:
        return _damaged(line)
    records: list[Record] = []
    lost = 0
    said = _beside(line[: starts[0]], records)
    for begin, end in zip(starts, [*starts[1:], len(line)], strict=True):
        record, rest = _record(line[begin + 5 : end], torn and end == len(line))
        if record is None:
            lost += 1
        else:
            records.append(record)
            said = _beside(rest, records) or said or (_BEHIND if rest else "")
    if said == _TORN:
        lost += 1
    what = "a record that is torn or damaged" if lost else said or _odd_bytes(line)
    return Found(records, len(starts), what, lost)


def _beside(text: bytes, records: list[Record]) -> str:
    """What is wrong with text beside a record, on its line; a record in it is kept."""
    found = _damaged(text) if text else Found([])
    records += found.records
    return found.damage if found.records or not found.damage else _TORN


def _odd_bytes(line: bytes) -> str:
    try:
        line.decode()
    except UnicodeDecodeError:
        return "a record with bytes that are no text, kept as it can be read"
    return ""


def _damaged(line: bytes) -> Found:
    """A line without a whole mark: other output, or a record whose mark was hit."""
    if not _TRACE.search(line):
        return Found([])
    begin = line.find(b'{"')
    whole = _new(line[begin:].decode("utf-8", "replace")) if begin >= 0 else (None, b"")
    if whole[0] is not None:
        return Found([whole[0]], 1, "the mark of a record is damaged; the record was kept", 0)
    if _BEGINS.search(line):
        return Found([], 1, "a record that is torn or damaged", 1)
    return Found([], 1, "what is left of a damaged record", None)


def _of_text(text: bytes) -> Record | None:
    try:
        return _of_object(orjson.loads(text))
    except orjson.JSONDecodeError:
        return None


def _record(part: bytes, torn: bool) -> tuple[Record | None, bytes]:
    """The record behind ``:::ML`` and what follows it; None where it is not whole."""
    if b"\0" in part:
        return None, b""
    if part.startswith(b"LOG"):
        try:
            return _of_object(orjson.loads(part[3:])), b""
        except orjson.JSONDecodeError:
            return _new(part[3:].decode("utf-8", "replace"))
    return _old(part.decode("utf-8", "replace"), torn)


def _new(text: str) -> tuple[Record | None, bytes]:
    """A record whose object may be followed by other output, or hold NaN."""
    text = text.lstrip()
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None, b""
    return _of_object(value), text[end:].strip(" \t\r\n").encode()


def _of_object(found: Any) -> Record | None:
    if not isinstance(found, dict) or not isinstance(found.get("key"), str) or not found["key"]:
        return None
    if "value" not in found and found.get("event_type") == "POINT_IN_TIME":
        return None
    inner = found.get("metadata")
    metadata = {k: v for k, v in found.items() if k not in _TOP_LEVEL}
    metadata |= inner if isinstance(inner, dict) else {}
    milliseconds = number(found.get("time_ms"))
    seconds = float("nan") if milliseconds is None else milliseconds / 1000
    return Record(found["key"], found.get("value"), seconds, metadata)


def _old(text: str, torn: bool) -> tuple[Record | None, bytes]:
    found = _OLD.fullmatch(text.rstrip())
    if not found:
        return None, b""
    benchmark, seconds, _, key, rest = found.groups()
    rest = (rest or "").strip()
    if len(rest) > _LONGEST_WORD and not rest.startswith(_OPENING):
        return None, b""
    if torn and not (rest.endswith(("}", "]", '"')) if rest else key in _WHOLE_EVENTS):
        return None, b""
    value: Any
    try:
        value, end = _DECODER.raw_decode(rest) if rest.startswith(_OPENING) else _bare(rest)
    except (ValueError, RecursionError):
        return None, b""
    beside = value if isinstance(value, dict) else {}
    metadata = {k: v for k, v in beside.items() if k != "value"}
    if "value" in beside:
        value = beside["value"]
    record = Record(key, value, float(seconds), metadata, benchmark)
    return record, rest[end:].strip().encode()


def _bare(text: str) -> tuple[Any, int]:
    """A value without quotes (a number, true, false, null, a word, None for nothing), its end."""
    try:
        return (json.loads(text) if text else None), len(text)
    except (ValueError, RecursionError):
        return text, len(text)


_DECODER = json.JSONDecoder()
