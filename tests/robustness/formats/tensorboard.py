"""TensorBoard event files: plain and tensor scalars, hyperparameters, texts, an image."""

from __future__ import annotations

import random
import struct
from pathlib import Path

from tests.robustness.formats._tfrecord import (
    double,
    frame,
    masked,
    message,
    single,
    varint,
    whole,
)
from tests.robustness.truth import Log, LogFile, Point, Record

FORMAT = "tensorboard"
NAME = "events.out.tfevents.1700000000.host.1.0"


def _float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def _event(wall: float, step: int, *values: bytes) -> bytes:
    summary = b"".join(message(1, v) for v in values)
    return frame(double(1, wall) + whole(2, step) + message(5, summary))


def _simple(tag: str, value: float) -> bytes:
    return message(1, tag.encode()) + single(2, value)


def _tensor(tag: str, value: float) -> bytes:
    scalars = message(9, message(1, message(1, b"scalars")) + whole(4, 1))
    tensor = whole(1, 1) + message(2, b"") + message(5, struct.pack("<f", value))
    return message(1, tag.encode()) + message(8, tensor) + scalars


def _text(tag: str, text: bytes) -> bytes:
    plugin = message(9, message(1, message(1, b"text")))
    return message(1, tag.encode()) + message(8, whole(1, 7) + message(8, text)) + plugin


def write(folder: Path, rng: random.Random) -> Log:
    """An event file of 30 to 60 records."""
    wall = 1.7e9 + rng.random() * 1e6
    held: list[tuple[bytes, tuple[Point, ...]]] = [
        (frame(double(1, wall) + message(3, b"brain.Event:2")), ()),
        (_event(wall, 0, _text("note/text_summary", b"seed %d" % rng.randrange(9999))), ()),
    ]
    for i in range(rng.randint(30, 60)):
        step, a, b = 10 * i, _float32(rng.uniform(0, 9)), _float32(rng.uniform(-1, 1))
        if rng.random() < 0.05:
            image = message(1, b"image") + message(
                4, message(4, rng.randbytes(rng.randint(10, 900)))
            )
            held.append((_event(wall + i, step, image), ()))
        elif rng.random() < 0.3:
            points = (Point("loss", None, step, a), Point("val/acc", None, step, b))
            held.append((_event(wall + i, step, _simple("loss", a), _tensor("val/acc", b)), points))
        else:
            held.append(
                (_event(wall + i, step, _simple("loss", a)), (Point("loss", None, step, a),))
            )
    data, records = b"", []
    for raw, points in held:
        records.append(Record(len(data), len(data) + len(raw), points))
        data += raw
    (folder / NAME).write_bytes(data)
    return Log(FORMAT, (LogFile(NAME, data, "checksummed", tuple(records)),))


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Lengths that promise too much, frames within frames, messages without end."""
    start = frame(double(1, 1e9) + message(3, b"brain.Event:2"))

    reaching = b"".join(_header((1 << 20) - 12 * i - 16) for i in range(80_000))
    deep = b""
    for _ in range(2000):
        deep = message(1, deep)
    names = b"".join(_event(1.0, i, _simple(f"t{i}", 0.5)) for i in range(9000))
    nested = frame(message(5, frame(message(5, b"x" * 100)) * 5000))
    many = _event(1.0, 1, *[_simple("a", 1.0)] * 30_000)
    return {
        "promise": start + _header(1 << 40) + bytes(1 << 20),
        "promise-64M": start + _header(64 << 20) + bytes(1 << 20),
        "reaching": start + reaching[: 1 << 20],
        "deep": start + frame(message(5, message(1, message(8, deep)))),
        "names": start + names[: 1 << 20],
        "nested": start + nested[: 1 << 20],
        "many-values": start + many,
        "empty-frames": start + frame(b"") * 60_000,
        "varints": start + frame(b"\xff" * 1_000_000),
        "groups": start + frame(varint(9 << 3 | 3) * 500_000),
        "huge-tag": start + _event(1.0, 1, _simple("x" * 1_000_000, 1.0)),
    }


def _header(size: int) -> bytes:
    length = struct.pack("<Q", size)
    return length + struct.pack("<I", masked(length))
