"""The story of the standstill: the faults are real, are found, and the prescription mends them."""

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402 - after the skip
from torch import nn  # noqa: E402 - after the skip

import trainlens  # noqa: E402 - after the skip
from examples.decode_stagnation import train as training  # noqa: E402 - after the skip
from examples.decode_stagnation.frames import (  # noqa: E402 - after the skip
    CHANNELS,
    SIZE,
    SOURCES,
    Frames,
    draw,
    spot,
)
from examples.decode_stagnation.network import (  # noqa: E402 - after the skip
    counted,
    localizer,
    squared_distance,
)
from examples.decode_stagnation.story import HERE, STORY, baseline  # noqa: E402 - after the skip
from trainlens_torch.config import TrainingConfig  # noqa: E402 - after the skip

STANDSTILL = (SOURCES / SIZE**2 + 4 / 3 + 0.5 / 3) / 6
"""Loss of a network that says 0: a third of each channel that is even between -1 and 1."""


@pytest.fixture(scope="module")
def compared(told):
    return json.loads((told[1] / "comparison" / "comparison.json").read_text())


def test_it_ends_as_it_is_to(told):
    said, _ = told
    assert f"found in every run: {', '.join(STORY.faults)}" in said
    assert "after the treatment: no fault" in said
    assert "val/rmse_nm: better" in said
    assert "It was lowered before the loss had fallen at all." in " ".join(said.split())
    assert "Ready: a training can start here." in said


def test_no_run_of_the_baseline_has_another_fault(told):
    found = trainlens.diagnose_all(list(trainlens.load(told[1] / "runs" / "baseline")))
    assert len(found) == 3
    for one in found:
        grave = {f.rule for f in one.results if f.failed and f.severity.value != "info"}
        assert grave == set(STORY.faults)


def test_the_prescription_is_the_cure(told):
    patch = json.loads((told[1] / "patch.json").read_text())["patch"]
    assert patch == {
        "model.init": "kaiming", "scheduler.warmup_steps": 100, "gradient.clip_norm": 1.0,
        "plateau.patience": 50, "plateau.factor": 0.7, "plateau.min_lr": 1e-6, "optimizer.lr": 5e-4,
    }  # fmt: skip


def test_the_verdict_has_an_interval(compared):
    rows = {f"{row['split']}/{row['metric']}": row for row in compared["metrics"]}
    row = rows["val/rmse_nm"]
    low, high = row["difference"]["interval"]
    assert row["verdict"] == "better"
    assert -42 < low <= high < -5
    assert rows["train/loss"]["verdict"] == rows["val/loss"]["verdict"] == "better"


def test_targets_are_met_as_far_as_the_short_form_goes(compared):
    said = {}
    for one in compared["expectations"]:
        said.setdefault(one["label"].partition(",")[0], set()).add(one["status"])
    assert said == {
        "short term": {"met"},
        "middle term": {"met"},
        "long term": {"cannot-judge"},
        "nothing is broken": {"met"},
        "what was prescribed": {"met"},
    }


def test_the_monitor_tells_begin_and_end_and_finds_no_fault(told):
    said = told[0].partition("$ trainlens monitor")[2].partition("```")[0]
    assert "seed-2: step 600 of 600" in said
    assert "NEW warning" not in said
    assert "NEW error" not in said


def test_the_rate_is_raised_in_the_treated_runs_and_never_before(told):
    for arm, raised in (("baseline", False), ("treated", True)):
        for run in trainlens.load(told[1] / "runs" / arm):
            factor = run["lr_factor", "train"].value
            assert bool((np.diff(factor) > 0).any()) is raised
            assert bool((np.diff(factor) < 0).any()) is not raised


def test_the_report_lies_there_and_the_logs_are_small(told):
    folder = told[1]
    for name in ("index.html", "comparison/index.html", "story.md", "treated.toml"):
        assert (folder / name).stat().st_size > 0
    logs = [*folder.glob("runs/*/*/log.jsonl"), *folder.glob("runs/*/*/tb/*")]
    assert len(logs) == 12
    assert max(log.stat().st_size for log in logs) < 300_000


def test_the_configuration_is_in_the_words_of_decode():
    lines = []
    config = TrainingConfig.load(HERE / "config.json", tell=lines.append)
    assert config.optimizer.lr == 1e-4
    own = config.adaptive_lr
    assert (own.mode, own.patience, own.factor, own.min_lr) == ("seed", 10, 0.5, 1e-6)
    assert config.loss.channel_weights == (1.0, 1.0, 1.0, 1.0, 1.0, 0.5)
    assert "training.lr_first is read as optimizer.lr=0.0001" in lines
    assert config["schedule.total"] == baseline(short=False)["schedule.total"] == "500ep"


