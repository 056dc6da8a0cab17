"""A table in the manner of Lightning: step and epoch columns, sparse validation cells."""

from __future__ import annotations

import random
from pathlib import Path

from tests.robustness.truth import Log, LogFile, Point, lined

FORMAT = "csv"
NAME = "metrics.csv"


def _broken(line: bytes) -> bool:
    # Words may be a header once more or a comment; a separator too many is common.
    numbers = (cell for cell in line.split(b",") if cell.strip())
    words = line.startswith(b"#") or b"loss" in line or b"epoch" in line or b'"' in line
    return not words and not all(map(_is_number, numbers))


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def write(folder: Path, rng: random.Random) -> Log:
    """A table of 30 to 60 rows."""
    rows: list[tuple[bytes, tuple[Point, ...], bool]] = [
        (b"epoch,step,train_loss,val_loss\n", (), True)
    ]
    for i in range(rng.randint(30, 60)):
        step, loss = 20 * i, round(rng.uniform(0, 9), 5)
        if i % 6 == 5:
            line = b"%d,%d,,%.5f\n" % (i // 6, step, loss)
            points = (Point("val_loss", None, step, loss),)
        else:
            line = b"%d,%d,%.5f,\n" % (i // 6, step, loss)
            points = (Point("train_loss", None, step, loss),)
        rows.append((line, points, False))
    data, records = lined(rows)
    (folder / NAME).write_bytes(data)
    return Log(FORMAT, (LogFile(NAME, data, "lines", records, broken=_broken),), NAME)


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Columns, quotes and separators without end."""
    head = b"epoch,step,train_loss,val_loss\n"
    row = b"0,1,0.5,\n"
    wide = b"step," + b",".join(b"c%d" % i for i in range(100_000))
    return {
        "wide": wide + b"\n" + b"1," * 100_000 + b"1\n",
        "wide-rows": wide[:200_000] + b"\n" + (b"1," * 30_000 + b"\n") * 13,
        "ragged": head + b"".join(b"0,1" + b",2" * (i % 700) + b"\n" for i in range(1300)),
        "open-quote": head + row + b'0,2,"' + b"x\n" * 400_000,
        "quotes": head + row + b'"' * 900_001 + b"\n",
        "quoted": head + b'"0","1","0.5",""\n' * 50_000,
        "tiny": head + b",,,\n" * 250_000,
        "headers": head * 30_000,
        "runs": b"run,metric,step,value\n" + b"".join(b"r%d,a,1,2\n" % i for i in range(80_000)),
        "metrics": b"run,metric,step,value\n" + b"".join(b"r,m%d,1,2\n" % i for i in range(80_000)),
        "numbers": head + b"0,1," + b"9" * 900_000 + b",\n",
    }
