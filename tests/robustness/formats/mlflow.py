"""A run of MLflow's file store: a file a metric, lines of time, value and step."""

from __future__ import annotations

import random
from pathlib import Path

from tests.robustness.truth import Log, LogFile, Point, lined

FORMAT = "mlflow"
RUN = "mlruns/1/ed05f9cd599442fe9a0c9222184710b8"


def _broken(line: bytes) -> bool:
    parts = line.split()
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return True
    return len(numbers) not in (2, 3)


def _metric(name: str, count: int, rng: random.Random) -> LogFile:
    rows: list[tuple[bytes, tuple[Point, ...], bool]] = []
    for i in range(count):
        value = rng.uniform(0, 9)
        # Not from 0: two lines of step 0 at the beginning (the first line of one log, and another
        # log glued to it) look like a metric without steps, and a reader cannot wait for more.
        step = 10 * (i + 1)
        line = b"%d %r %d\n" % (1_700_000_000_000 + 1000 * i, value, step)
        rows.append((line, (Point(name, None, step, value),), False))
    data, records = lined(rows)
    return LogFile(f"{RUN}/metrics/{name}", data, "lines", records, broken=_broken)


def write(folder: Path, rng: random.Random) -> Log:
    """A run of two metrics, one parameter, and its description."""
    about = (
        b"artifact_uri: ''\nend_time: 1700000100000\nexperiment_id: '1'\nlifecycle_stage: active\n"
        b"name: ''\nrun_id: ed05f9cd599442fe9a0c9222184710b8\nstart_time: 1700000000000\n"
        b"status: 3\ntags: []\nuser_id: someone\n"
    )
    files = (
        _metric("loss", rng.randint(20, 40), rng),
        _metric("val_acc", rng.randint(10, 20), rng),
        LogFile(f"{RUN}/meta.yaml", about, "lines", helps=True),
        LogFile(f"{RUN}/params/lr", b"0.001", "lines", helps=True),
    )
    for file in files:
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(file.data)
    return Log(FORMAT, files, RUN)


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Lines, numbers and blanks without end."""
    start = b"1700000000000 0.5 1\n"
    return {
        "many": b"1 1 1\n" * 170_000,
        "numbers": start + b"9" * 900_000 + b" 1 1\n",
        "blanks": start + b" " * 1_000_000 + b"\n",
        "parts": start + b"1 " * 500_000 + b"\n",
        "exponents": start + b"1 1e999999999 1\n1 1 1e99\n" * 30_000,
        "torn": start + b"1700000000000\n" * 70_000,
    }
