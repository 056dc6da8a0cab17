"""The protobuf wire format: the fields of one message, every bound checked.

Reference: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct

from trainlens.readers._tfevents.wire import (
    BYTES,
    END_GROUP,
    FIXED32,
    FIXED64,
    GROUP,
    GROUP_DEPTH,
    VARINT,
    Malformed,
    read_varint,
)

_WIDTH = {FIXED64: 8, FIXED32: 4}
_double = struct.Struct("<d").unpack_from

Field = tuple[int, int, int, int]
"""Number, wire type, and the range of its bytes; for a varint its value in place of the begin."""


def fields(data: bytes, at: int, end: int) -> list[Field]:
    """The fields of the message ``data[at:end]``, in order; groups are stepped over.

    Raises
    ------
    Malformed
        If a field does not fit.
    """
    found = []
    while at < end:
        key = data[at]
        at += 1
        if key > 127:
            key, at = read_varint(data, at - 1, end)
        wire = key & 7
        if wire == BYTES:
            size = data[at] if at < end else 128
            at += 1
            if size > 127:
                size, at = read_varint(data, at - 1, end)
            if size > end - at:
                raise Malformed
            found.append((key >> 3, BYTES, at, at + size))
            at += size
        elif wire == VARINT:
            value, at = read_varint(data, at, end)
            found.append((key >> 3, VARINT, value, at))
        elif wire == GROUP:
            at = _behind_group(data, at, end, key >> 3)
        else:
            behind = at + _width(wire, at, end)
            found.append((key >> 3, wire, at, behind))
            at = behind
        if key < 8 or key > 0xFFFFFFFF:
            raise Malformed
    return found


def _width(wire: int, at: int, end: int) -> int:
    width = _WIDTH.get(wire, 0)
    if not 0 < width <= end - at:
        raise Malformed
    return width


def _behind_group(data: bytes, at: int, end: int, number: int) -> int:
    opened = [number]
    while opened:
        key, at = read_varint(data, at, end)
        wire = key & 7
        if wire == GROUP:
            if len(opened) == GROUP_DEPTH:
                raise Malformed
            opened.append(key >> 3)
        elif wire == END_GROUP:
            if opened.pop() != key >> 3:
                raise Malformed
        elif wire == VARINT:
            _, at = read_varint(data, at, end)
        elif wire == BYTES:
            size, at = read_varint(data, at, end)
            if size > end - at:
                raise Malformed
            at += size
        else:
            at += _width(wire, at, end)
    return at


def signed(value: int) -> int:
    """An int32 or int64 from its varint: negative numbers are stored as their complement."""
    return value - (1 << 64) if value >> 63 else value


def zigzag(value: int) -> int:
    """An sint64 from its varint."""
    return value >> 1 ^ -(value & 1)


def double(data: bytes, at: int) -> float:
    """The float64 at an offset."""
    value: float = _double(data, at)[0]
    return value


def text(data: bytes, begin: int, end: int) -> str:
    """The string ``data[begin:end]``; bytes that are no UTF-8 are replaced."""
    return data[begin:end].decode("utf-8", "replace")
