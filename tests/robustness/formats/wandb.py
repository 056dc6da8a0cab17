"""The log of W&B: history in items, configuration, output; one record runs over a block's end."""

from __future__ import annotations

import json
import random
import struct
import zlib
from pathlib import Path

from tests.robustness.formats._tfrecord import message, whole
from tests.robustness.truth import Log, LogFile, Point, Record

FORMAT = "wandb"
NAME = "run-abc12345.wandb"
FOLDER = "run-20240101_000000-abc12345"
MAGIC = b":W&B\xe1\xbe\x00"
BLOCK = 1 << 15
FULL, FIRST, MIDDLE, LAST = range(1, 5)


def chunked(records: list[bytes], at: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Records as chunks in blocks, and the bytes of each."""
    out, spans = bytearray(), []
    for record in records:
        left = BLOCK - (at + len(out)) % BLOCK
        if left < 7:
            out += bytes(left)
            spans[-1] = (spans[-1][0], at + len(out))
        begin, rest, kind = len(out), record, FULL
        while True:
            room = BLOCK - (at + len(out)) % BLOCK - 7
            part, rest = rest[:room], rest[room:]
            kind = (FIRST if rest else FULL) if kind == FULL else (MIDDLE if rest else LAST)
            crc = zlib.crc32(bytes([kind]) + part)
            out += struct.pack("<IHB", crc, len(part), kind) + part
            if not rest:
                break
        spans.append((at + begin, at + len(out)))
    return bytes(out), spans


def _item(key: str, value: object) -> bytes:
    return message(1, message(1, key.encode()) + message(16, json.dumps(value).encode()))


def write(folder: Path, rng: random.Random) -> Log:
    """A run of 30 to 50 rows, with a config and lines of output between them."""
    run = message(1, b"abc12345") + message(3, b"project")
    bodies: list[tuple[bytes, tuple[Point, ...]]] = [
        (message(17, run), ()),
        (message(5, _item("lr", 0.1)), ()),
        (message(4, message(3, rng.randbytes(29_000))), ()),
    ]
    for i in range(rng.randint(30, 50)):
        loss, acc = rng.uniform(0, 9), rng.random()
        items = {"loss": loss, "val/acc": acc, "_step": i, "_timestamp": 1.7e9 + i}
        row = b"".join(_item(k, v) for k, v in items.items()) + message(2, whole(1, i))
        points = (Point("loss", None, i, loss), Point("val/acc", None, i, acc))
        bodies.append((message(2, row), points))
        if rng.random() < 0.2:
            bodies.append((message(4, message(3, rng.randbytes(rng.randint(5, 90)))), ()))
    bodies.append((message(18, whole(1, 0)), ()))
    raw, spans = chunked([whole(1, n + 1) + body for n, (body, _) in enumerate(bodies)], len(MAGIC))
    records = (
        Record(0, len(MAGIC)),
        *(Record(*span, p) for span, (_, p) in zip(spans, bodies, strict=True)),
    )
    data = MAGIC + raw
    (folder / FOLDER).mkdir(exist_ok=True)
    (folder / FOLDER / NAME).write_bytes(data)
    return Log(FORMAT, (LogFile(f"{FOLDER}/{NAME}", data, "checksummed", records),), FOLDER)


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Chunks that never end, records that never begin, items without end."""

    def log(*bodies: bytes) -> bytes:
        return MAGIC + chunked(list(bodies), len(MAGIC))[0]

    def chunk(kind: int, part: bytes) -> bytes:
        return struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part

    deep = b"1"
    row = message(2, message(1, message(1, b"a") + message(16, b"1")) + message(2, whole(1, 1)))
    names = b"".join(_item(f"k{i}", i) for i in range(40_000))
    nested = b"[" * 900_000
    return {
        "tiny": log(*[row] * 30_000),
        "names": log(message(2, names + message(2, whole(1, 1)))),
        "nested": log(message(2, message(1, message(1, b"a") + message(16, nested)))),
        "firsts": MAGIC + chunk(FIRST, deep) * 130_000,
        "middles": MAGIC + chunk(MIDDLE, deep) * 130_000,
        "empty": MAGIC + chunk(FULL, b"") * 149_000,
        "headers": MAGIC + struct.pack("<IHB", 1, 32_761, FULL) * 149_000,
        "varints": log(b"\xff" * 1_000_000),
        "deep-message": log(message(2, message(1, message(2, b"x") * 300_000))),
    }
