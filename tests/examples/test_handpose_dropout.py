"""The story of the hand poses: what is noise, what dropout does, and what nobody can tell."""

import json
import math
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("aim")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402 - after the skip

import trainlens  # noqa: E402 - after the skip
from examples.handpose_dropout import sample  # noqa: E402 - after the skip
from examples.handpose_dropout.data import MILLIMETRES, Sizes, record  # noqa: E402
from examples.handpose_dropout.kinematics import (  # noqa: E402
    forward_kinematics,
    rotate,
    sample_angles,
)
from examples.handpose_dropout.model import joint_error, losses, network  # noqa: E402
from examples.handpose_dropout.story import STORY, baseline  # noqa: E402
from examples.handpose_dropout.train import Hands, Training  # noqa: E402
from trainlens_torch.config import TrainingConfig  # noqa: E402

SEEDS = 3
COPIES = {".aim", "log.txt"}


# --- the story ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def comparison(told):
    return json.loads((told[1] / "comparison" / "comparison.json").read_text())


def test_it_ends_as_it_is_to(told):
    said, _ = told
    assert "found in every run: validation-noise, gap-growth" in said
    assert "after the treatment: no fault" in said
    assert "test/mpjpe: indistinguishable; treated is" in said
    assert re.search(r"95 % interval \S+ to \S+, which contains 0", said)


def test_the_patch_is_the_cure_of_the_validation_and_a_trial_for_dropout(told):
    patch = json.loads((told[1] / "patch.json").read_text())
    assert patch["patch"] == {
        "val_seed": 42, "validation.samples": 24, "dropout.start": 167, "dropout.target": 0.1,
    }  # fmt: skip
    assert patch["because"]["val_seed"] == "validation-noise"
    assert patch["because"]["dropout.start"] == "gap-growth"
    assert "gap-growth" in patch["unmeasured"]
    treated = TrainingConfig.load(told[1] / "treated.toml")
    assert (treated.validation.seed, treated.validation.samples) == (42, 24)
    assert treated.dropout.start == 167


def test_each_run_is_counted_once_though_written_three_times(told):
    runs = list(trainlens.load(told[1] / "runs"))
    assert [run.format for run in runs] == ["jsonl"] * 2 * SEEDS
    for run in runs:
        folder = Path(run.source).parent
        assert {path.name for path in folder.iterdir()} >= COPIES | {"log.jsonl", "aim.run"}
        assert (folder / "log.jsonl").stat().st_size < 100_000
    assert "not counted again: .aim, log.txt" in told[0]


def test_the_text_log_has_the_line_that_people_read(told):
    line = re.compile(r"\d+/1000 lr=\d\.\d{4}e-\d\d dropout=0\.[01]00 total=\S+ loss_theta=\S+")
    lines = (told[1] / "runs/treated/seed-0/log.txt").read_text().splitlines()
    shown = [x for x in lines if " lr=" in x]
    assert len(shown) == 11
    assert all(line.fullmatch(x) for x in shown)
    rates = {int(x.split("/")[0]): x.split("dropout=")[1][:5] for x in shown}
    assert (rates[100], rates[200]) == ("0.000", "0.100")


def test_the_copies_hold_what_the_log_holds(told):
    folder = told[1] / "runs/baseline/seed-1"
    native = trainlens.load_one(folder / "log.jsonl")
    (aim,) = trainlens.load(folder / ".aim")
    assert aim.series.keys() == native.series.keys()
    assert ("dropout_rate", "train") in aim.series
    text = trainlens.load_one(folder / "log.txt")
    for key in (("mpjpe", "val"), ("mpjpe", "test")):
        assert aim[key].value == pytest.approx(native[key].value)
        assert text[key].value == pytest.approx(native[key].value, abs=5e-4)
        assert list(text[key].step) == list(native[key].step)


def test_the_noise_is_gone_and_the_targets_are_met(comparison):
    assert [one["status"] for one in comparison["expectations"]] == ["met"] * 4
    noise = next(one for one in comparison["expectations"] if "0.5 x baseline" in str(one))
    assert noise["actual"] < 0.3 * noise["before"]


