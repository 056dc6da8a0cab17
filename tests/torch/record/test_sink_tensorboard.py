"""TensorBoard's own loader and trainlens read what was written, to float32."""

import errno
import sys

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("tensorboard")

import trainlens
from tests.torch.record.entries import CONFIG, SCHEDULES, entries, expected, target
from trainlens.errors import MissingExtra
from trainlens_torch.record import append, tensorboard
from trainlens_torch.record.entry import Entry


def tag_of(name, split):
    return name if split == "train" else f"{split}/{name}"


def loaded(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    return found.Reload()


def check(folder, logged):
    stock, own = loaded(folder), trainlens.load_one(folder)
    want = expected(logged)
    tags = {tag_of(*key) for key in want}
    if any(entry.epoch is not None for entry in logged):
        tags.add("epoch")
    assert set(stock.Tags()["scalars"]) == tags
    for (name, split), (steps, values, times) in want.items():
        rounded = np.array(values).astype(np.float32)
        rows = stock.Scalars(tag_of(name, split))
        assert [row.step for row in rows] == list(steps)
        assert [row.wall_time for row in rows] == list(times)
        np.testing.assert_array_equal(np.float32([row.value for row in rows]), rounded)
        series = own.series[name, split]
        np.testing.assert_array_equal(series.step, steps)
        np.testing.assert_array_equal(series.value, rounded.astype(float))
    return stock, own


def test_both_readers_have_every_value(tmp_path):
    sink = tensorboard.make(target(tmp_path))
    logged = entries()
    for at in range(0, len(logged), 7):
        sink.write(logged[at : at + 7])
        # At any moment, without a flush.
        check(tmp_path / "tb", logged[: at + 7])
    sink.flush()
    sink.close()
    stock, own = check(tmp_path / "tb", logged)
    assert [row.value for row in stock.Scalars("epoch")] == [i / 8 for i in range(1, 31)]
    assert not own.notices


def test_the_configuration_is_read_back(tmp_path):
    sink = tensorboard.make(target(tmp_path))
    sink.write(entries(1, 1))
    sink.close()
    config = trainlens.load_one(tmp_path / "tb").config
    assert config == {
        "lr": CONFIG["lr"],
        "amp": True,
        "seed": "None",
        "optim.name": "adam",
        "optim.betas": "[0.9, 0.99]",
        "schedules": SCHEDULES,
    }
    plugins = loaded(tmp_path / "tb").PluginTagToContent("hparams")
    assert set(plugins) == {"_hparams_/session_start_info"}


def test_a_resumed_run_has_a_file_of_its_own_behind_the_others(tmp_path):
    logged = entries()
    for at in range(0, len(logged), 8):
        # The clock of each process starts again: names are in order all the same.
        sink = tensorboard.make(target(tmp_path))
        sink.write(logged[at : at + 8])
        sink.close()
    assert len(list((tmp_path / "tb").iterdir())) == 5
    check(tmp_path / "tb", logged)


def test_a_torn_file_is_left_as_it_is_and_continued_in_another(tmp_path):
    logged = entries()
    sink = tensorboard.make(target(tmp_path))
    sink.write(logged[:10])
    sink.close()
    (file,) = (tmp_path / "tb").iterdir()
    torn = file.read_bytes()[:-5]
    file.write_bytes(torn)
    sink = tensorboard.make(target(tmp_path))
    sink.write(logged[10:])
    sink.close()
    assert file.read_bytes() == torn
    stock = loaded(tmp_path / "tb")
    assert [row.step for row in stock.Scalars("total")] == [*range(1, 10), *range(11, 31)]
    assert [row.value for row in stock.Scalars("val/mpjpe")] == [55.5] * 3


@pytest.mark.parametrize("room", [0, 1, 200, 400])
def test_a_full_disk_raises_oserror_and_costs_no_event(tmp_path, monkeypatch, room):
    logged = entries()
    sink = tensorboard.make(target(tmp_path))
    sink.write(logged[:10])
    real, left = append.os.write, [room]

    def full(descriptor, data):
        if not left[0]:
            raise OSError(errno.ENOSPC, "no space left")
        sent = real(descriptor, data[: left[0]])
        left[0] -= sent
        return sent

    monkeypatch.setattr(append.os, "write", full)
    rest = logged[10:]
    for _ in range(3):
        with pytest.raises(OSError, match="no space") as caught:
            sink.write(rest)
        rest = rest[caught.value.written :]
    assert len(loaded(tmp_path / "tb").Scalars("total")) >= 10
    monkeypatch.setattr(append.os, "write", real)
    sink.write(rest)
    sink.close()
    stock, _ = check(tmp_path / "tb", logged)
    assert len(list((tmp_path / "tb").iterdir())) == 1
    assert [row.step for row in stock.Scalars("epoch")] == list(range(1, 31))


def test_odd_values_and_names(tmp_path):
    names = ["a/b", 'q"', "n\n", "a\ud800", "学", "x" * 500, "", "val/loss"]
    values = [1e300, -1e300, 1e-300, 2**24 + 1.0, -0.0, 0.1, float("inf"), 3.4028235e38]
    logged = Entry(2**40, 1.5, dict(zip(names, values, strict=True)), {}, "val")
    sink = tensorboard.make(target(tmp_path, config={}, schedules={}))
    sink.write([logged, Entry(1, 2.5, {}, {})])
    sink.close()
    stock = loaded(tmp_path / "tb")
    with np.errstate(over="ignore"):
        rounded = np.array(values).astype(np.float32)
    for name, value in zip(names, rounded, strict=True):
        (row,) = stock.Scalars("val/" + name.replace("\ud800", "?"))
        assert (row.step, row.wall_time) == (2**40, 1.5)
        assert np.float32(row.value) == value


def test_ranks_have_folders_of_their_own(tmp_path):
    for rank in range(3):
        sink = tensorboard.make(target(tmp_path, rank=rank))
        sink.write(entries(rank + 1, rank + 1))
        sink.close()
    assert {p.name for p in tmp_path.iterdir()} == {"tb", "tb.rank1", "tb.rank2"}


def test_a_missing_package_is_told_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(MissingExtra, match=r"pip install 'trainlens\[tensorboard\]'"):
        tensorboard.make(target(tmp_path))
    assert list(tmp_path.iterdir()) == []
