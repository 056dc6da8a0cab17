"""Members of a zip archive that may be damaged, each checked by its own checksum.

A zip archive says twice what is in it: in a header before each member, and in a list at its end.
A cut archive has lost the list, a damaged one may have lost a header; whichever of the two leads
to bytes whose checksum holds is believed. No declared size is, before it is compared with the
bytes that are there.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

HEADER = b"PK\x03\x04"
END = b"PK\x05\x06"
LARGEST = 16 << 20
"""Bytes that a compressed member may expand to."""

_FIXED = struct.Struct("<4sHHHHHIIIHH")
_LISTED = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LIST = b"PK\x01\x02"
_LARGE_END = b"PK\x06\x06"
_PARTS = (HEADER, _LIST, _LARGE_END, END)
_STREAMED = 8
_STORED, _DEFLATED = 0, 8
_UNKNOWN = 0xFFFFFFFF
_LONGEST = 256
_EFFORT = 4


class Entry(NamedTuple):
    """A local header.

    Parameters
    ----------
    name : str
    start : int
        Offset of the header.
    begin, size : int
        Offset and length of the bytes as they are stored.
    full_size : int
        Length once expanded.
    method, crc : int
    streamed : bool
        Its sizes need not stand in the header.
    """

    name: str
    start: int
    begin: int
    size: int
    full_size: int
    method: int
    crc: int
    streamed: bool = False


class Member(NamedTuple):
    """A member: its bytes, None where `fault` says why they cannot be had."""

    entry: Entry
    data: bytes | None
    fault: str


def entry_at(data: bytes, at: int) -> Entry | None:
    """The local header at an offset, None where there is none."""
    if data[at : at + 4] != HEADER or len(data) < at + _FIXED.size:
        return None
    found = _FIXED.unpack_from(data, at)
    method, crc, size, full_size, name_size, extra_size = found[3], *found[6:]
    if name_size > _LONGEST or extra_size > _LONGEST:
        return None
    name = data[at + _FIXED.size : at + _FIXED.size + name_size]
    extra = data[at + _FIXED.size + name_size : at + _FIXED.size + name_size + extra_size]
    if len(name) < name_size or len(extra) < extra_size:
        return None
    if _UNKNOWN in (size, full_size):
        full_size, size = _large_sizes(extra) or (full_size, size)
    begin = at + _FIXED.size + name_size + extra_size
    streamed = bool(found[2] & _STREAMED)
    return Entry(name.decode("utf-8", "replace"), at, begin, size, full_size, method, crc, streamed)


def _large_sizes(extra: bytes) -> tuple[int, int] | None:
    """Full and stored size of a header in the long form, which numpy always writes."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == 1 and size >= 16 and at + 20 <= len(extra):
            full, stored = struct.unpack_from("<QQ", extra, at + 4)
            return full, stored
        at += 4 + size
    return None


def members(data: bytes, wanted: frozenset[str]) -> Iterator[Member]:
    """The wanted members of an archive, in order, damaged ones included.

    Parameters
    ----------
    data : bytes
        The archive, or what is left of it.
    wanted : frozenset of str
        Names; other members are passed over.
    """
    budget = _EFFORT * len(data) + LARGEST
    # Names are rarer than signatures, also in a file that means harm.
    names = re.compile(b"|".join(re.escape(name.encode()) for name in sorted(wanted)))
    places = [(match.start(), match.group()) for match in names.finditer(data)]
    for entry in (*_by_headers(data, places), *_by_list(data, places)):
        if budget <= 0:
            return
        member = _member(data, entry)
        if entry.begin + entry.size <= len(data):
            budget -= max(entry.size, min(entry.full_size, LARGEST))
        yield member


def _by_headers(data: bytes, places: list[tuple[int, bytes]]) -> Iterator[Entry]:
    """The members whose own headers are there."""
    for at, name in places:
        entry = entry_at(data, at - _FIXED.size) if at >= _FIXED.size else None
        if entry is not None and entry.name == name.decode():
            yield entry


def _by_list(data: bytes, places: list[tuple[int, bytes]]) -> Iterator[Entry]:
    """The members that the list at the end names."""
    for at, name in places:
        begin = at - _LISTED.size
        if begin < 0 or data[begin : begin + 4] != _LIST:
            continue
        found = _LISTED.unpack_from(data, begin)
        method, (crc, size, full_size, _), start = found[4], found[7:11], found[16]
        # How long the header's own extra field is, stands in the header alone.
        for extra in (*_extra_size(data, start), 20, 0):
            first = start + _FIXED.size + len(name) + extra
            yield Entry(name.decode(), start, first, size, full_size, method, crc)


def _extra_size(data: bytes, start: int) -> tuple[int, ...]:
    return struct.unpack_from("<H", data, start + 28) if start + 30 <= len(data) else ()


def stray(data: bytes) -> tuple[int, int] | None:
    """The first bytes that belong to no part of the archive; None where there are none."""
    at = 0
    while (entry := entry_at(data, at)) is not None:
        at = entry.begin + entry.size
        if entry.streamed:
            # Its length may stand behind it alone.
            at = _next(data, at)
    while data[at : at + 4] == _LIST and at + _LISTED.size <= len(data):
        found = _LISTED.unpack_from(data, at)
        at += _LISTED.size + sum(found[10:13])
    if data[at : at + 4] in (END, _LARGE_END):
        return None
    return at, _next(data, at + 1)


def _next(data: bytes, at: int) -> int:
    """Offset of the next part."""
    return min((p for sign in _PARTS if (p := data.find(sign, at)) >= 0), default=len(data))


def _member(data: bytes, entry: Entry) -> Member:
    if entry.begin + entry.size > len(data) or not entry.size:
        return Member(entry, None, "the file ends before its last byte")
    stored = data[entry.begin : entry.begin + entry.size]
    if entry.method == _STORED:
        full: bytes | None = stored
    elif entry.method == _DEFLATED and entry.full_size <= LARGEST:
        full = _inflate(stored, entry.full_size)
    elif entry.method == _DEFLATED:
        return Member(entry, None, "it would expand to more than 16 MiB")
    else:
        return Member(entry, None, f"compression method {entry.method} is not supported")
    if full is None or zlib.crc32(full) != entry.crc:
        return Member(entry, None, "its checksum does not hold")
    return Member(entry, full, "")


def _inflate(stored: bytes, full_size: int) -> bytes | None:
    try:
        full = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stored, full_size + 1)
    except zlib.error:
        return None
    return full if len(full) == full_size else None
