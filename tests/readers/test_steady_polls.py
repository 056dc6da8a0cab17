"""Polls that bring one line: the short ways of tables and texts give what the long ways give."""

import os
import random
from dataclasses import asdict

import numpy as np
import pytest

from trainlens.readers._csv.reader import CsvLog
from trainlens.readers._lines import Tail
from trainlens.readers._still import AGAIN, SURE, Still
from trainlens.readers._text.points import Points
from trainlens.readers._text.reader import TextLog


def told(chunk):
    """All that a chunk says, with the bits of its numbers."""
    axes = ("step", "value", "wall_time", "epoch")
    columns = [
        (c.name, c.split, c.kind, c.unit, *(np.asarray(getattr(c, a)).tobytes() for a in axes))
        for c in chunk.columns
    ]
    return columns, dict(chunk.config), [asdict(n) for n in chunk.notices]


def grow(path, rng, lines, pairs):
    """Let a file grow line by line, some of them in two pieces; both readers say the same."""
    one, other = pairs
    with open(path, "ab", buffering=0) as file:
        while lines:
            few = rng.choice([1, 1, 1, 1, 2, 30])
            data = "".join(lines[:few]).encode()
            del lines[:few]
            cut = rng.choice([0, rng.randint(0, len(data))])
            for part in (data[:cut], data[cut:]):
                file.write(part)
                assert told(one.poll()) == told(other.poll())
    assert told(one.poll(final=True)) == told(other.poll(final=True))


HEADS = (
    "step,loss,acc,lr",
    "epoch,step,loss,lr",
    "epoch,iter,loss,lr",
    "epoch,train_loss,val_loss,lr",
    "step,split,loss,lr",
    "timestamp,step,loss,lr",
    "index,loss,acc,lr",
)


def number(rng):
    plain = [f"{rng.gauss(1, 1):.6g}", str(rng.randint(-3, 9)), "1e5", ".5", "1.", "-0", "007"]
    odd = ["", "nan", "inf", "1e400", "text", "71%", "1_000", "0,5", '"0.5"', " 3 ", "1e-320", "--"]
    return rng.choice(plain if rng.random() < 0.97 else odd)


@pytest.mark.parametrize("seed", range(60))
def test_rows_one_by_one(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    head, sep = rng.choice(HEADS), rng.choice([",", ",", ";", "\t"])
    names = head.split(",")
    lines, step = [head.replace(",", sep) + "\n"], 0
    for i in range(120):
        step = max(step + (1 if rng.random() < 0.97 else rng.choice([-9, 0, 50])), 0)
        place = {"step": step, "epoch": step // 9, "iter": step % 9, "timestamp": 1.7e9 + step}
        place |= {"split": rng.choice(["train", "val"]), "index": i}
        cells = [str(place[n]) if n in place else number(rng) for n in names]
        if rng.random() < 0.01:
            cells = rng.choice([cells[:-1], [*cells, "1"], names, ["# remark"], [""]])
        lines.append(sep.join(cells) + rng.choice(["\n"] * 30 + ["\r\n"]))
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"")
    one, other = CsvLog(path), CsvLog(path)
    monkeypatch.setattr(other, "_take_one", lambda data: False)
    grow(path, rng, lines, (one, other))


def test_rows_go_the_short_way(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,loss\n" + "".join(f"{i // 9},{i},0.5\n" for i in range(9)))
    log = CsvLog(path)
    log.poll()
    assert log._take_one(b"1,9,0.25\n")
    assert not log._take_one(b"1,10,\n")
    assert not log._take_one(b"1,10,0.5\n1,11,0.5\n")
    assert not log._take_one(b"1,10.5,0.5\n")
    (column,) = (c for c in log.poll().columns if c.name == "loss")
    assert (column.step.tolist(), column.value.tolist()) == ([9], [0.25])
    assert column.epoch.tolist() == [1.0]


@pytest.mark.parametrize("seed", range(30))
def test_lines_one_by_one(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    form = rng.choice(
        [
            "step {s}/9000 loss={a:.4f} lr={b:.2e}\n",
            "2026-01-02 03:04:05 Epoch [{e}][{i}/9] loss: {a:.4f} acc: {b:.3f} acc: {a:.3f}\n",
            "iter {s}: loss {a:.3f}, time {t}, val loss {b:.3f}\n",
        ]
    )
    lines = []
    for s in range(120):
        time = rng.choice(["12ms", "12ms", "0.2s", "3"])
        line = form.format(s=s, e=s // 9, i=s % 9, a=rng.random(), b=rng.random(), t=time)
        odd = ["saved\n", "val loss: 0.5\n", "loss=nan\n", "Traceback (most recent call last):\n"]
        lines += [line] if rng.random() < 0.95 else [line, rng.choice(odd)]
    path = tmp_path / "train.log"
    path.write_bytes(b"")
    one, other = TextLog(path), TextLog(path)
    short = Points._store_one
    ours = one._follower.points
    monkeypatch.setattr(Points, "_store_one", lambda self, x: self is ours and short(self, x))
    grow(path, rng, lines, (one, other))


def test_small_growth_opens_a_file_once(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"x" * 5000 + b"\n")
    tail = Tail(path)
    assert len(list(tail.lines())) == 1
    with open(path, "ab") as file:
        file.write(b"new\nhalf")
    assert tail.changed()
    assert not tail.replaced()
    path.unlink()  # what is new has been read with the check
    assert [p.data for p in tail.lines()] == [b"new\n"]
    assert tail.offset == 5005


@pytest.mark.parametrize("size", [10, 1023, 1024, 1025, 5000])
def test_a_file_cut_and_regrown_is_noticed(tmp_path, size):
    """Wherever it differs: in its first bytes or in those just before the place."""
    path = tmp_path / "log"
    for place in (0, size // 2 if size < 1024 else size - 1000, size - 2):
        path.write_bytes(b"a" * (size - 1) + b"\n")
        tail = Tail(path)
        list(tail.lines())
        other = bytearray(b"a" * (size - 1) + b"\nmore\n")
        with open(path, "r+b") as file:
            file.write(other)
        assert not tail.replaced()
        assert [p.data for p in tail.lines()] == [b"more\n"]
        other[place] = ord("b")
        with open(path, "r+b") as file:
            file.write(other + b"again\n")
        assert tail.replaced()
        assert [p.start for p in tail.lines()] == [0]


def test_what_comes_while_reading_is_for_the_next_time(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    for piece in tail.lines():
        assert piece.data == b"one\n"
        with open(path, "ab") as file:
            file.write(b"two\n")
    assert tail.changed()
    assert not tail.replaced()
    assert [p.data for p in tail.lines()] == [b"two\n"]
    assert not tail.changed()


def test_a_folder_is_still_once_its_time_is_old(tmp_path):
    still = Still(tmp_path)
    assert not still.same(0.0)
    assert not still.same(SURE)
    assert not still.same(2 * SURE)  # looked into once more, which is then sure
    assert still.same(2 * SURE + 0.1)
    (tmp_path / "new").touch()
    os.utime(tmp_path, ns=(1, 1))
    assert not still.same(2 * SURE + 0.2)
    assert not still.same(2 * SURE + 0.3)


def test_a_still_folder_is_listed_now_and_then(tmp_path):
    still = Still(tmp_path)
    heard = [not still.same(float(second)) for second in range(0, 60, 3)]
    assert heard[:2] == [True, True]
    assert 1 <= sum(heard[2:]) <= 60 / AGAIN + 1


def test_a_folder_that_is_gone_is_never_still(tmp_path):
    still = Still(tmp_path / "gone")
    assert not any(still.same(float(second)) for second in range(20))
