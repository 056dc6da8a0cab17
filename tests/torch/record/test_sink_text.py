"""The line of the handpose seed, to the character, and what trainlens reads of it."""

import errno
import math
import os

import pytest

pytest.importorskip("torch")

import trainlens
from tests.torch.record.entries import entries, target
from trainlens_torch.config import TrainingConfig
from trainlens_torch.record import append, text
from trainlens_torch.record.append import NotWritten
from trainlens_torch.record.entry import Entry

BARE = {"config": {}, "schedules": {}}


def test_the_line_is_that_of_the_seed():
    entry = Entry(3000, 0.0, {"loss_theta": 0.083, "total": 1.23}, {"dropout": 0.0, "lr": 1e-4})
    want = "3000/100000 lr=1.0000e-04 dropout=0.000 total=1.230 loss_theta=0.083\n"
    assert text.line(entry, 100000) == want


def test_the_rate_that_progressive_dropout_logs_has_the_name_of_the_seed():
    assert text.line(Entry(1, 0.0, {}, {"dropout_rate": 0.1}), 9) == "1/9 dropout=0.100\n"
    both = text.line(Entry(1, 0.0, {}, {"dropout_rate": 0.1, "dropout": 0.2}), 9)
    assert sorted(both.split()) == ["1/9", "dropout=0.200", "dropout_rate=0.100"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.000"),
        (0.01, "0.010"),
        (0.0099, "9.900e-03"),
        (-123.4567, "-123.457"),
        (1e6, "1.000e+06"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_no_number_is_hidden_by_its_digits(value, shown):
    assert text.line(Entry(1, 0.0, {"m": value}, {}), 10) == f"1/10 m={shown}\n"
    found = 0.0 if shown == "0.000" else float(shown)
    assert math.isnan(value) or found == pytest.approx(value, rel=5e-3)


def test_splits_epochs_anomalies_and_odd_names():
    entry = Entry(7, 0.0, {"a b=1\n": 2.0}, {}, "val", 1.5, None, ({"type": "loss_spike"}, "NaN"))
    assert text.line(entry) == "step=7 epoch=1.5 val_a_b_1_=2.000 !loss_spike !nan\n"
    many = Entry(1, 0.0, {f"m{i}": 1.0 for i in range(10_000)}, {"lr": 0.1})
    shown = text.line(many).split()
    assert (len(shown), shown[1], shown[-1]) == (42, "lr=1.0000e-01", "...")


def steps_of(path):
    return [int(line.partition("/")[0]) for line in path.read_text().splitlines() if "/" in line]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_are_due_every_n_steps_however_entries_come(tmp_path, size):
    logged = [Entry(i, 0.0, {"total": 1.0}, {}) for i in range(1, 258)]
    sink = text.make(target(tmp_path, **BARE), every=50)
    for at in range(0, len(logged), size):
        sink.write(logged[at : at + size])
    sink.close()
    assert steps_of(tmp_path / "log.txt") == [1, 50, 100, 150, 200, 250, 257]


def test_sparse_steps_rewinds_and_other_splits_have_their_lines(tmp_path):
    sink = text.make(target(tmp_path, **BARE), every=50)
    for step in (30, 60, 90, 120, 20, 40, 51):
        sink.write([Entry(step, 0.0, {"total": 1.0}, {})])
    sink.write(
        [Entry(51, 0.0, {"total": 1.0}, {}, "val"), Entry(52, 0.0, {}, {}, anomalies=("x",))]
    )
    sink.close()
    assert steps_of(tmp_path / "log.txt") == [30, 60, 120, 20, 51, 51, 52]
    with pytest.raises(ValueError, match="at least 1 step"):
        text.make(target(tmp_path), every=0)


@pytest.mark.parametrize("room", [0, 1, 20, 40])
def test_lines_that_failed_are_due_again(tmp_path, monkeypatch, room):
    sink = text.make(target(tmp_path, **BARE), every=50)
    logged = [Entry(i, 0.0, {"total": 1.0}, {}) for i in range(1, 160)]
    sink.write(logged[:30])
    real, left = os.write, [room]

    def full(descriptor, data):
        if not left[0]:
            raise OSError(errno.ENOSPC, "no space")
        sent = real(descriptor, data[: left[0]])
        left[0] -= sent
        return sent

    with monkeypatch.context() as disk:
        disk.setattr(append.os, "write", full)
        with pytest.raises(NotWritten, match="no space") as caught:
            sink.write(logged[30:])
    sink.write(logged[30 + caught.value.written :])
    sink.close()
    assert steps_of(tmp_path / "log.txt") == [1, 50, 100, 150, 159]


def test_trainlens_reads_the_numbers_that_stand_there(tmp_path):
    sink = text.make(target(tmp_path), every=1)
    logged = entries()
    sink.write(logged)
    sink.flush()
    sink.close()
    run = trainlens.load_one(tmp_path / "log.txt")
    train = [e for e in logged if e.split == "train"]
    val = [e for e in logged if e.split == "val"]
    for (name, split), values in {
        ("total", "train"): [e.losses["total"] for e in train],
        ("lr", "train"): [e.stats["lr"] for e in train],
        ("dropout", "train"): [0.0] * 30,
        ("total", "val"): [e.losses["total"] for e in val],
        ("mpjpe", "val"): [55.5] * 3,
    }.items():
        series = run.series[name, split]
        assert list(series.step) == [e.step for e in (train if split == "train" else val)]
        assert list(series.value) == pytest.approx(values, rel=2e-2)
    assert {k: run.config[k] for k in ("lr", "optim.name", "amp")} == {
        "lr": 0.1,
        "optim.name": "adam",
        "amp": True,
    }


def test_no_setting_of_a_whole_configuration_is_read_as_a_value(tmp_path):
    header = {**TrainingConfig().changed({"resume.step": 40}).header(), "dropout_warmup_step": 9}
    sink = text.make(target(tmp_path, config=header, schedules={}), every=1)
    sink.write([Entry(i, 0.0, {"total": 1.0}, {"lr": 0.1}) for i in range(100, 200)])
    sink.close()
    run = trainlens.load_one(tmp_path / "log.txt")
    assert {(name, len(series)) for (name, _), series in run.series.items()} == {
        ("total", 100), ("lr", 100),
    }  # fmt: skip
    assert run.steps == (100, 199)
    wanted = {"optimizer.lr": 3e-4, "adaptive_lr.trials": 12}
    assert wanted.items() <= run.config.items()


def test_half_a_number_is_no_number_when_the_log_is_continued(tmp_path):
    data = b"".join(text.line(Entry(i, 0.0, {"total": 1.234}, {}), 99).encode() for i in (1, 2, 3))
    path = tmp_path / "log.txt"
    for cut in range(1, 5):
        path.write_bytes(data[:-cut])
        sink = text.make(target(tmp_path))
        sink.write([Entry(4, 0.0, {"total": 4.0}, {}), Entry(5, 0.0, {"total": 5.0}, {})])
        sink.close()
        assert path.read_bytes().startswith(data[:-cut])
        series = trainlens.load_one(path).series["total", "train"]
        assert list(zip(series.step, series.value, strict=True)) == [
            (1, 1.234),
            (2, 1.234),
            (4, 4.0),
            (5, 5.0),
        ]
