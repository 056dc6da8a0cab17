"""TensorBoard event files made by numpy: all records of a block and their checksums at once.

The framing is that of TFRecord: length, its masked CRC-32C, data, its masked CRC-32C.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_START = 1.7e9  # wall time of the first record
_WIDTH = 4  # bytes of a step: a varint padded to them, which protobuf allows


@cache
def _table() -> NDArray[np.uint32]:
    """The 256 remainders of CRC-32C, polynomial 0x82F63B78 (reflected)."""
    value = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        value = np.where(value & 1, (value >> 1) ^ np.uint32(0x82F63B78), value >> 1)
    return value


def _masked(data: Bytes) -> Bytes:
    """Masked CRC-32C of each row, shape (n, 4), little-endian."""
    table, value = _table(), np.full(len(data), 0xFFFFFFFF, np.uint32)
    for column in data.T:
        value = table[(value ^ column) & 0xFF] ^ (value >> np.uint32(8))
    value = ~value
    turned = (value >> np.uint32(15)) | (value << np.uint32(17))
    return _bytes((turned + np.uint32(0xA282EAD8)).astype("<u4"))


def _bytes(values: NDArray[np.generic]) -> Bytes:
    """The bytes of each value, shape (n, size)."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)


def _framed(data: Bytes) -> Bytes:
    """Whole records of equal length, shape (n, 16 + length)."""
    length = _bytes(np.full(len(data), data.shape[1], "<u8"))
    return np.hstack([length, _masked(length), data, _masked(data)])


def _constant(text: bytes, rows: int) -> Bytes:
    return np.broadcast_to(np.frombuffer(text, np.uint8), (rows, len(text)))


def _steps(steps: NDArray[np.int64]) -> Bytes:
    """Varints of `_WIDTH` bytes each, for steps below 2^28."""
    parts = [(steps >> 7 * place) & 0x7F | (0x80 if place < _WIDTH - 1 else 0)
             for place in range(_WIDTH)]  # fmt: skip
    return np.stack(parts, axis=1).astype(np.uint8)


def _scalars(steps: NDArray[np.int64], values: NDArray[np.float32], tag: str) -> Bytes:
    """Event{wall_time, step, summary{value{tag, simple_value}}} of each step, framed."""
    name = tag.encode()
    value = b"\x0a" + bytes([len(name)]) + name + b"\x15"
    head = b"\x2a" + bytes([len(value) + 6]) + b"\x0a" + bytes([len(value) + 4]) + value
    rows = len(steps)
    parts = [_constant(b"\x09", rows), _bytes((_START + steps * 0.1).astype("<f8"))]
    parts += [_constant(b"\x10", rows), _steps(steps), _constant(head, rows), _bytes(values)]
    return _framed(np.hstack(parts))


def records(first: int, values: NDArray[np.float32], tags: Sequence[str]) -> bytes:
    """One record for each value, step by step.

    Parameters
    ----------
    first
        Step of the first row.
    values
        Shape (rows, tags), little-endian.
    tags
        Shorter than 100 bytes each.
    """
    steps = np.arange(first, first + len(values))
    columns = [_scalars(steps, values[:, place], tag) for place, tag in enumerate(tags)]
    return np.hstack(columns).tobytes()


def version_record(begun: float = _START) -> bytes:
    """The record that begins an event file, written at so many Unix seconds."""
    text = b"brain.Event:2"
    wall = np.array([begun], "<f8").tobytes()
    data = b"\x09" + wall + b"\x1a" + bytes([len(text)]) + text
    return _framed(_constant(data, 1)).tobytes()
