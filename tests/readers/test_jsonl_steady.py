"""Records of a growing log by plans: the same points, bit for bit, as without plans."""

import json
import random
from dataclasses import asdict

import numpy as np
import pytest

from trainlens.readers._json.epoch_steps import EpochSteps
from trainlens.readers._json.reader import JsonLines
from trainlens.readers._json.steady import FEW, Steady


class Without(JsonLines):
    """Reads as ever: no plan is ever made."""

    def __init__(self, path):
        super().__init__(path)
        self._steady.read = lambda data, config_keys: 0


def told(chunk):
    """All that a chunk says, with the bits of its numbers."""
    axes = ("step", "value", "wall_time", "epoch")
    columns = [
        (c.name, c.split, c.kind, c.unit, *(np.asarray(getattr(c, a)).tobytes() for a in axes))
        for c in chunk.columns
    ]
    # The order of columns is that of their first points, which a batch groups by their keys.
    return sorted(columns, key=repr), dict(chunk.config), [asdict(n) for n in chunk.notices]


def value(rng):
    """A number of any kind, or what stands in the place of one."""
    plain = [rng.gauss(1, 1), rng.randint(-3, 9), 0.0, -0.0, 1e-320, 2**53 + 1, 2**63 + 7, 1e300]
    odd = [float("nan"), float("inf"), None, True, False, "0.5", "71.5%", "NaN", "text", [], [1, 2]]
    return rng.choice(plain if rng.random() < 0.9 else odd)


def native(rng, step):
    losses = {name: value(rng) for name in ("total", "mask") if rng.random() < 0.95}
    row = {"step": step, "timestamp": 1.7e9 + step, "losses": losses}
    row["stats"] = {"lr": 1e-3, "grad": value(rng), "total": 3}
    row["anomalies"] = rng.choice([[]] * 9 + [["loss spike"]])
    return row


def flat(rng, step):
    row = {"step": step, "loss": value(rng), "acc": value(rng), "opt": {"lr": value(rng)}}
    if rng.random() < 0.7:
        row["epoch"] = rng.choice(
            [step / 7, step // 7, "3/9"] if rng.random() < 0.2 else [step / 7]
        )
    return row


def within_epochs(rng, step):
    """Steps that begin again with each epoch."""
    return {"epoch": step // 11, "iter": step % 11 * 5, "loss": value(rng), "time": 0.25}


def of_splits(rng, step):
    key = rng.choice(["split", "phase", "mode", "event"])
    word = rng.choice(["train", "val", "test", "warmup", "nan seen", ""])
    return {key: word, "global_step": step, "loss": value(rng), "val_acc": value(rng)}


def timed(rng, step):
    moment = [1.7e9 + step, (1.7e9 + step) * 1e3, 0.3, -1.0, None, "soon", "2026-01-02T03:04:05Z"]
    time = rng.choice(moment) if rng.random() < 0.3 else f"2026-01-02 03:04:{step % 60:02}"
    return {"time": time, "_timestamp": 1.7e9 + step, "step": step, "loss": value(rng)}


def counted(rng, step):
    """Several counters, lists, texts and names beside one another."""
    row = {"iteration": step, "steps": 9, "batch": step % 7, "shape": [1, step], "tag": "a"}
    row |= {"loss": value(rng), "message": rng.choice(["ok", "ok", "CUDA out of memory"])}
    if rng.random() < 0.2:
        row["episode"] = 3
    return row


DIALECTS = (native, flat, within_epochs, of_splits, timed, counted)


def lines_of(rng, dialects, n):
    """Lines of a log, some of them odd."""
    yield rng.choice(
        ['{"schema": "trainlens.log/1", "run": "a", "config": {"lr": 1}}\n', "", '{"lr": "low"}\n']
    )
    step = 0
    for _ in range(n):
        step = max(step + rng.choice([1, 1, 1, 1, 5, -20] if rng.random() < 0.1 else [1]), 0)
        row = rng.choice(dialects)(rng, step)
        text = json.dumps(row)
        odd = rng.random()
        if odd < 0.02:
            text = text[:-1] + f', "loss": {step}}}'
        elif odd < 0.03:
            text = text[: len(text) // 2]
        elif odd < 0.04:
            text = '{"schema": "trainlens.log/1", "run": "b"}'
        elif odd < 0.05:
            text = text + text
        elif odd < 0.06:
            text = text.replace('":', '" :')
        yield text + rng.choice(["\n", "\n", "\n", "\r\n", " \n", "\n\n"])


@pytest.mark.parametrize("seed", range(60))
def test_plans_change_nothing(tmp_path, seed):
    rng = random.Random(seed)
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"")
    dialects = rng.sample(DIALECTS, rng.randint(1, 2))
    planned, plain = JsonLines(path), Without(path)
    lines = list(lines_of(rng, dialects, 150))
    with open(path, "ab", buffering=0) as file:
        while lines:
            few = rng.choice([1, 1, 1, 1, 2, 3, 20])
            data = "".join(lines[:few]).encode()
            del lines[:few]
            cut = rng.randint(0, len(data))
            for part in (data[:cut], data[cut:]):
                file.write(part)
                assert told(planned.poll()) == told(plain.poll())
    assert told(planned.poll(final=True)) == told(plain.poll(final=True))
    assert planned.records == plain.records


def test_plans_are_used(tmp_path, monkeypatch):
    """Nearly all records of a log without oddities go by a plan, whatever its dialect."""
    taken = []
    read = Steady.read

    def counting(self, data, config_keys):
        stop = read(self, data, config_keys)
        taken.append(stop == len(data))
        return stop

    monkeypatch.setattr(Steady, "read", counting)
    rows = {
        "native": lambda s: {"step": s, "losses": {"total": 1.5}, "stats": {}, "anomalies": []},
        "flat": lambda s: {
            "step": s,
            "loss": 0.5,
            "epoch": s / 9,
            "time": f"2026-01-02 03:04:0{s % 9}",
        },
        "epochs": lambda s: {"epoch": s // 9, "iter": s % 9, "loss": 0.5, "time": 0.2},
        "split": lambda s: {"split": "train", "global_step": s, "loss": s, "note": None},
    }
    for name, row in rows.items():
        taken.clear()
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row(s)) + "\n" for s in range(50)))
        reader = JsonLines(path)
        reader.poll()
        for step in range(50, 150):
            with open(path, "a") as file:
                file.write(json.dumps(row(step)) + "\n")
            reader.poll()
        assert sum(taken) >= 98, name


def test_many_lines_at_once_are_left_to_batches(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text('{"step": 0, "loss": 1}\n' * 3)
    reader = JsonLines(path)
    reader.poll()
    line = b'{"step": 4, "loss": 2}\n'
    assert reader._steady.read(line * FEW, set()) == len(line) * FEW
    assert reader._steady.read(line * (FEW + 1), set()) == 0


@pytest.mark.parametrize("seed", range(40))
def test_steps_within_epochs_one_by_one(seed):
    rng = np.random.default_rng(seed)
    n = 200
    step = np.cumsum(rng.integers(0, 4, n)) % rng.integers(5, 60)
    epoch = np.cumsum(rng.random(n) < 0.1) + rng.choice([0, 0, 0.5], n) - rng.integers(0, 3)
    epoch[rng.random(n) < 0.05] = rng.choice([np.nan, np.inf, 1e12])
    whole = EpochSteps()(step, np.ones(n, bool), epoch)
    each = EpochSteps()
    assert [each.one(int(s), float(e)) for s, e in zip(step, epoch, strict=True)] == whole.tolist()
