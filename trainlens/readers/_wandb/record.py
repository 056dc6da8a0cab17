"""What a record of W&B says: the kinds that matter here, out of about thirty.

Field numbers: ``wandb_internal.proto`` of the wandb package, 0.10 to 0.31. Output, files,
telemetry, artifacts and the like are told by their number alone and never decoded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from trainlens.readers._tfevents.wire import BYTES, FIXED64, VARINT, Malformed
from trainlens.readers._wandb.wire import Field, double, fields, signed, text, zigzag

HISTORY, SUMMARY, CONFIG, STATS, TENSORBOARD, METRIC = 2, 3, 5, 7, 9, 12
RUN, EXIT = 17, 18
USED = frozenset({HISTORY, SUMMARY, CONFIG, STATS, TENSORBOARD, METRIC, RUN, EXIT})

ITEM = 0x0A
"""Key of an item of the history."""
NAME_KEYS = b"\x0a\x12"
"""Keys of the name of an item, as a whole or as the first part of a path."""
VALUE_KEYS = [bytes([0x82, 0x01, size]) for size in range(128)]
"""Key and length of the JSON text of an item, by that length."""

Path = tuple[str, ...]

_DEEPEST = 64
"""Names of a nested value that are kept."""


class Content(NamedTuple):
    """A record: its running number (0 in old logs), its kind and the range of its message."""

    num: int
    kind: int
    begin: int
    end: int


class Item(NamedTuple):
    """A value of a history, summary, configuration or reading, as JSON text."""

    path: Path
    raw: bytes


def content(data: bytes, at: int, end: int) -> Content:
    """What kind of record ``data[at:end]`` is; kind 0 for those that are passed over.

    Raises
    ------
    Malformed
        If it is no protobuf message.
    """
    num, kind, begin, stop = 0, 0, at, at
    for number, wire, a, b in fields(data, at, end):
        if number == 1 and wire == VARINT:
            num = a
        elif number in USED and wire == BYTES:
            kind, begin, stop = number, a, b
    return Content(num, kind, begin, stop)


def items(data: bytes, found: list[Field], number: int = 1) -> Iterator[Item]:
    """The items among the fields of a history, summary, configuration or reading."""
    for tag, wire, at, end in found:
        if tag == number and wire == BYTES:
            yield _item(data, at, end)


@lru_cache(maxsize=4096)
def _path(name: bytes) -> Path:
    return (name.decode("utf-8", "replace"),)


def _item(data: bytes, at: int, end: int) -> Item:
    if end - at > 4:
        # The commonest item at once: one name, then JSON text, both shorter than 128 bytes.
        begin = at + 2 + data[at + 1]
        size = end - begin - 3
        short = data[at] in NAME_KEYS and data[at + 1] < 128 and 0 <= size < 128
        if short and data[begin : begin + 3] == VALUE_KEYS[size]:
            return Item(_path(data[at + 2 : begin]), data[begin + 3 : end])
    names: list[str] = []
    raw = b""
    for number, wire, a, b in fields(data, at, end):
        if number == 16 and wire == BYTES:
            raw = data[a:b]
        elif number in (1, 2) and wire == BYTES:
            name = text(data, a, b)
            if number == 1:
                names = [name]
            elif len(names) < _DEEPEST:
                names.append(name)
        else:
            raw = _typed(data, number, wire, a, b) or raw
    return Item(tuple(names), raw)


def _typed(data: bytes, number: int, wire: int, a: int, b: int) -> bytes:
    """JSON text of a value that is stored by its type, as newer versions may do."""
    if number == 3 and wire == VARINT:
        return b"null"
    if number == 4 and wire == VARINT:
        return b"true" if a else b"false"
    if number == 5 and wire == VARINT:
        return b"%d" % zigzag(a)
    if number == 6 and wire == FIXED64:
        return repr(double(data, a)).encode()
    if number == 7 and wire == BYTES:
        return json.dumps(text(data, a, b)).encode()
    return data[a:b] if number == 8 and wire == BYTES else b""


def removed(data: bytes, found: list[Field]) -> Iterator[Path]:
    """Paths that a configuration or summary drops."""
    return (item.path for item in items(data, found, 2))


def decoded(raw: bytes) -> Any:
    """The value of JSON text; text that is no JSON stands for itself."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "replace")


def seconds(data: bytes, at: int, end: int) -> float:
    """Unix seconds of a Timestamp message."""
    whole = nanos = 0
    for number, wire, a, _ in fields(data, at, end):
        if wire == VARINT and number == 1:
            whole = signed(a)
        elif wire == VARINT and number == 2:
            nanos = signed(a)
    return whole + nanos * 1e-9


def exit_code(data: bytes, at: int, end: int) -> int:
    """Exit code of a run; absent is 0."""
    code = 0
    for number, wire, a, _ in fields(data, at, end):
        if number == 1 and wire == VARINT:
            code = signed(a)
    return code


class Definition(NamedTuple):
    """What `define_metric` was told: a name or a glob, and the metric to draw it over."""

    name: str
    glob: str
    step_metric: str


def definition(data: bytes, at: int, end: int) -> Definition:
    """A metric definition."""
    said = {n: text(data, a, b) for n, wire, a, b in fields(data, at, end) if wire == BYTES}
    return Definition(said.get(1, ""), said.get(2, ""), said.get(4, ""))


__all__ = [
    "CONFIG",
    "EXIT",
    "HISTORY",
    "ITEM",
    "METRIC",
    "NAME_KEYS",
    "RUN",
    "STATS",
    "SUMMARY",
    "TENSORBOARD",
    "VALUE_KEYS",
    "Content",
    "Definition",
    "Item",
    "Malformed",
    "content",
    "decoded",
    "definition",
    "exit_code",
    "items",
    "removed",
    "seconds",
]
