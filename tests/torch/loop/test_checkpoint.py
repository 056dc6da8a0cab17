"""Checkpoints bring back everything, or nothing, and say why."""

import json
import os
import random
import shutil
import warnings
import zipfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - after the skip

from tests.torch.loop.training import UPDATES, Whole  # noqa: E402
from tests.torch.resume.test_resume import same  # noqa: E402
from trainlens.errors import NotFound, OutputError, UsageError  # noqa: E402
from trainlens_torch.clock import Clock  # noqa: E402
from trainlens_torch.loop import Checkpointer, plain  # noqa: E402
from trainlens_torch.loop import parts as states  # noqa: E402
from trainlens_torch.randomness import RandomState  # noqa: E402
from trainlens_torch.record.logger import RunLogger  # noqa: E402
from trainlens_torch.scheduler import Scheduler  # noqa: E402
from trainlens_torch.schedules import Cosine, Linear  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def lone(folder, **options):
    """A clock and its checkpoints."""
    clock = Clock(1000)
    return clock, Checkpointer(folder, {"clock": clock}, **options)


@pytest.mark.parametrize("cut", [0, 1, 5, UPDATES])
def test_resumed_is_uninterrupted_to_the_bit(cut, tmp_path):
    whole, told = Whole(tmp_path / "a"), []
    for update in range(UPDATES):
        if update == cut:
            whole.saver.save(update)
        told.append(whole.update())
    if cut == UPDATES:
        whole.saver.save(cut)
    again = Whole(tmp_path / "a", seed=1)
    random.seed(9), np.random.seed(9), torch.manual_seed(9)
    found = again.saver.resume()
    assert (found.step, found.passed_over) == (cut, ())
    assert [again.update() for _ in range(UPDATES - cut)] == told[cut:]
    same(again.everything(), whole.everything())


PARTS = (
    "model", "optimizer", "scheduler", "clip", "ema", "scaler", "noise", "stopping", "batch",
    "shuffle", "sampler", "random numbers",
)  # fmt: skip


@pytest.mark.parametrize("without", PARTS)
def test_each_part_has_a_share_in_it(without, tmp_path, monkeypatch):
    """The test above would show a part that is not brought back."""
    whole = Whole(tmp_path)
    for _ in range(5):
        whole.update()
    whole.saver.save(5)
    told = [whole.update() for _ in range(4)]
    again = Whole(tmp_path, seed=1)
    if without == "random numbers":
        monkeypatch.setattr(RandomState, "put_back", lambda self: None)
    else:
        load = states.load

        def all_but_one(name, part, saved):
            if name != without:
                load(name, part, saved)

        monkeypatch.setattr(states, "load", all_but_one)
    again.saver.resume()
    ours = [again.update() for _ in range(4)]
    average = {n: torch.equal(v, whole.everything()[n]) for n, v in again.everything().items()}
    assert ours != told or not all(average.values())