def test_matched_steps_have_an_interval_and_the_gap_a_row(comparison):
    rows = {(row["split"], row["metric"]): row for row in comparison["metrics"]}
    row = rows["test", "mpjpe"]
    assert row["verdict"] == STORY.verdict == "indistinguishable"
    low, high = row["difference"]["interval"]
    assert low < 0 < high
    assert [one["step"] for one in row["at"]] == [75, 150, 175, 1000]
    assert all(one["interval"][0] < one["interval"][1] for one in row["at"])
    assert {gap["split"] for gap in comparison["gaps"]} == {"val", "test"}


def test_other_validation_data_are_a_caution(comparison):
    said = [c["message"] for c in comparison["cautions"] if c["kind"] == "validation-data"]
    assert any(text.startswith("val_seed") for text in said)
    assert any(text.startswith("validation.samples is 6") for text in said)


def test_the_report_lies_there(told):
    _, folder = told
    for name in ("index.html", "report.json", "comparison/index.html", "story.md"):
        assert (folder / name).stat().st_size > 2000
    assert sorted(folder.glob("*.png"))


# --- hands ----------------------------------------------------------------------------------


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_stretched_hand_is_as_long_as_its_bones():
    points = forward_kinematics(torch.zeros(1, 5, 4))[0]
    assert points.shape == (21, 3)
    assert torch.equal(points[0], torch.zeros(3))
    middle = points[9:13]  # leaves the palm 2 mm beside the wrist's line, and points along it
    assert middle[:, 0].tolist() == pytest.approx([-2.0] * 4)
    assert middle[:, 1].tolist() == pytest.approx([95.0, 141.0, 171.0, 192.0])
    assert not points[:, 2].any()


def test_a_finger_that_is_bent_by_a_right_angle_points_away_from_the_palm():
    angles = torch.zeros(1, 5, 4)
    angles[0, 2, 1] = math.pi / 2
    finger = forward_kinematics(angles)[0, 9:13]
    assert finger[:, 1].tolist() == pytest.approx([95.0] * 4, abs=1e-4)
    assert finger[:, 2].tolist() == pytest.approx([0.0, -46.0, -76.0, -97.0])


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_no_pose_changes_the_length_of_a_bone(seed):
    hands = forward_kinematics(sample_angles(7, generator(seed)))
    turned = rotate(hands, generator(seed + 1))
    flat = forward_kinematics(torch.zeros(1, 5, 4))
    wanted = bones(flat)
    assert torch.allclose(bones(hands), wanted.expand(7, -1), atol=1e-3)
    assert torch.allclose(bones(turned), wanted.expand(7, -1), atol=1e-3)


def bones(hands):
    fingers = hands[:, 1:].reshape(len(hands), 5, 4, 3)
    return fingers.diff(dim=2).norm(dim=-1).flatten(1)


def test_hands_of_one_recording_are_turned_alike():
    same = forward_kinematics(torch.zeros(6, 5, 4))
    turned = rotate(same, generator(), alike=3)
    assert torch.allclose(turned[0], turned[2])
    assert not torch.allclose(turned[2], turned[3], atol=1.0)


def test_recordings_differ_more_than_their_frames_do():
    poses = record(40, 20, generator()).poses
    assert [tuple(field.shape) for field in poses] == [(40, 20, 42), (40, 20, 63), (40, 20, 20)]
    within = poses.points.std(1).mean()
    assert poses.points.mean(1).std(0).mean() > within
    seen = poses.points.unflatten(-1, (21, 3))[..., :2].flatten(2)
    off = MILLIMETRES * (poses.seen - seen).std((1, 2))
    assert 1.0 < off.median() < 4.0
    assert off.max() > 2 * off.median()


def test_frames_are_the_same_poses_one_by_one():
    recordings = record(3, 4, generator())
    frames = recordings.frames()
    assert (len(recordings), len(frames)) == (3, 12)
    assert torch.equal(frames[7].seen, recordings[1].seen[3])
    batch = frames.__getitems__([7, 0])
    assert torch.equal(batch.angles, torch.stack([frames[7].angles, frames[0].angles]))


# --- network and training -------------------------------------------------------------------


def test_a_perfect_answer_costs_nothing_and_an_offset_its_length():
    poses = record(2, 3, generator()).poses
    perfect = torch.cat([poses.points, poses.angles], -1)
    assert all(value == 0 for value in losses(perfect, poses).values())
    assert not joint_error(perfect, poses).any()
    moved = torch.cat([poses.points + torch.tensor([0.03, 0.04, 0.0]).repeat(21), poses.angles], -1)
    assert joint_error(moved, poses).flatten().tolist() == pytest.approx([5.0] * 6, rel=1e-4)
    assert losses(moved, poses)["total"].item() == pytest.approx(100 * (9e-4 + 16e-4) / 3, rel=1e-4)
    assert network()(poses.seen).shape == (2, 3, 83)


