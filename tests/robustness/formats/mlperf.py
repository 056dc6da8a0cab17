"""An MLPerf log: ``:::MLLOG`` records between other output."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.robustness.truth import Log, LogFile, Point, lined

FORMAT = "mlperf"
NAME = "result_0.txt"


def _record(key: str, value: object, now: int, **place: object) -> bytes:
    record = {
        "namespace": "",
        "time_ms": 1_700_000_000_000 + now,
        "event_type": "POINT_IN_TIME",
        "key": key,
        "value": value,
        "metadata": {"file": "train.py", "lineno": 7, **place},
    }
    return b":::MLLOG " + json.dumps(record).encode() + b"\n"


def _broken(line: bytes) -> bool:
    if not line.startswith(b":::MLLOG {"):
        return False
    try:
        json.loads(line[len(b":::MLLOG ") :])
    except ValueError:
        return True
    return False


def write(folder: Path, rng: random.Random) -> Log:
    """A log of 20 to 40 evaluations."""
    rows: list[tuple[bytes, tuple[Point, ...], bool]] = [
        (b"Launching on node 1\n", (), False),
        (_record("global_batch_size", 256, 0), (), False),
        (_record("seed", rng.randrange(1 << 30), 1), (), False),
    ]
    for i in range(rng.randint(20, 40)):
        value = rng.random()
        line = _record("eval_accuracy", value, 10 * i, step_num=i + 1)
        rows.append((line, (Point("eval_accuracy", None, i + 1, value),), False))
        if i % 5 == 2:
            rows.append((b"+ echo some words\n", (), False))
    rows.append((_record("run_stop", None, 1000, status="success"), (), False))
    data, records = lined(rows)
    (folder / NAME).write_bytes(data)
    return Log(FORMAT, (LogFile(NAME, data, "lines", records, broken=_broken),), NAME)


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Records without end, nested and torn ones."""
    start = b"".join(_record("eval_accuracy", 0.5, i, epoch_num=i) for i in range(3))
    deep = b':::MLLOG {"key": "eval_accuracy", "value": ' + b"[" * 900_000 + b"\n"
    return {
        "deep": start + deep,
        "torn": start + b':::MLLOG {"key": "eval_accuracy"\n' * 30_000,
        "marks": start + b":::MLLOG " * 110_000 + b"\n",
        "keys": start + b"".join(_record(f"k{i}", 1, i) for i in range(5000)),
        "metrics": start + _record("tracked_stats", {f"k{i}": 1 for i in range(50_000)}, 1, step=1),
        "old": b":::MLPv0.5.0 resnet 1541710833.7 (a.py:1) eval_accuracy: 0.5\n" * 16_000,
        "old-marks": start + b":::MLPv0.5.0 " * 80_000 + b"\n",
        "words": start + b"word " * 200_000 + b"\n",
    }
