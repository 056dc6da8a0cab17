"""Reports in folders of event files, read back by TensorBoard."""

import errno
import os
import shutil
import struct

import numpy as np
import pytest

import trainlens
from tests.attach.helping import command, judged, prints, report
from trainlens.attach import _events, tensorboard
from trainlens.readers import Survey
from trainlens.readers.base import Source

pytest.importorskip("tensorboard", reason="reads the event files back")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.event_file_writer import EventFileWriter


def scalar(writer, tag, value, step):
    event = Event(step=step, wall_time=1e9 + step)
    event.summary.value.add(tag=tag, simple_value=value)
    writer.add_event(event)


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "tb"
    writer = EventFileWriter(str(folder / "one"))
    for i in range(120):
        scalar(writer, "loss", 2 / (1 + i) ** 0.5, i)
    writer.close()
    return folder


def loaded(folder):
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    found.Reload()
    return found


def test_tensorboard_shows_text_and_images_and_the_same_scalars(runs, tmp_path):
    before, scalars = prints(runs), loaded(runs / "one").Scalars("loss")
    code, _, err = command("report", runs, "--attach", "-o", tmp_path / "out", "--no-config",
                           "--no-cache")  # fmt: skip
    assert code == 0, err
    found = loaded(runs / "one")
    assert found.Scalars("loss") == scalars
    assert found.Tags()["scalars"] == ["loss"]
    (text,) = found.Tensors("trainlens/report")
    (value,) = text.tensor_proto.string_val
    assert value.decode("utf-8").startswith("# Healthy so far.")
    assert text.step == 119
    plugin = found.SummaryMetadata("trainlens/report").plugin_data.plugin_name
    assert plugin == "text"
    (image,) = found.Images("trainlens/sheet")
    (sheet,) = (tmp_path / "out").glob("*.png")
    assert image.encoded_image_string == sheet.read_bytes()
    width, height = struct.unpack_from(">II", sheet.read_bytes(), 16)
    assert (image.width, image.height, image.step) == (width, height, 119)
    after = prints(runs)
    assert {name: after[name] for name in before} == before
    (new,) = after.keys() - before.keys()
    assert f"Attached: one: {runs / new} (text trainlens/report, images trainlens/sheet)" in err


def test_the_run_is_read_as_before(runs, tmp_path):
    before, (run,) = judged(runs), trainlens.load(runs)
    for _ in range(2):
        assert report(tmp_path / "out", runs, "--attach")[0] == 0
    assert judged(runs) == before
    (again,) = trainlens.load(runs)
    assert (again.config, again.notices, list(again.series)) == (run.config, (), list(run.series))
    assert np.array_equal(again["loss"].value, run["loss"].value)


def test_a_training_that_goes_on_is_still_shown(tmp_path):
    """TensorBoard leaves a file for good when one that sorts behind it is there."""
    folder = tmp_path / "live"
    writer = EventFileWriter(str(folder))
    for i in range(40):
        scalar(writer, "loss", 1 / (1 + i), i)
    writer.flush()
    shown = loaded(folder)
    report(tmp_path / "out", folder, "--attach")
    shown.Reload()
    for i in range(40, 50):
        scalar(writer, "loss", 1 / (1 + i), i)
    writer.close()
    shown.Reload()
    assert [e.step for e in shown.Scalars("loss")] == list(range(50))
    assert [e.step for e in loaded(folder).Scalars("loss")] == list(range(50))
    assert loaded(folder).Tensors("trainlens/report")


def test_a_run_of_several_splits_stays_one(tmp_path):
    for split in ("train", "validation"):
        writer = EventFileWriter(str(tmp_path / "keras" / split))
        for i in range(60):
            scalar(writer, "epoch_loss", 2 / (1 + i) ** 0.5, i)
        writer.close()
    before = judged(tmp_path / "keras")
    code, _, err = report(tmp_path / "out", tmp_path / "keras", "--attach")
    assert code == 0
    assert f"Attached: keras: {tmp_path / 'keras' / 'train'}" in err
    assert judged(tmp_path / "keras") == before
    assert len(Survey(tmp_path / "keras")) == 1


def test_a_lone_event_file_has_it_beside(runs):
    (file,) = (runs / "one").iterdir()
    assert tensorboard._folder(Source("tensorboard", file)) == runs / "one"


def test_a_file_that_cannot_be_written_leaves_nothing(runs, tmp_path, monkeypatch):
    before = prints(runs)

    true = os.replace

    def full(source, target, **more):
        if "tfevents" in str(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return true(source, target, **more)

    monkeypatch.setattr(os, "replace", full)
    code, _, err = report(tmp_path / "out", runs, "--attach")
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("Not attached")]
    assert "No space left on device; free space there, or leave out --attach" in line
    assert prints(runs) == before
    assert (tmp_path / "out" / "index.html").exists()


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 16_383, 16_384, 3_000_000])
def test_records_of_any_length_are_read_back(tmp_path, size):
    path = tmp_path / "events.out.tfevents.1.x"
    path.write_bytes(_events.file([_events.text("a/ü", "ж" * size)], 2**40, 5.5))
    (event,) = loaded(path).Tensors("a/ü")
    assert (event.step, event.wall_time) == (2**40, 5.5)
    assert event.tensor_proto.string_val == [("ж" * size).encode()]


def test_a_copied_run_is_the_same_run(runs, tmp_path):
    report(tmp_path / "out", runs, "--attach")
    shutil.copytree(runs, tmp_path / "copy")
    (run,) = trainlens.load(tmp_path / "copy")
    assert (run.points, run.notices) == (120, ())