def test_the_log_goes_on_with_the_training(tmp_path):
    def records(run):
        lines = (tmp_path / run / "log.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines if "step" in line.split(":")[0]]

    with RunLogger(tmp_path / "whole") as log:
        whole = Whole(tmp_path / "x", log=log)
        for _ in range(UPDATES):
            whole.update()
    with RunLogger(tmp_path / "cut") as log:
        first = Whole(tmp_path / "y", log=log)
        for update in range(7):
            if update == 5:
                first.saver.save(update)
                assert len(records("cut")) == 5  # what led to the checkpoint is on the disk
            first.update()
    with RunLogger(tmp_path / "cut") as log:
        second = Whole(tmp_path / "y", log=log)
        second.saver.resume()
        for _ in range(UPDATES - 5):
            second.update()
    expected = {r["step"]: (r["losses"], r["stats"]) for r in records("whole")}
    ours = [(r["step"], (r["losses"], r["stats"])) for r in records("cut")]
    assert [step for step, _ in ours] == [*range(1, 8), *range(6, UPDATES + 1)]
    assert all(values == expected[step] for step, values in ours)


def test_rotation_keeps_the_newest_and_the_best(tmp_path):
    for mode, best in (("min", 2), ("max", 4)):
        clock, saver = lone(tmp_path / mode, keep=2, keep_best=1, mode=mode)
        for step, metric in enumerate([3.0, None, 0.5, float("nan"), 4.0, 1.0, 2.0, 3.0]):
            clock.tick()
            saver.save(step, metric=metric)
        kept = [f"save-{i:06d}-step-{i}" for i in (best, 6, 7)]
        assert names(tmp_path / mode) == kept
        assert saver.best().name == kept[0]
        found = saver.resume(saver.best())
        assert (found.step, clock.updates) == (best, best + 1)
        assert saver.resume(kept[1]).metric == 2.0  # by its name, too


def test_the_newest_is_found_by_its_content_not_by_its_time(tmp_path):
    clock, saver = lone(tmp_path)
    for step in (1, 2, 30):
        saver.save(step)
    for i, name in enumerate(reversed(names(tmp_path))):
        os.utime(tmp_path / name, (i + 1e9, i + 1e9))
    assert saver.resume().step == 30
    saver.resume(tmp_path / names(tmp_path)[0])
    saver.save(2)  # a training that went back: what was saved last counts
    assert saver.resume().step == 2
    assert Checkpointer(tmp_path / "none", {"clock": clock}).resume() is None


def model_and_all(folder, width=4, lr=0.1, schedule=None, **options):
    torch.manual_seed(width)
    model = nn.Sequential(nn.Linear(3, width), nn.Linear(width, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=options.pop("decay", 0.1))
    scheduler = Scheduler(optimizer, Clock(options.pop("total", 100)), lr=schedule or Cosine())
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    return (
        model,
        optimizer,
        scheduler,
        Checkpointer(folder, {**parts, **options.pop("more", {})}, **options),
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"width": 5}, r"tensors.0.weight was 'float32\[4, 3\]', is 'float32\[5, 3\]'"),
        ({"lr": 0.2}, r"parts.optimizer.groups\[0\].lr was 0.1, is 0.2"),
        ({"decay": 0.0}, r"groups\[0\].weight_decay was 0.1, is 0.0"),
        ({"schedule": Linear()}, "scheduler: the Scheduler was made with another configuration"),
        ({"total": 50}, "scheduler: .*total was '100ba', is '50ba'"),
        ({"more": {"clock": Clock(9)}}, "parts.clock was not there"),
        ({"config": {"data": "b"}}, "config.data was 'a', is 'b'"),
    ],
)
def test_another_setting_is_named_and_nothing_is_loaded(change, says, tmp_path):
    config = {"data": "a"}
    model, optimizer, scheduler, saver = model_and_all(tmp_path, config=config)
    for _ in range(3):
        scheduler.apply()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
        scheduler.clock.tick()
    saver.save(3)
    model, optimizer, scheduler, saver = model_and_all(tmp_path, **{"config": config, **change})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rates, state = scheduler.get_last_lr(), torch.get_rng_state()
    with pytest.raises(StateMismatch, match=says):
        saver.resume()
    same(model.state_dict(), before)
    assert (scheduler.get_last_lr(), scheduler.clock.updates) == (rates, 0)
    assert optimizer.state_dict()["state"] == {}
    assert torch.equal(torch.get_rng_state(), state)


def test_a_change_that_is_meant_is_allowed(tmp_path):
    _, _, _, saver = model_and_all(tmp_path, config={"data": "a"})
    saver.save(0)
    _, _, _, saver = model_and_all(tmp_path, decay=0.0, config={"data": "b"})
    assert saver.resume(allow=["optimizer", "config"]).step == 0


def test_a_part_that_refuses_leaves_the_others_as_they_were(tmp_path):
    class Picky:
        def __init__(self, fine=True):
            self.fine = fine

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            if not self.fine:
                raise KeyError("nothing is good enough")

    def made(fine):
        clock = Clock(10)
        return clock, Checkpointer(tmp_path, {"clock": clock, "picky": Picky(fine)})

    clock, saver = made(True)
    clock.tick()
    saver.save(1)
    clock, saver = made(False)
    with pytest.raises(StateMismatch, match="picky: 'nothing is good enough'"):
        saver.resume()
    assert clock.updates == 0


def test_wrappers_leave_no_trace_in_the_names(tmp_path):
    torch.manual_seed(0)
    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    Checkpointer(tmp_path, {"model": torch.compile(first, backend="eager")}).save(0)
    Checkpointer(tmp_path, {"model": nn.DataParallel(second)}).resume()
    same(second.state_dict(), first.state_dict())


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"a": [1, {"b": np.ones(2)}]}, r"part\['a'\]\[1\]\['b'\] is a numpy.ndarray"),
        ({"f": print}, r"part\['f'\] is a builtins.builtin_function_or_method"),
        ({"o": object()}, "builtins.object: a state_dict"),
    ],
)
def test_a_state_that_could_not_be_loaded_is_not_saved(state, says, tmp_path):
    class Odd:
        def state_dict(self):
            return state

        def load_state_dict(self, state):
            pass

    saver = Checkpointer(tmp_path, {"part": Odd()})
    with pytest.raises(UsageError, match=says):
        saver.save(0)
    assert names(tmp_path) == []


