"""Event files as TensorBoard reads them: a text and images, without TensorFlow or torch.

Records are framed as TFRecord frames them (length, checksum, bytes, checksum) and hold messages of
``event.proto`` and ``summary.proto``; the numbers below are those of their fields.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from trainlens.readers._tfevents.crc32c import Checksums

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_STRING = 7
"""``DT_STRING`` of TensorFlow."""
_COLOURS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Channels by the kind of colour that the head of a PNG names."""


def file(values: Sequence[bytes], step: int, now: float) -> bytes:
    """A whole event file.

    Parameters
    ----------
    values : sequence of bytes
        What `text` and `image` gave.
    step : int
        At which they stand.
    now : float
        Unix time of all.
    """
    summary = b"".join(_bytes(1, value) for value in values)
    time = _key(1, _FIXED64) + struct.pack("<d", now)
    begin = time + _bytes(3, b"brain.Event:2")
    return _framed(begin) + _framed(time + _number(2, step) + _bytes(5, summary))


def text(tag: str, markdown: str) -> bytes:
    """A value that the text tab shows.

    Parameters
    ----------
    tag, markdown : str
    """
    shape = _bytes(2, _number(1, 1))
    tensor = _number(1, _STRING) + _bytes(2, shape) + _bytes(8, markdown.encode("utf-8"))
    plugin = _bytes(1, _bytes(1, b"text"))
    return _bytes(1, tag.encode("utf-8")) + _bytes(8, tensor) + _bytes(9, plugin)


def image(tag: str, png: bytes) -> bytes:
    """A value that the image tab shows.

    Parameters
    ----------
    tag : str
    png : bytes
        A PNG file.
    """
    width, height, _, colour = struct.unpack_from(">IIBB", png, 16)
    size = _number(1, height) + _number(2, width) + _number(3, _COLOURS[colour])
    return _bytes(1, tag.encode("utf-8")) + _bytes(4, size + _bytes(4, png))


def _framed(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return length + _checksum(length) + record + _checksum(record)


def _checksum(data: bytes) -> bytes:
    ends = np.array([0], np.int64), np.array([len(data)], np.int64)
    (found,) = Checksums(np.frombuffer(data, np.uint8)).masked(*ends)
    return struct.pack("<I", int(found))


def _bytes(field: int, data: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
