"""trainer_state.json of the Hugging Face Trainer, in a folder of its own."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.robustness.truth import Log, LogFile, Point, Record

FORMAT = "trainer-state"
NAME = "trainer_state.json"


def write(folder: Path, rng: random.Random) -> Log:
    """A state of 20 to 40 entries, printed over several lines."""
    begin = json.dumps({"best_metric": 0.5, "epoch": 2.0, "global_step": 900}, indent=2)[:-2]
    text = begin + ',\n  "log_history": [\n'
    records = [Record(0, len(text), header=True)]
    entries = rng.randint(20, 40)
    for i in range(entries):
        step, loss = 10 * (i + 1), round(rng.uniform(0, 9), 4)
        if i % 5 == 4:
            entry = {"epoch": i / 20, "eval_loss": loss, "step": step}
            points = (Point("eval_loss", None, step, loss),)
        else:
            rate = rng.random() / 1e3
            entry = {"epoch": i / 20, "learning_rate": rate, "loss": loss, "step": step}
            points = (Point("learning_rate", None, step, rate), Point("loss", None, step, loss))
        raw = "    " + json.dumps(entry, indent=2).replace("\n", "\n    ")
        records.append(Record(len(text), len(text) + len(raw), points))
        text += raw + (",\n" if i < entries - 1 else "\n")
    end = '  ],\n  "max_steps": 900,\n  "num_train_epochs": 3\n}\n'
    records.append(Record(len(text), len(text) + len(end)))
    text += end
    (folder / NAME).write_bytes(text.encode())
    return Log(FORMAT, (LogFile(NAME, text.encode(), "document", tuple(records)),))


def hostile(rng: random.Random) -> dict[str, bytes]:
    """Entries, keys and brackets without end."""
    begin = b'{"global_step": 9, "max_steps": 9, "log_history": ['
    one = b'{"loss": 1.0, "step": 1},'
    keys = b"{" + b",".join(b'"k%d": 1' % i for i in range(70_000)) + b', "step": 1}'
    return {
        "many": begin + one * 40_000 + b"{}]}",
        "torn": begin + one * 40_000,
        "empty": begin + b"{}," * 300_000 + b"{}]}",
        "brackets": begin + b"[" * 1_000_000,
        "braces": begin + b'{"a":' * 200_000,
        "keys": begin + keys + b"]}",
        "digits": begin + b'{"loss": ' + b"9" * 900_000 + b', "step": 1}]}',
        "strings": begin + b'{"a": "' + b"\\u0000" * 150_000,
        "histories": b'{"log_history": [' * 60_000,
        "damaged": begin + b'{"loss": 1.0 "step": 1},' * 40_000 + b"]}",
    }