def test_plain_states_come_back_as_they_were(tmp_path):
    state = {
        "f": np.float64(0.1), "i": np.int32(7), "big": 2**127 + 1, "t": (1, [2.5, None]),
        "s": {1, 2}, "nan": float("nan"), 3: torch.bfloat16, "b": b"\0", "x": torch.ones(2).half(),
    }  # fmt: skip
    plain.save(plain.plain(state, "x"), tmp_path / "a")
    found = plain.load(tmp_path / "a")
    assert torch.equal(found.pop("x"), state.pop("x"))
    assert found.pop("nan") != state.pop("nan")
    assert found == state
    assert zipfile.is_zipfile(tmp_path / "a")
    model = nn.BatchNorm1d(3).state_dict()
    plain.save(plain.plain(model, "m"), tmp_path / "m")
    assert plain.load(tmp_path / "m")._metadata == model._metadata


@pytest.mark.parametrize("at", ["shared.pt", "rank0.pt", "manifest.json"])
def test_a_full_disk_leaves_what_was_there(at, tmp_path, monkeypatch):
    clock, saver = lone(tmp_path)
    clock.tick()
    saver.save(1)
    before = names(tmp_path)

    def full(descriptor, real=os.fsync):
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(at):
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot be written: No space left.*still there"):
        saver.save(2)
    assert names(tmp_path) == before
    monkeypatch.undo()
    assert saver.resume().step == 1
    assert saver.save(2).name == "save-000001-step-2"


def test_a_write_that_fails_within_torch_is_told(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        plain.save({"x": torch.ones(1 << 16)}, tmp_path / "full")


def test_what_was_left_unfinished_is_cleared_away(tmp_path):
    _, saver = lone(tmp_path)
    left = tmp_path / ".unfinished-save-000000-step-7"
    left.mkdir()
    (left / "shared.pt").write_bytes(b"half")
    assert saver.resume() is None
    saver.save(1)
    assert names(tmp_path) == ["save-000000-step-1"]


def test_foreign_things_in_the_folder_are_left_alone(tmp_path):
    _, saver = lone(tmp_path, keep=1, keep_best=0)
    (tmp_path / "save-me.txt").write_text("x")
    shutil.copytree(saver.save(1), tmp_path / "mine")
    saver.save(2)
    assert names(tmp_path) == ["mine", "save-000001-step-2", "save-me.txt"]
    with pytest.raises(NotFound, match="there is no checkpoint"):
        saver.resume(tmp_path / "mine")


@pytest.mark.parametrize(
    ("parts", "options", "error", "says"),
    [
        ({"log": object()}, {}, UsageError, "'log' is a object, which has no state_dict"),
        (
            {"a": Clock(1)},
            {"of_rank": {"a": Clock(1)}},
            UsageError,
            "'a' is given as a part of all",
        ),
        ({}, {"keep": 0}, ValueError, "keep must be 1"),
        ({}, {"keep_best": -1}, ValueError, "keep_best must be 0"),
        ({}, {"mode": "low"}, UsageError, "mode is"),
    ],
)
def test_bad_settings(parts, options, error, says, tmp_path):
    with pytest.raises(error, match=says):
        Checkpointer(tmp_path, parts, **options)


def test_another_number_of_ranks(tmp_path):
    clock, saver = lone(tmp_path)
    clock.tick()
    path = saver.save(1)
    shutil.copy(path / "rank0.pt", path / "rank1.pt")
    told = json.loads((path / "manifest.json").read_text())
    told["files"]["rank1.pt"] = told["files"]["rank0.pt"]
    (path / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(StateMismatch, match="saved by 2 ranks, here are 1"):
        saver.resume()
    clock.tick()
    state = torch.get_rng_state()
    torch.rand(3)
    moved = torch.get_rng_state()
    assert saver.resume(allow=["ranks"]).step == 1
    assert clock.updates == 1
    assert torch.equal(torch.get_rng_state(), moved)
    assert not torch.equal(state, moved)


def test_loading_warns_of_nothing(tmp_path):
    _, saver = lone(tmp_path)
    saver.save(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saver.resume(fallback=True)