def test_the_light_of_a_spot_is_all_on_its_line():
    light = spot(torch.tensor([6.0, 6.25]), torch.tensor([0.5, 0.9]))
    assert torch.allclose(light.sum(1), torch.ones(2), atol=1e-5)
    assert torch.allclose(light[0], light[0].flip(0), atol=1e-6)
    assert light[1].argmax() == 6


@settings(max_examples=20)
@given(seed=st.integers(0, 2**40), count=st.integers(1, 30))
def test_frames_hold_what_their_targets_say(seed, count):
    scene = draw(count, torch.Generator().manual_seed(seed))
    assert scene.image.shape == (count, 1, SIZE, SIZE)
    assert scene.target.shape == (count, len(CHANNELS), SIZE, SIZE)
    assert float(scene.target.abs().max()) <= 1.0
    there = scene.target[:, 0]
    assert set(there.unique().tolist()) <= {0.0, 1.0}
    assert int(there.sum(dim=(1, 2)).max()) <= SOURCES
    assert bool((scene.target[:, 1:5] * (1 - there[:, None]) == 0).all())
    ground = scene.target[:, 5]
    assert torch.equal(ground, ground[:, :1, :1].expand_as(ground))


def test_the_brightness_of_a_frame_is_that_of_its_sources():
    scene = draw(400, torch.Generator().manual_seed(1))
    photons = (1000 * scene.target[:, 1] + 1500 * scene.target[:, 0]).sum(dim=(1, 2))
    ground = (5 * scene.target[:, 5] + 10).sum(dim=(1, 2))
    seen = 100 * scene.image.sum(dim=(1, 2, 3))
    assert (seen / (photons + ground)).mean() == pytest.approx(1.0, abs=0.03)


def test_an_epoch_has_always_the_same_frames_and_another_one_others():
    one, again = Frames(4, seed=3), Frames(4, seed=3)
    first = one.scene.image.clone()
    one.renew(1)
    assert not torch.equal(one.scene.image, first)
    one.renew(0)
    assert torch.equal(one.scene.image, again.scene.image)
    assert not torch.equal(first, Frames(4, seed=4).scene.image)


def test_what_counts_and_how_far_off_it_is():
    target = torch.zeros(1, len(CHANNELS), 3, 3)
    target[0, :5, 1, 2] = torch.tensor([1.0, 0.3, 0.6, -0.8, 0.1])
    mask = counted(target)
    assert mask.sum().item() == 9 + 4 + 9
    assert mask[0, :, 1, 2].all()
    (away,) = squared_distance(torch.zeros_like(target), target)
    assert math.sqrt(away) == pytest.approx(50.0)  # half a pixel of 100 nm


def test_the_first_values_let_nothing_through_and_the_loss_is_that_of_the_means():
    torch.manual_seed(0)
    model, scene = localizer(), draw(500, torch.Generator().manual_seed(2))
    through, levels = scene.image, []
    for layer in model:
        through = layer(through)
        if isinstance(layer, nn.ReLU):
            levels.append(through.std().item())
    assert levels[0] / levels[-1] > 100
    loss = baseline(short=True).channel_loss()(through, scene.target, counted(scene.target))
    assert loss.item() == pytest.approx(STANDSTILL, rel=0.02)


def test_a_training_that_was_cut_goes_on_to_the_same_log(tmp_path, monkeypatch):
    config = baseline(short=True).changed(
        {"schedule.total": "12ep", "checkpoints.every": 24, "adaptive_lr.patience": 2,
         "validation.every_steps": 8, "health.enabled": False, "logging.sinks": ("jsonl",)}
    )  # fmt: skip
    whole = trainlens.load_one(training.train(config, 0, tmp_path / "whole"))
    plain, calls = training.Training.epoch, []

    def cut(self):
        calls.append(self)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return plain(self)

    monkeypatch.setattr(training.Training, "epoch", cut)
    with pytest.raises(KeyboardInterrupt):
        training.train(config, 0, tmp_path / "cut")
    monkeypatch.setattr(training.Training, "epoch", plain)
    resumed = trainlens.load_one(training.train(config, 0, tmp_path / "cut"))
    assert resumed.attempts == 2
    for key, series in whole.series.items():
        there = resumed.series[key].effective
        assert there.step.tolist() == series.step.tolist()
        assert np.array_equal(there.value, series.value), key
