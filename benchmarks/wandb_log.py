"""Writes the log of a W&B run: chunks in blocks, as LevelDB lays out its journals."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.logs import NAMES, curves

_MAGIC = b":W&B\xe1\xbe\x00"
_BLOCK, _HEADER = 32768, 7
_HISTORY, _EXIT = 2, 18
"""Numbers of the messages for a row of the history and for the end of the run."""


def write_wandb(path: Path, rows: int, metrics: int = 3, *, seed: int = 0) -> Path:
    """A finished run with `metrics` values a row, beside step, runtime and time."""
    log = Growing()
    data = b"".join(map(log.row, range(rows), curves(rows, metrics, seed).tolist()))
    path.write_bytes(data + log.end(rows))
    return path


class Growing:
    """The bytes of a log in the order in which a run writes them."""

    def __init__(self) -> None:
        self._size = 0

    def row(self, step: int, values: Sequence[float]) -> bytes:
        """What one more row of values adds, with the beginning of the file if it is the first."""
        place = {"_step": step, "_runtime": step * 0.25, "_timestamp": 1.7e9 + step * 0.25}
        written = {**dict(zip(NAMES, values, strict=False)), **place}
        return self._add(_record(_HISTORY, _history(written, step), step + 1))

    def end(self, rows: int) -> bytes:
        """What the end of the run adds behind so many rows."""
        return self._add(_record(_EXIT, b"", rows + 1))

    def _add(self, record: bytes) -> bytes:
        # Only where in its block a record begins matters to how it is laid out.
        before = self._size % _BLOCK
        data = bytearray(before) if self._size else bytearray(_MAGIC)
        _append(data, record)
        new = bytes(data[before:])
        self._size += len(new)
        return new


def _history(values: Mapping[str, float], step: int) -> bytes:
    items = (_blob(1, _blob(1, k.encode()) + _blob(16, json.dumps(v).encode()))
             for k, v in values.items())  # fmt: skip
    return b"".join(items) + _blob(2, _number(1, step))


def _record(kind: int, message: bytes, number: int) -> bytes:
    return _number(1, number) + _blob(kind, message)


def _append(data: bytearray, record: bytes) -> None:
    """Put a record behind others, in as many chunks as it needs; none crosses a block."""
    at, first = 0, True
    while first or at < len(record):
        room = _BLOCK - len(data) % _BLOCK
        if room < _HEADER:
            data += bytes(room)
            room = _BLOCK
        part = record[at : at + room - _HEADER]
        at += len(part)
        last = at == len(record)
        kind = bytes([(1 if last else 2) if first else (4 if last else 3)])
        data += struct.pack("<IH", zlib.crc32(kind + part), len(part)) + kind + part
        first = False


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _blob(tag: int, data: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(data)) + data
