"""CatBoost's training folder: its JSON log and the tables beside it, which repeat its values."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.robustness.truth import Log, LogFile, Point, Record

FORMAT = "catboost"
FOLDER = "catboost_info"
NAME = f"{FOLDER}/catboost_training.json"
META = {
    "test_sets": ["test"],
    "test_metrics": [{"best_value": "Min", "name": "Logloss"}],
    "learn_metrics": [{"best_value": "Min", "name": "Logloss"}],
    "launch_mode": "Train",
    "parameters": "",
    "iteration_count": 99,
    "learn_sets": ["learn"],
}


def write(folder: Path, rng: random.Random) -> Log:
    """A training of 25 to 40 iterations; only its JSON log."""
    meta = {**META, "name": "experiment"}
    text = '{\n"meta":' + json.dumps(meta) + ',\n"iterations":[\n'
    records = [Record(0, len(text), header=True)]
    count = rng.randint(25, 40)
    for i in range(count):
        learn, test = rng.uniform(0, 1), rng.uniform(0, 1)
        entry = {
            "learn": [learn],
            "iteration": i,
            "passed_time": i / 8,
            "remaining_time": 1.5,
            "test": [test],
        }
        raw = json.dumps(entry, separators=(",", ":"))
        points = (
            Point("Logloss", "train", i, learn),
            Point("Logloss", "val", i, test),
            Point("passed_time", None, i, i / 8),
            Point("remaining_time", None, i, 1.5),
        )
        records.append(Record(len(text), len(text) + len(raw), points))
        text += raw + (",\n" if i < count - 1 else "\n")
    records.append(Record(len(text), len(text) + 3))
    text += "]}\n"
    (folder / FOLDER).mkdir(exist_ok=True)
    (folder / NAME).write_bytes(text.encode())
    return Log(FORMAT, (LogFile(NAME, text.encode(), "document", tuple(records)),), FOLDER)


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Iterations, sets and brackets without end."""
    meta = b'{"meta":{"test_sets":["test"],"learn_metrics":[{"best_value":"Min","name":"Logloss"}],'
    meta += b'"test_metrics":[{"best_value":"Min","name":"Logloss"}],"learn_sets":["learn"],'
    meta += b'"launch_mode":"Train","iteration_count":9,"name":"x"},"iterations":['
    one = b'{"learn":[0.5],"iteration":1,"passed_time":1,"remaining_time":1,"test":[0.5]},'
    return {
        "many": meta + one * 13_000 + b"{}]}",
        "torn": meta + one * 13_000,
        "brackets": meta + b"[" * 1_000_000,
        "braces": meta + b'{"a":' * 200_000,
        "values": meta + b'{"learn":[' + b"1," * 490_000 + b'1],"iteration":1}]}',
        "damaged": meta + b'{"learn":[0.5] "iteration":1},' * 33_000 + b"]}",
        "empty": meta + b"{}," * 330_000,
    }
