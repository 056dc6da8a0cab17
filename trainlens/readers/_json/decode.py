"""JSON objects out of bytes that may be damaged.

The usual block of clean lines is decoded in one call. Where that fails, lines are taken one by
one, and a line that is no object is searched for complete objects: two glued records, a record
behind a torn one, a record behind a stretch of zeros.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

from trainlens import schema
from trainlens.readers._json.python import as_json, is_python, parse_python
from trainlens.readers._values import STEP_KEYS

Object = dict[str, Any]

AROUND = "text around a record, which was kept"
"""What is said of a line that holds more than its record."""

_TOKENS = (b"NaN", b"Infinity", b"-Infinity")
_LOOSE = re.compile(rb"([:\[,]\s*)([+-]?(?:nan|inf(?:inity)?))(?=\s*[,}\]])", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_OPENING = re.compile(r'\{\s*"')
_BETWEEN = b" \t\r\n\0,[]"
_TEXT = bytes([9, 10, 13, 27, *range(32, 127), *range(128, 256)])
_PADDING = b" \t\r\n\0\x0b\x0c"
_BOM = b"\xef\xbb\xbf"
_EFFORT = 64
_FAILURES = 1000
"""How many times the length of a damaged line may be looked at in search of objects, and how
many beginnings of one may come to nothing."""


class Found(NamedTuple):
    """What a line that is not simply one object held.

    Parameters
    ----------
    objects : list of dict
        Complete records.
    damage : str
        What is wrong with it; empty where nothing is.
    lost : int or None
        Records that are gone; None where that cannot be known.
    """

    objects: list[Object]
    damage: str
    lost: int | None


Report = Callable[[int, int, Found], None]
"""Called with first offset, offset behind the last byte and what was found, for odd lines."""


def decode_lines(data: bytes, start: int, report: Report) -> list[Object]:
    """All objects of a piece of lines, in order.

    Parameters
    ----------
    data : bytes
        Complete lines.
    start : int
        Offset of `data` in its file.
    report : callable
        Told about every line that is not simply one object.
    """
    rows = _decode_clean(data)
    return list(_decode_each(data, start, report)) if rows is None else rows


def quote_non_finite(data: bytes) -> bytes:
    """Turn values NaN, Infinity and -Infinity of objects into strings, which orjson accepts.

    Inside a string the added quotes end it before a bare word, which no parser accepts: a text
    that holds such a token makes the line fall back to the slow way, never changes its meaning.
    """
    for token in _TOKENS:
        if token in data:
            for lead in (b": ", b":"):
                data = data.replace(lead + token, lead + b'"' + token + b'"')
    return data


def _decode_clean(data: bytes) -> list[Object] | None:
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    data = data.strip(b" \t\r\n")
    if not data:
        return []
    breaks = data.count(b"\n")
    # Every line break stands between two objects, so the lines form one array.
    if data[:1] != b"{" or data.count(b"}\n{") != breaks:
        return None
    if is_python(data):
        data = as_json(data) or data
    try:
        rows = orjson.loads(b"[" + quote_non_finite(data.replace(b"}\n{", b"},{")) + b"]")
    except orjson.JSONDecodeError:
        return None
    return rows if len(rows) == breaks + 1 else None


def _decode_each(data: bytes, start: int, report: Report) -> Iterator[Object]:
    at = start
    # Only "\n" ends a line: bytes.splitlines would also end one at a lone "\r".
    for line in data.split(b"\n"):
        end = min(at + len(line) + 1, start + len(data))
        if line.strip():
            found = decode_line(line)
            if found.damage:
                report(at, end, found)
            yield from found.objects
        at = end


def decode_line(line: bytes) -> Found:
    """The objects of one line."""
    try:
        value = orjson.loads(quote_non_finite(line))
    except orjson.JSONDecodeError:
        return _recover(line)
    if isinstance(value, dict):
        return Found([value], "", 0)
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return Found(value, "", 0)
    return Found([], "no JSON object, passed over", 0)


def _recover(line: bytes) -> Found:
    body = line.strip(_PADDING).removeprefix(_BOM)
    if not body:
        return Found([], "a stretch of zero bytes", None)
    if is_python(body):
        converted = as_json(body)
        if converted is not None:
            return decode_line(converted) if converted != body else _recover_json(line, body)
        if (value := parse_python(body)) is not None:
            return Found([value], "", 0)
    return _recover_json(line, body)


def _recover_json(line: bytes, body: bytes) -> Found:
    if b"{" not in body and b'":' not in body:
        return _foreign(body)
    objects, around = _objects_and_rest(body)
    if not objects and (loose := _LOOSE.sub(rb'\1"\2"', quote_non_finite(body))) != body:
        objects, around = _objects_and_rest(loose)
    if objects and not around:
        zeros = "zero bytes around a record, which was kept"
        return Found(objects, zeros if b"\0" in line else _odd_bytes(body), 0)
    if objects and b"{" not in around and b'"' not in around:
        return Found(objects, AROUND, 0)
    if objects:
        return Found(objects, "a torn record, glued to records that were kept", 1)
    if body.startswith(schema.TORN_END):
        return Found([], "", 0)  # no record was lost with it
    return Found([], "a record that is not valid JSON", 1)


def _odd_bytes(body: bytes) -> str:
    """What is said of a record that is only readable where bytes are let pass."""
    try:
        clean = not _CONTROL.search(body.decode())
    except UnicodeDecodeError:
        clean = False
    return "" if clean else "a record with bytes that are no text, kept as it can be read"


def _objects_and_rest(body: bytes) -> tuple[list[Object], bytes]:
    found = scan(body)
    return found.objects, b"".join([*found.gaps, body[found.end :].strip(_BETWEEN)])


def _foreign(body: bytes) -> Found:
    start = body[:200]
    odd = start.translate(None, _TEXT)
    if len(odd) * 10 > len(start) or b"\0" in start:
        return Found([], "bytes that are no text", None)
    return Found([], "no JSON, passed over", 0)


class Scan(NamedTuple):
    """Objects in bytes of any content.

    Parameters
    ----------
    objects : list of dict
        Complete records, in order.
    end : int
        Offset behind the last of them, 0 without any.
    gaps : list of bytes
        What stands before and between them and does not belong there.
    """

    objects: list[Object]
    end: int
    gaps: list[bytes]


def scan(data: bytes, array: bool = False) -> Scan:
    """Search bytes for complete records, side by side in any way.

    Parameters
    ----------
    data : bytes
    array : bool
        Whether a comma may stand between records; else it stands between parts of a record.
    """
    inner = b"[:" if array else b"[:,"
    # One character a byte: positions are offsets, and all of JSON's own signs are ASCII.
    text = data.decode("latin-1")
    objects: list[Object] = []
    gaps: list[bytes] = []
    budget, failures = _EFFORT * len(text) + 4096, 0
    end, at = 0, 0
    while (opening := _OPENING.search(text, at)) and budget > 0 and failures < _FAILURES:
        first = opening.start()
        stop = _object_end(text, first)
        budget -= abs(stop) - first
        gap = data[end:first].strip(_BETWEEN)
        if (
            stop > 0
            and (value := _load(data[first:stop])) is not None
            and (
                not gap
                or _is_record(
                    value, data[max(0, first - 80) : first], data[stop : stop + 80], inner
                )
            )
        ):
            objects.append(value)
            gaps += [gap] if gap else []
            end = at = stop
        else:
            at = first + 1
            failures += 1
    return Scan(objects, end, gaps)


def _object_end(text: str, at: int) -> int:
    """Offset behind the object at `at`; where there is none, minus how far it was looked at."""
    try:
        return _DECODER.raw_decode(text, at)[1]
    except json.JSONDecodeError as error:
        return -max(error.pos, at + 1)
    except (ValueError, RecursionError):
        # A number of thousands of digits; nesting without end.
        return -len(text)


def _load(data: bytes) -> Object | None:
    value: Object
    try:
        value = orjson.loads(quote_non_finite(data))
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data.decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError):
            return None
    return value


def _is_record(value: Object, before: bytes, after: bytes, inner: bytes) -> bool:
    # What stands behind a torn record may be an inner part of that very record.
    part = before[-80:].rstrip()[-1:] in inner and after[:80].strip() != b""
    return not part and any(key.lower() in STEP_KEYS or key == "epoch" for key in value)


_DECODER = json.JSONDecoder(strict=False)
