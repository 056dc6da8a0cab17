"""The protobuf wire format in Python: the fields of a message, every bound checked.

Reference: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)
GROUP_DEPTH = 64
_WORD = (1 << 64) - 1


class Malformed(Exception):
    """The bytes are no protobuf message."""


class Field(NamedTuple):
    """One field: its raw number, or the place of its bytes within the buffer."""

    number: int
    wire: int
    value: int
    begin: int
    end: int


def read_varint(data: bytearray | bytes, at: int, end: int) -> tuple[int, int]:
    """A variable-length number and the offset behind it.

    Raises
    ------
    Malformed
        If it is cut off or longer than 10 bytes.
    """
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & _WORD, at
    raise Malformed


def fields(data: bytearray | bytes, at: int, end: int) -> Iterator[Field]:
    """The fields of the message ``data[at:end]``; groups are stepped over.

    Raises
    ------
    Malformed
        At the first field that does not fit.
    """
    while at < end:
        number, wire, at = _key(data, at, end)
        if wire == GROUP:
            at = _behind_group(data, at, end, number)
            continue
        field = _payload(data, at, end, number, wire)
        at = field.end
        yield field


def _key(data: bytearray | bytes, at: int, end: int) -> tuple[int, int, int]:
    key, at = read_varint(data, at, end)
    if key > 0xFFFFFFFF or key < 8:
        raise Malformed
    return key >> 3, key & 7, at


def _payload(data: bytearray | bytes, at: int, end: int, number: int, wire: int) -> Field:
    if wire == VARINT:
        value, behind = read_varint(data, at, end)
        return Field(number, wire, value, at, behind)
    if wire == BYTES:
        size, at = read_varint(data, at, end)
        if size > end - at:
            raise Malformed
        return Field(number, wire, 0, at, at + size)
    width = {FIXED64: 8, FIXED32: 4}.get(wire)
    if width is None or end - at < width:
        raise Malformed
    return Field(number, wire, int.from_bytes(data[at : at + width], "little"), at, at + width)


def _behind_group(data: bytearray | bytes, at: int, end: int, number: int) -> int:
    opened = [number]
    while opened:
        number, wire, at = _key(data, at, end)
        if wire == GROUP:
            if len(opened) == GROUP_DEPTH:
                raise Malformed
            opened.append(number)
        elif wire == END_GROUP:
            if opened.pop() != number:
                raise Malformed
        else:
            at = _payload(data, at, end, number, wire).end
    return at
