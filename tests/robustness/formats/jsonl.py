"""The native log: a header and one record a line."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.robustness.truth import Log, LogFile, Point, lined
from trainlens.schema import header_line, record_line

FORMAT = "jsonl"
NAME = "run.jsonl"


def _broken(line: bytes) -> bool:
    # Records side by side are fine, and tabs anywhere; whatever else is there is not.
    try:
        text = line.decode().replace("\t", " ").strip()
        while text:
            text = text[json.JSONDecoder().raw_decode(text)[1] :].strip()
    except ValueError:
        return True
    return False


def write(folder: Path, rng: random.Random) -> Log:
    """A log of 20 to 40 records."""
    config = {"lr": rng.random(), "words": "a, {b}: \\"}
    rows: list[tuple[bytes, tuple[Point, ...], bool]] = [
        (header_line("x", 1.7e9, config, {}), (), False)
    ]
    for i in range(rng.randint(20, 40)):
        step, loss, rate = 5 * i, rng.uniform(0, 9), rng.random()
        split = "val" if i % 7 == 6 else "train"
        line = record_line(step, 1.7e9 + i, {"loss": loss}, {"lr": rate}, split=split)
        seen = split if split == "val" else None
        rows.append((line, (Point("loss", seen, step, loss), Point("lr", seen, step, rate)), False))
    data, records = lined(rows)
    (folder / NAME).write_bytes(data)
    return Log(FORMAT, (LogFile(NAME, data, "lines", records, broken=_broken),), NAME)


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Nesting without end, keys without end, numbers without end."""
    start = b'{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.5}\n'
    one = b'{"step": 3, "loss": '
    return {
        "arrays": start + one + b"[" * 1_000_000,
        "objects": start + b'{"a":' * 200_000 + b"\n",
        "open-objects": start + b'{"a' * 300_000 + b"\n",
        "digits": start + one + b"9" * 1_000_000 + b"}\n",
        "exponent": start + one + b"1e999999999}\n" + one + b"-1e-999999999}\n",
        "keys": start
        + b'{"step": 3, '
        + b",".join(b'"k%d": 1' % i for i in range(80_000))
        + b"}\n",
        "ragged": start + b"".join(b'{"step": %d, "k%d": 1}\n' % (i, i) for i in range(40_000)),
        "glued": start + b'{"step": 3, "loss": 1}' * 40_000,
        "torn": start + b'{"step": 3, "loss": \n' * 40_000,
        "array": b"[" + b'{"step": 3, "loss": 1},' * 40_000,
        "array-torn": b"[" + b'{"step": 3, "loss": {},' * 40_000,
        "escapes": start + b'{"step": 3, "' + b"\\u0000" * 150_000 + b'": 1}\n',
        "tiny": b"{}\n" * 330_000,
    }
