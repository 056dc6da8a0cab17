"""Runs that were written in several places are one run."""

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

import trainlens
from trainlens.chunk import Chunk, Column, unknown
from trainlens.readers import account, discover
from trainlens.readers._join import Joined, joined
from trainlens.readers.base import Source


def events(folder, **tags):
    """An event file with one scalar a step for each tag."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"events.out.tfevents.{len(tags)}.x", "wb") as file:
        writer = RecordWriter(file)
        writer.write(
            event_pb2.Event(wall_time=1.0, file_version="brain.Event:2").SerializeToString()
        )
        for tag, values in tags.items():
            for step, value in enumerate(values):
                event = event_pb2.Event(wall_time=2.0 + step, step=step)
                event.summary.value.add(tag=tag.replace("__", "/"), simple_value=value)
                writer.write(event.SerializeToString())


def test_keras_train_and_validation_folders_are_one_run(tmp_path):
    events(tmp_path / "logs/fit1/train", epoch_loss=[3.0, 2.0, 1.0])
    events(tmp_path / "logs/fit1/validation", epoch_loss=[3.5, 2.5, 2.0])
    run = trainlens.load_one(tmp_path)
    assert run.name == "logs/fit1"
    assert run.source == str(tmp_path / "logs/fit1")
    assert run["epoch_loss", "train"].value.tolist() == [3.0, 2.0, 1.0]
    assert run["epoch_loss", "val"].value.tolist() == [3.5, 2.5, 2.0]


def test_an_estimator_evaluates_within_its_model_folder(tmp_path):
    events(tmp_path / "model", loss=[3.0, 2.0, 1.0])
    events(tmp_path / "model/eval", loss=[3.5, 2.5, 2.0])
    run = trainlens.load_one(tmp_path / "model")
    assert set(run.series) == {("loss", "train"), ("loss", "val")}


def test_add_scalars_of_torch_writes_into_folders_of_the_run(tmp_path):
    events(tmp_path / "exp", lr=[0.1, 0.1])
    for name, values in {"loss_train": [3.0, 2.0], "loss_val": [4.0, 3.0]}.items():
        events(tmp_path / "exp" / name, loss=values)
    events(tmp_path / "exp/acc_val", acc=[0.1, 0.2])
    run = trainlens.load_one(tmp_path)
    assert set(run.series) == {("lr", "train"), ("loss", "train"), ("loss", "val"), ("acc", "val")}
    assert run["loss", "val"].value.tolist() == [4.0, 3.0]


@pytest.mark.parametrize(
    "names",
    [("train", "other"), ("a", "b"), ("validation", "test"), ("val", "validation", "train")],
)
def test_folders_that_are_no_pair_stay_apart(tmp_path, names):
    for name in names:
        events(tmp_path / name, loss=[3.0, 2.0, 1.0])
    assert len(discover(tmp_path)) == len(names)


def test_a_name_that_says_its_split_is_believed(tmp_path):
    events(tmp_path / "train", loss=[3.0], val__loss=[9.0])
    events(tmp_path / "validation", loss=[4.0])
    run = trainlens.load_one(tmp_path)
    assert run["loss", "train"].value.tolist() == [3.0]
    assert run["loss", "val"].value.tolist() == [9.0]  # the part that came first owns the name


def test_lightning_with_two_loggers_is_one_run(tmp_path):
    folder = tmp_path / "lightning_logs/version_0"
    events(folder, train_loss=[3.0, 2.0, 1.0])
    rows = "".join(f"0,{i},{3.0 - i},{0.1 * (i + 1)}\n" for i in range(3))
    (folder / "metrics.csv").write_text("epoch,step,train_loss,train_extra_loss\n" + rows)
    run = trainlens.load_one(tmp_path)
    assert run.name == "lightning_logs/version_0"
    assert run["loss"].value.tolist() == [3.0, 2.0, 1.0]
    assert not np.isnan(run["loss"].wall_time).any()  # the event file's, not the table's
    assert run["extra_loss"].value.tolist() == [0.1, 0.2, 0.1 * 3]


def test_a_table_that_was_rotated_is_part_of_its_run_whole(tmp_path):
    folder = tmp_path / "version_0"
    events(folder, train_loss=[3.0, 2.0, 1.0])
    rows = [f"0,{i},{3.0 - i},{0.5 * i}\n" for i in range(4)]
    header = "epoch,step,train_loss,train_extra_loss\n"
    (folder / "metrics.csv.1").write_text(header + "".join(rows[:2]))
    (folder / "metrics.csv").write_text("".join(rows[2:]))
    (source,) = discover(tmp_path)
    assert [p.path.name for p in source.places] == ["version_0", "metrics.csv.1", "metrics.csv"]
    run = trainlens.load_one(tmp_path)
    assert run["extra_loss"].value.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert {a.format for a in account(tmp_path)} == {"tensorboard", "csv"}


def test_other_tables_beside_event_files_stay_runs_of_their_own(tmp_path):
    events(tmp_path / "run", loss=[3.0, 2.0, 1.0])
    rows = "".join(f"{i},{3.0 - i}\n" for i in range(3))
    (tmp_path / "run/other.csv").write_text("epoch,val_loss\n" + rows)
    assert sorted(s.format for s in discover(tmp_path)) == ["csv", "tensorboard"]


class Scripted:
    """A reader that hands over prepared chunks."""

    def __init__(self, *chunks):
        self.chunks = list(chunks)

    def poll(self, final=False):
        return self.chunks.pop(0) if self.chunks else Chunk()


def column(name, *values):
    n = len(values)
    return Column(name, np.arange(n), np.array(values, float), unknown(n), unknown(n))


def test_a_name_belongs_to_the_part_that_showed_it_first():
    first = Scripted(Chunk(), Chunk((column("loss", 1.0),), {"lr": 1}))
    second = Scripted(Chunk((column("loss", 2.0),), {"lr": 2, "b": 3}), Chunk((column("x", 5.0),)))
    reader = Joined([(Source("a", None), first), (Source("b", None), second)])
    got = [reader.poll(), reader.poll()]
    assert [[(c.name, *c.value) for c in chunk.columns] for chunk in got] == [
        [("loss", 2.0)],
        [("x", 5.0)],
    ]
    assert [dict(c.config) for c in got] == [{"lr": 2, "b": 3}, {"lr": 1}]


def test_a_truncated_event_file_in_one_part_is_still_named(tmp_path):
    events(tmp_path / "train", loss=[3.0, 2.0])
    events(tmp_path / "validation", loss=[4.0])
    path = tmp_path / "train/events.out.tfevents.1.x"
    path.write_bytes(path.read_bytes()[:-3])
    run = trainlens.load_one(tmp_path)
    assert "torn-tail" in {n.kind for n in run.notices}


def test_a_split_of_a_split_is_a_run_of_its_own(tmp_path):
    events(tmp_path / "a/train", loss=[3.0, 2.0])
    events(tmp_path / "a/validation", loss=[4.0, 3.0])
    events(tmp_path / "a/train/val", loss=[9.0, 8.0])
    found = discover(tmp_path)
    assert [(s.path, len(s.parts)) for s in found] == [
        (tmp_path / "a", 2),
        (tmp_path / "a/train/val", 0),
    ]


def test_many_versions_each_with_a_table(tmp_path):
    runs = []
    for i in range(50):
        folder = tmp_path / f"v{i}"
        if i % 5:
            folder.mkdir()
        runs += [Source("tensorboard", folder), Source("csv", folder / "metrics.csv")]
    found = joined(runs)
    # Where the event files are no folder, both stay what they are.
    assert [s.path.name for s in found if s.parts] == [f"v{i}" for i in range(50) if i % 5]
    assert [s for s in found if not s.parts] == [
        s for i in range(0, 50, 5) for s in runs[2 * i : 2 * i + 2]
    ]
    assert all(s.parts == (runs[2 * i], runs[2 * i + 1]) for i, s in _numbered(found))


def _numbered(found):
    return [(int(s.path.name[1:]), s) for s in found if s.parts]
