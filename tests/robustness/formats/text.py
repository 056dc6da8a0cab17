"""A text log of ``key=value`` lines with the step before them, and of words between."""

from __future__ import annotations

import random
from pathlib import Path

from tests.robustness.truth import Log, LogFile, Point, lined

FORMAT = "text"
NAME = "train.log"


def _broken(line: bytes) -> bool:
    # Words between the records are normal; zeros are what a crashed machine leaves.
    return b"\0" in line


def write(folder: Path, rng: random.Random) -> Log:
    """A log of 25 to 50 lines."""
    rows: list[tuple[bytes, tuple[Point, ...], bool]] = [(b"Training begins now\n", (), False)]
    for i in range(rng.randint(25, 50)):
        step, loss, rate = 100 * i, round(rng.uniform(0, 9), 4), round(rng.random() / 10, 5)
        line = b"step=%d loss=%.4f lr=%.5f\n" % (step, loss, rate)
        rows.append((line, (Point("loss", None, step, loss), Point("lr", None, step, rate)), False))
        if i % 9 == 4:
            rows.append((b"saved a checkpoint\n", (), False))
    data, records = lined(rows)
    (folder / NAME).write_bytes(data)
    return Log(FORMAT, (LogFile(NAME, data, "lines", records, broken=_broken),), NAME)


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Lines without end, pairs without end, escapes and returns without end."""
    start = b"".join(b"step=%d loss=0.5000 lr=0.1\n" % i for i in range(5))
    return {
        "pairs": start + b"step=9 " + b"a=1 " * 200_000 + b"\n",
        "names": start + b"step=9 " + b" ".join(b"k%d=1" % i for i in range(100_000)) + b"\n",
        "colours": start + b"\x1b[31m" * 200_000 + b"\n",
        "open-colours": start + b"\x1b[" * 400_000 + b"\n",
        "returns": start + b"step=9 loss=1\r" * 70_000,
        "equals": start + b"=" * 1_000_000,
        "dots": start + b"step=9 loss=" + b"." * 900_000 + b"\n",
        "digits": start + b"step=" + b"9" * 900_000 + b" loss=1\n",
        "slashes": start + b"1/" * 400_000 + b"\n",
        "brackets": start + b"[1/2][" * 150_000 + b"\n",
        "words": start + b"loss " * 200_000 + b"\n",
        "many": start + b"step=1 loss=1\n" * 70_000,
        "places": start + b"".join(b"step=%d a%d=1\n" % (i, i) for i in range(60_000)),
    }
