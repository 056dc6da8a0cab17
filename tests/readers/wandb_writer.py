"""Writes `.wandb` files byte by byte, for tests: messages, chunks, blocks."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

MAGIC = b":W&B\xe1\xbe\x00"
BLOCK = 32768


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(tag: int, value: int) -> bytes:
    return varint(tag << 3) + varint(value)


def blob(tag: int, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return varint(tag << 3 | 2) + varint(len(data)) + data


def items(values: Mapping[Any, Any], tag: int = 1) -> bytes:
    """Items of a history or the like; a tuple as key is a nested key, bytes are raw JSON."""
    out = b""
    for key, value in values.items():
        path = b"".join(blob(2, k) for k in key) if isinstance(key, tuple) else blob(1, key)
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        out += blob(tag, path + blob(16, raw))
    return out


def record(kind: int, message: bytes, num: int = 0) -> bytes:
    return (number(1, num) if num else b"") + blob(kind, message) + blob(200, blob(1, "abc123"))


def history(values: Mapping[Any, Any], step: int | None = None, num: int = 0) -> bytes:
    place = b"" if step is None else blob(2, number(1, step) if step else b"")
    return record(2, items(values) + place, num)


def summary(values: Mapping[Any, Any], num: int = 0) -> bytes:
    return record(3, items(values), num)


def config(update: Mapping[Any, Any], remove: Iterable[str] = (), num: int = 0) -> bytes:
    dropped = b"".join(blob(2, blob(1, key)) for key in remove)
    return record(5, items(update) + dropped, num)


def stats(values: Mapping[Any, Any], when: float, num: int = 0) -> bytes:
    stamp = number(1, int(when)) + number(2, round(when % 1 * 1e9))
    return record(7, blob(2, stamp) + items(values, 3), num)


def metric(name: str = "", glob: str = "", step_metric: str = "", num: int = 0) -> bytes:
    said = {1: name, 2: glob, 4: step_metric}
    return record(12, b"".join(blob(tag, text) for tag, text in said.items() if text), num)


def run(name: str = "", config: Mapping[str, Any] | None = None, num: int = 0) -> bytes:
    message = blob(1, "abc123") + blob(3, "proj") + (blob(4, items(config)) if config else b"")
    message += blob(8, name) if name else b""
    message += blob(10, "tag-a") + blob(10, "tag-b") + blob(13, "host")
    return record(17, message + blob(17, number(1, 1_700_000_000)) + blob(21, blob(2, "c0ffee")))


def end(code: int, num: int = 0) -> bytes:
    return record(18, number(1, code) if code else b"", num)


def chunk(kind: int, payload: bytes) -> bytes:
    crc = zlib.crc32(bytes([kind]) + payload)
    return struct.pack("<IHB", crc, len(payload), kind) + payload


class Log(NamedTuple):
    """A file, and where each of its records stands: begin of its first, end of its last chunk."""

    data: bytes
    spans: list[tuple[int, int]]


def log(records: Iterable[bytes]) -> Log:
    """The file that W&B would have written."""
    data, spans = bytearray(MAGIC), []
    for payload in records:
        left = BLOCK - len(data) % BLOCK
        data += bytes(left) if left < 7 else b""
        begin, at = len(data), 0
        while True:
            room = BLOCK - len(data) % BLOCK - 7
            part, rest = payload[at : at + room], len(payload) - at > room
            kind = (2 if at == 0 else 3) if rest else (1 if at == 0 and len(data) == begin else 4)
            data += chunk(kind, part)
            at += len(part)
            if not rest:
                break
        spans.append((begin, len(data)))
    return Log(bytes(data), spans)
