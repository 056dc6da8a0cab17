"""The write-ahead log of RocksDB: what it holds, and what is left of a damaged one.

RocksDB stops at the first broken record and says nothing. So the records are counted here, the
count is compared with what RocksDB took over, and a damaged log is written anew (in a private
copy) from its whole records.

A log is a sequence of blocks of 32 KiB; a record lies in one piece, or in a first, some middle
and a last piece; each piece has a header of 7 bytes: masked CRC32C, length, kind. The content of
a record begins with a sequence number (8 bytes) and the count of its operations (4 bytes).
Source: the "Write Ahead Log File Format" page of the RocksDB wiki.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

BLOCK = 32768
HEADER = struct.Struct("<IHB")
BATCH = struct.Struct("<QI")
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
KINDS = (FULL, FIRST, MIDDLE, LAST)
JUNK, PADDING = -1, 0
_MASK_DELTA = 0xA282EAD8

# Wherever the seventh byte from here is the kind of a piece.
_HEADERS = re.compile(rb"(?=.{6}[\x01-\x04])", re.DOTALL)

Span = tuple[int, int]
Piece = tuple[int, int, int, bytes]
"""Start, end, kind and content of a piece, or of bytes that are none (`JUNK`, `PADDING`)."""


@dataclass
class WalScan:
    """What a walk through a log found.

    Parameters
    ----------
    records : list of bytes
        Contents of the complete records, in order.
    spans : list of (start, end)
        Their bytes in the file.
    broken : list of (start, end)
        Bytes that are no records, in the middle of the file.
    torn : (start, end) or None
        An unfinished record at the end of the file.
    """

    records: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    broken: list[Span] = field(default_factory=list)
    torn: Span | None = None

    @property
    def operations(self) -> int:
        """Writes and deletions in the complete records."""
        return sum(BATCH.unpack_from(r)[1] for r in self.records)


def scan(log: bytes, verify: bool = False, start: int = 0) -> WalScan:
    """Walk through a log.

    Parameters
    ----------
    log : bytes
        The whole file.
    verify : bool
        Compute every checksum (slow: about 3 MB/s), and look for the next whole piece behind
        one that fails, wherever it begins.
    start : int
        Where to begin: the end of a record.
    """
    found = WalScan()
    tail = start
    parts: list[bytes] = []
    pieces = _intact_pieces(log, start) if verify else _pieces(log, start)
    for at, end, kind, content in pieces:
        tail = end
        if kind == PADDING:
            continue
        if kind == JUNK:
            found.broken.append((start if parts else at, end))
            parts = []
        elif kind in (FULL, FIRST):
            if parts:
                found.broken.append((start, at))
            start, parts = at, [content]
        elif parts:
            parts.append(content)
        else:
            found.broken.append((at, end))
        if kind in (FULL, LAST) and parts:
            _keep(found, b"".join(parts), (start, end))
            parts = []
    whole = start if parts else tail
    if whole < len(log):
        found.torn = (whole, len(log))
    return found


def _keep(found: WalScan, record: bytes, span: Span) -> None:
    if len(record) >= BATCH.size:
        found.records.append(record)
        found.spans.append(span)
    else:
        found.broken.append(span)


def _pieces(log: bytes, at: int) -> Iterator[Piece]:
    size = len(log)
    while at < size:
        left = BLOCK - at % BLOCK
        if left < HEADER.size:
            at = min(at + left, size)
            yield at, at, PADDING, b""
            continue
        if at + HEADER.size > size:
            return
        _, length, kind = HEADER.unpack_from(log, at)
        end = at + HEADER.size + length
        if kind not in KINDS or HEADER.size + length > left:
            end = min(at + left, size)
            yield at, end, JUNK if any(log[at:end]) else PADDING, b""
        elif end > size:
            return
        else:
            yield at, end, kind, log[at + HEADER.size : end]
        at = end


def _intact_pieces(log: bytes, at: int) -> Iterator[Piece]:
    size = len(log)
    # Lengths that only look like lengths cost time: a hostile file gets no more than this.
    budget = 8 * size + 1_000_000
    while at + HEADER.size <= size:
        found = at
        for candidate in _HEADERS.finditer(log, at):
            found = candidate.start()
            stored, length, kind = HEADER.unpack_from(log, found)
            end = found + HEADER.size + length
            if end > size or budget < 0:
                continue
            budget -= length
            if stored == masked_crc(log[found + HEADER.size - 1 : end]):
                break
        else:
            # Nothing whole is left: a torn record, if it begins like one.
            kind = log[at + HEADER.size - 1]
            if kind not in KINDS:
                yield at, size, JUNK if any(log[at:]) else PADDING, b""
            return
        if found > at:
            yield at, found, JUNK if any(log[at:found]) else PADDING, b""
        yield found, end, kind, log[found + HEADER.size : end]
        at = end


def rewrite(records: list[bytes]) -> bytes:
    """A log that holds these records and nothing else."""
    out = bytearray()
    for record in records:
        rest, first = memoryview(record), True
        while first or rest:
            left = BLOCK - len(out) % BLOCK
            if left < HEADER.size:
                out += bytes(left)
                left = BLOCK
            piece, rest = rest[: left - HEADER.size], rest[left - HEADER.size :]
            kind = (FIRST if first else MIDDLE) if rest else (FULL if first else LAST)
            out += HEADER.pack(masked_crc(bytes([kind]) + piece), len(piece), kind) + piece
            first = False
    return bytes(out)


def masked_crc(data: bytes | memoryview) -> int:
    """CRC32C of data, rotated and offset as RocksDB stores it."""
    crc = 0xFFFFFFFF
    table = _table()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def variable_number(data: bytes, at: int) -> tuple[int, int]:
    """Decode a number of seven bits a byte, the lowest first; also where the next begins."""
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            break
    return value, at


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    # CRC32C (Castagnoli), reflected polynomial 0x82F63B78.
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)