def short(**changes):
    few = {"schedule.total": 40, "logging.sinks": ["jsonl"], "validation.every_steps": 10}
    return baseline(True).changed({**few, **changes})


@pytest.fixture(scope="module")
def hands():
    return Hands.recorded(Sizes(train=4, validation=12, test=4, frames=5))


def test_the_seed_is_all_that_tells_two_trainings_apart(tmp_path, hands):
    def values(seed, name):
        own = short(**{"data.seed": seed})
        training = Training(own, hands)
        with own.logger(tmp_path / name, training.scheduler) as log:
            training.run(log)
        run = trainlens.load_one(tmp_path / name / "log.jsonl")
        return {key: series.value.tolist() for key, series in run.series.items()}

    first = values(0, "a")
    assert values(0, "b") == first
    assert values(1, "c")["mpjpe", "test"] != first["mpjpe", "test"]
    assert len(first["mpjpe", "val"]) == 4


def test_without_a_seed_each_evaluation_draws_other_recordings(hands):
    training = Training(short(), hands)
    drawn = [training.error(training.validation) for _ in range(6)]
    assert len(set(drawn)) > 4
    seeded = Training(short(**{"validation.seed": 42}), hands)
    assert len({seeded.error(seeded.validation) for _ in range(6)}) == 1


def test_dropout_begins_where_the_configuration_says(hands):
    training = Training(short(**{"dropout.start": 20}), hands)
    rates = []
    for _ in range(30):
        training.scheduler.apply()
        rates.append(training.scheduled()["dropout_rate"])
        training.clock.tick()
    assert rates == [0.0] * 20 + [0.1] * 10


def test_the_benchmark_does_not_depend_on_what_is_validated_on():
    held = [Hands.recorded(Sizes(train=2, validation=3, test=2, frames=2)) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*(one.test.poses for one in held), strict=True))
    with pytest.raises(ValueError, match="recordings to train"):
        Hands.recorded(Sizes(train=0))


# --- the sample runs ------------------------------------------------------------------------


class Here(ThreadPoolExecutor):
    """In place of processes, whose start would cost more than the trainings."""

    def __init__(self, workers, mp_context):
        super().__init__(1)


@pytest.mark.filterwarnings("ignore")
def test_the_stock_sdk_reads_the_sample(tmp_path, monkeypatch, capfd):
    from aim.sdk.repo import Repo

    monkeypatch.setattr(sample, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(sample, "_SIZES", Sizes(4, 120, 0, 2))
    for name in ("aim", "text"):
        (tmp_path / name).mkdir()
    sample.write_sample(tmp_path / "aim", tmp_path / "text", 600)
    capfd.readouterr()
    assert {path.name for path in (tmp_path / "text").iterdir()} == {
        "fixed-dropout.log", "progressive-dropout.log",
    }  # fmt: skip
    for path in (tmp_path / "aim").rglob("*"):
        assert not path.name.startswith("LOG") or path.name == "LOCK"
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes()
    shutil.copytree(tmp_path / "aim", tmp_path / "copy")
    runs = {run.name: run for run in Repo(str(tmp_path / "copy")).iter_runs()}
    assert runs.keys() == {"fixed-dropout", "progressive-dropout"}
    for name, run in runs.items():
        sizes = {
            (m.name, m.context.to_dict()["subset"]): len(m.values.sparse_list()[0])
            for m in run.metrics()
        }
        assert sizes == {
            ("total", "train"): 6, ("loss_theta", "train"): 6, ("lr", "train"): 6,
            ("dropout_rate", "train"): 6, ("mpjpe", "train"): 1, ("mpjpe", "val"): 1,
        }  # fmt: skip
        assert run["hparams"]["dropout_warmup_step"] == (0 if name == "fixed-dropout" else 10_000)
        assert run.end_time is not None
        lines = (tmp_path / "text" / f"{name}.log").read_text().splitlines()
        rate = "0.100" if name == "fixed-dropout" else "0.000"
        assert sum(f" dropout={rate} total=" in line for line in lines) == 6
