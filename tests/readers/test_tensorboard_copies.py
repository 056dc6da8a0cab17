"""Copies of event files in one folder are read once; settings in `hparams.yaml` are read."""

import os
import random

import pytest

from tests.robustness.formats._tfrecord import double, frame, message, single, whole
from trainlens.readers import tensorboard as reader
from trainlens.readers._tfevents import fallback, follow
from trainlens.readers.base import Source

NAME = "events.out.tfevents.1700000000.host.1.0"


@pytest.fixture(params=["chosen", "fallback"], autouse=True)
def decoder(request, monkeypatch):
    """The decoder that this machine uses, and the numpy one."""
    if request.param == "fallback":
        monkeypatch.setattr(follow, "Decoder", fallback.Decoder)


def log(start: float, steps: range) -> bytes:
    """A file of one writer."""
    parts = [frame(double(1, start) + message(3, b"brain.Event:2"))]
    for step in steps:
        value = message(1, b"loss") + single(2, step / 4)
        parts.append(
            frame(double(1, start + step) + whole(2, step) + message(5, message(1, value)))
        )
    return b"".join(parts)


LOG = log(1e9, range(60))


class Seen:
    """Steps in the order in which polls gave them."""

    def __init__(self, folder):
        self.reader = reader.open_source(Source(reader.FORMAT, folder))
        self.steps, self.notices, self.config = [], [], {}

    def poll(self, final=False):
        chunk = self.reader.poll(final)
        self.steps += [s for c in chunk.columns for s in c.step.tolist()]
        self.notices += chunk.notices
        self.config |= chunk.config
        return self


@pytest.mark.parametrize("name", [NAME + ".bak", "backup-" + NAME, "events.out.tfevents.1.old"])
@pytest.mark.parametrize("size", [len(LOG), len(LOG) // 2, 40, 21])
def test_a_copy_is_read_once(tmp_path, name, size):
    (tmp_path / NAME).write_bytes(LOG)
    (tmp_path / name).write_bytes(LOG[:size])
    seen = Seen(tmp_path).poll(final=True)
    assert seen.steps == list(range(60))
    (notice,) = seen.notices
    assert (notice.kind, notice.lost) == ("assumed", 0)
    assert {notice.where, notice.message.split(":")[0].removeprefix("it begins like ")} == {
        NAME,
        name,
    }


def test_writers_that_begin_at_other_times_are_no_copies(tmp_path):
    (tmp_path / NAME).write_bytes(LOG)
    (tmp_path / "events.out.tfevents.1700000000.host.2.0").write_bytes(log(1e9 + 1e-6, range(9)))
    seen = Seen(tmp_path).poll(final=True)
    assert sorted(seen.steps) == sorted([*range(60), *range(9)])
    assert seen.notices == []


def test_a_copy_that_went_on_by_itself_keeps_what_is_its_own(tmp_path):
    own = log(1e9, range(100, 130))[len(log(1e9, range(0))) :]
    first = LOG[: len(log(1e9, range(20)))]
    (tmp_path / NAME).write_bytes(LOG)
    (tmp_path / (NAME + ".fork")).write_bytes(first + own)
    seen = Seen(tmp_path).poll(final=True)
    assert sorted(seen.steps) == [*range(60), *range(100, 130)]
    assert [n.kind for n in seen.notices] == ["assumed"]


def test_damage_in_the_shared_part_is_told_and_costs_one_record(tmp_path):
    data = bytearray(LOG)
    data[len(LOG) // 2] ^= 1
    (tmp_path / NAME).write_bytes(data)
    (tmp_path / (NAME + ".bak")).write_bytes(data[:-300])
    seen = Seen(tmp_path).poll(final=True)
    assert len(seen.steps) == len(set(seen.steps)) == 59
    assert sorted(n.kind for n in seen.notices) == ["assumed", "corrupt"]


@pytest.mark.parametrize("seed", range(30))
def test_copies_that_grow_give_each_record_once(tmp_path, seed):
    """Several synchronisations of one log, each at its own pace, some made anew, some removed."""
    rng = random.Random(seed)
    names = [NAME, NAME + ".1", "0-" + NAME][: rng.choice([2, 3])]
    sizes = dict.fromkeys(names, 0)
    seen = Seen(tmp_path)
    for _ in range(25):
        name = rng.choice(names)
        path = tmp_path / name
        sizes[name] = min(len(LOG), sizes[name] + rng.choice([5, 30, 200, 900]))
        if rng.random() < 0.3:
            (tmp_path / "new").write_bytes(LOG[: sizes[name]])
            os.replace(tmp_path / "new", path)
        else:
            with open(path, "ab") as file:
                file.write(LOG[path.stat().st_size : sizes[name]])
        if rng.random() < 0.6:
            seen.poll()
    (tmp_path / names[0]).write_bytes(LOG)
    seen.poll()
    seen.poll(final=True)
    assert sorted(seen.steps) == list(range(60))
    assert {n.kind for n in seen.notices} <= {"assumed", "torn-tail"}


def test_settings_beside_the_events(tmp_path):
    (tmp_path / NAME).write_bytes(LOG)
    (tmp_path / "hparams.yaml").write_text("lr: 0.1\nmodel:\n  depth: 4\n")
    seen = Seen(tmp_path).poll()
    assert seen.config == {"lr": 0.1, "model": {"depth": 4}}
    assert reader.files(Source(reader.FORMAT, tmp_path)) == [
        tmp_path / NAME,
        tmp_path / "hparams.yaml",
    ]
    assert seen.reader.poll().config == {}
    (tmp_path / "hparams.yaml").write_text("lr: 0.25\n")
    assert seen.poll().config["lr"] == 0.25


def test_settings_that_are_half_written_are_told_at_the_end(tmp_path):
    (tmp_path / NAME).write_bytes(LOG)
    (tmp_path / "hparams.yaml").write_text("lr: [0.1, \n")
    seen = Seen(tmp_path).poll()
    assert (seen.config, seen.notices) == ({}, [])
    seen.poll(final=True)
    assert [(n.kind, n.where) for n in seen.notices] == [("corrupt", "hparams.yaml")]
    assert len(seen.steps) == 60
