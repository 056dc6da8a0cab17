"""Saying what is wrong with a stretch of an event file, and how many records it cost."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import BinaryIO

import numpy as np

from trainlens.readers._tfevents.crc32c import Checksums, byte_table
from trainlens.readers._tfevents.fallback import FRAME, HEADER, RECORD_CAP, Range
from trainlens.run import Notice

DETAILED = 50
"""Stretches of a file that are named one by one in a poll; the rest are summed up."""
LOOKED_AT = 1 << 20
"""Bytes of a stretch that are read again to explain it."""


def header_length(data: bytes | bytearray, at: int) -> int | None:
    """Length that the frame at `at` declares, None where its checksum does not hold."""
    if at + HEADER > len(data):
        return None
    length, stored = struct.unpack_from("<QI", data, at)
    return length if _masked(data[at : at + 8]) == stored else None


@lru_cache(maxsize=1)
def _table() -> list[int]:
    found: list[int] = byte_table().tolist()
    return found


def _masked(data: bytes | bytearray) -> int:
    """Masked checksum of a few bytes: numpy would take longer."""
    table, state = _table(), 0xFFFFFFFF
    for byte in data:
        state = table[(state ^ byte) & 255] ^ (state >> 8)
    crc = state ^ 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def notices(file: BinaryIO, name: str, damage: list[Range], at_end: bool) -> list[Notice]:
    """Explain the stretches of a file that hold no intact record.

    Parameters
    ----------
    file : binary file
    name : str
        How to call it.
    damage : list of (begin, end)
        File offsets, ascending.
    at_end : bool
        The last stretch reaches the end of the file.

    Returns
    -------
    list of Notice, at most `DETAILED` + 1
    """
    out = []
    for index, (begin, end) in enumerate(damage[:DETAILED]):
        file.seek(begin)
        data = file.read(min(end - begin, LOOKED_AT))
        last = at_end and index == len(damage) - 1
        kind, message, lost = explain(data, end - begin, last)
        out.append(Notice(kind, f"{name}, bytes {begin}-{end}", message, lost))
    rest = damage[DETAILED:]
    if rest:
        size = sum(end - begin for begin, end in rest)
        where = f"{name}, bytes {rest[0][0]}-{rest[-1][1]}"
        message = f"{len(rest)} more damaged stretches, {size} bytes together, were skipped"
        out.append(Notice("corrupt", where, message, None))
    return out


def explain(data: bytes, size: int, last: bool) -> tuple[str, str, int | None]:
    """Kind of notice, message and records lost for a stretch without intact records.

    Parameters
    ----------
    data : bytes
        The stretch, or its beginning.
    size : int
        Bytes of the whole stretch.
    last : bool
        The file ends with it.
    """
    count, at = 0, 0
    while at < size:  # frames whose length can be trusted
        length = header_length(data, at)
        if length is None or at + FRAME + length > size:
            break
        count, at = count + 1, at + FRAME + length
    torn = last and _is_torn(data, at, size)
    if torn and not count:
        return "torn-tail", f"the last record is cut off after {size} bytes", 1
    lost = count + torn if torn or at == size else None
    if lost is None and not count and _one_frame(data, size):
        lost = 1
    return "corrupt", f"{_reason(data)}; skipped to the {_next(last)}", lost


def _next(last: bool) -> str:
    return "end of the file" if last else "next intact record"


def _is_torn(data: bytes, at: int, size: int) -> bool:
    """Whether the rest of the file from `at` on is the beginning of one record."""
    if 0 < size - at < HEADER:
        return True
    length = header_length(data, at)
    return length is not None and length <= RECORD_CAP and at + FRAME + length > size


def _one_frame(data: bytes, size: int) -> bool:
    """Whether the stretch is one frame with a damaged header."""
    if size < FRAME or len(data) < size:
        return False
    length, stored = struct.unpack_from("<QI", data)
    if length == size - FRAME or _masked((size - FRAME).to_bytes(8, "little")) == stored:
        return True
    view = np.frombuffer(data, np.uint8)
    ends = np.array([HEADER]), np.array([size - 4])
    return int(Checksums(view).masked(*ends)[0]) == int.from_bytes(data[-4:], "little")


def _reason(data: bytes) -> str:
    if not any(data[: 1 << 12]):
        return "a stretch of zero bytes"
    length = header_length(data, 0)
    if length is None:
        return "the checksum of a record's length does not match"
    if length > RECORD_CAP:
        return f"a record of {length} bytes is larger than the {RECORD_CAP} that are accepted"
    return "the checksum of a record does not match its data"
