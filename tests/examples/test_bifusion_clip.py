"""The story of the fusion gate: rooms and cameras, the model, and what comes of it."""

import json
import math
from dataclasses import fields
from itertools import islice

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402 - after the skip

import trainlens  # noqa: E402 - after the skip
from examples.bifusion_clip.data import Recordings, held_out, record, recordings  # noqa: E402
from examples.bifusion_clip.model import BiFusion  # noqa: E402 - after the skip
from examples.bifusion_clip.rooms import CLASSES, POINTS, Camera, looks, room  # noqa: E402
from examples.bifusion_clip.story import STORY, baseline  # noqa: E402 - after the skip
from examples.bifusion_clip.train import mean_iou, train  # noqa: E402 - after the skip
from trainlens_torch.config import TrainingConfig  # noqa: E402 - after the skip

SEEDS = (0, 1, 2)


def logs(told, side):
    return {
        run.name: run for run in trainlens.load(*sorted((told[1] / "runs" / side).glob("*.jsonl")))
    }


# --- the story ------------------------------------------------------------------------------


def test_it_ends_as_it_is_to(told):
    said, folder = told
    assert "found in every run: polarized-gate, low-coverage, loss-spike" in said
    assert "after the treatment: no fault" in said
    assert "val/miou: better; treated is higher by" in said
    for name in ("story.md", "index.html", "comparison/index.html", "patch.json", "treated.toml"):
        assert (folder / name).stat().st_size > 0


def test_the_log_says_what_makes_the_spikes(told):
    assert "batches of which few inputs are valid: valid_ratio is" in told[0]
    assert "coverage_weight falls from" not in told[0].partition("## 3.")[0]


def test_the_prescription_is_the_cure(told):
    patch = json.loads((told[1] / "patch.json").read_text())
    assert patch["patch"] == {
        "clip_loss.coverage_threshold": 0.6, "clip_loss.soft_gate": True,
        "clip_loss.warmup_end_progress": 0.1, "clip_loss.ramp_duration_progress": 0.1,
        "clip_loss.gradient_flow_ratio": 0.1, "groups.clip_backbone": 0.1,
        "alpha_diversity.weight": 0.1, "gate.temperature": 2.0, "model.norm": "layernorm",
    }  # fmt: skip
    assert set(patch["because"].values()) == {"low-coverage", "polarized-gate"}
    treated = TrainingConfig.load(told[1] / "treated.toml")
    assert treated["clip_loss.gradient_flow_ratio"] == 0.1
    assert treated["groups.ratios"] == STORY.besides["groups.ratios"]


def test_the_verdict_is_one_on_all_seeds(told):
    document = json.loads((told[1] / "comparison" / "comparison.json").read_text())
    rows = {f"{row['split']}/{row['metric']}": row for row in document["metrics"]}
    found = rows["val/miou"]
    low, high = found["difference"]["interval"]
    assert found["verdict"] == "better"
    assert 0.2 < low <= found["difference"]["mean"] <= high < 0.5
    assert {one["status"] for one in document["expectations"]} == {"met"}
    # What shutting the gate brought for nothing has its price now, and that is said.
    assert rows["train/clip_loss"]["verdict"] == "worse"


def test_the_gate_shuts_before_and_stays_open_after(told):
    for side, ends in (("baseline", (0.9, 1.01)), ("treated", (0.1, 0.9))):
        runs = logs(told, side)
        assert len(runs) == len(SEEDS)
        for run in runs.values():
            assert ends[0] < run["alpha_mean", "train"].value[-30:].mean() < ends[1]


def test_the_weight_waits_and_follows_the_coverage(told):
    for run in logs(told, "treated").values():
        share = run["progress", "train"].value
        weight = run["w_clip", "train"].value
        # The weight of an update is that of the progress before it.
        assert (weight[share <= 0.1] == 0).all()
        assert weight[share > 0.21] == pytest.approx(0.2)
        coverage = run["valid_ratio", "train"].value
        counted = run["coverage_weight", "train"].value
        assert counted[coverage < 0.3].max() < 0.5 < 0.9 < counted[coverage > 0.8].min()


def test_logs_stay_small(told):
    sizes = [log.stat().st_size for log in (told[1] / "runs").glob("*/*.jsonl")]
    assert len(sizes) == 2 * len(SEEDS)
    assert max(sizes) < 200_000


# --- a training -----------------------------------------------------------------------------


def short(updates):
    return baseline(True).changed(
        {"schedule.total": updates, "schedule.warmup": 0, "validation.every_steps": 4}
    )


def points(path):
    """The values of a log, without its times."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "timestamp"} for line in lines if "step" in line]


def test_the_same_seed_gives_the_same_log(tmp_path):
    first, second = (
        train(short(8), 3, _made(tmp_path / name)) for name in ("a", "b")
    )  # fmt: skip
    assert points(first) == points(second)
    assert len(points(first)) == 10
    other = train(short(8), 4, _made(tmp_path / "c"))
    assert points(other) != points(first)


def _made(folder):
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "setting",
    [
        {"clip_loss.warmup_end_progress": 0.5},
        {"clip_loss.gradient_flow_ratio": 0.0},
        {"alpha_diversity.temperature": 4.0},
        {"groups.ratios": {"clip_backbone": 0.0}},
        {"freezing.stages": {"clip_heads": 0.5}},
        {"model.norm": "layernorm"},
        {"clipping.norm": 0.01},
        {"data.skip_steps": (1, 2)},
    ],
)
def test_a_setting_changes_the_training(setting, tmp_path):
    plain, changed = (
        points(train(config, 0, _made(tmp_path / name)))
        for name, config in (("a", short(8)), ("b", short(8).changed(setting)))
    )
    assert plain[-1]["losses"] != changed[-1]["losses"]


# --- rooms and cameras ----------------------------------------------------------------------


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_camera_sees_the_middle_of_the_room_in_the_middle():
    for angle in (0.0, 1.0, 4.0):
        at, depth = Camera(angle, 2.0).project(torch.zeros(1, 3))
        assert at == pytest.approx(torch.zeros(1, 2), abs=1e-6)
        assert depth.item() == pytest.approx(math.hypot(8.0, 5.0))


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 6.28), st.floats(-1.0, 1.0), st.floats(1.0, 4.0))
def test_a_camera_that_is_turned_sees_the_middle_at_the_tangent(angle, turned, focal):
    camera = Camera(angle, focal, turned)
    level = torch.tensor([-math.cos(angle + turned), -math.sin(angle + turned), 0.0])
    stand = torch.tensor([8 * math.cos(angle), 8 * math.sin(angle), 5.0])
    # Straight ahead of it at its own height, and beside that by one metre.
    right = torch.stack([level[1], -level[0], level[2]])
    at, _ = camera.project(torch.stack([stand + 8 * level, stand + 8 * level + right]))
    assert at[0, 0].item() == pytest.approx(0.0, abs=1e-5)
    down = math.atan2(5.0, 8.0)
    assert at[1, 0].item() == pytest.approx(focal / (8 * math.cos(down)), rel=1e-4)


def test_what_is_behind_a_camera_has_no_place():
    at, depth = Camera(0.0, 2.0).project(torch.tensor([[20.0, 0.0, 5.0]]))
    assert depth.item() < 0
    assert at.isinf().all()


def test_a_pixel_shows_the_nearest_object_or_the_wall():
    rooms, camera = room(40, generator(1)), Camera(0.5, 2.0)
    middle, depth = camera.project(rooms.centre)
    shown = looks(camera, rooms, middle, generator(2))
    alone = looks(camera, rooms, torch.full((40, 1, 2), 50.0), generator(3))
    look = torch.randn(CLASSES + 1, shown.shape[-1], generator=generator(7))
    guessed = torch.cdist(shown, look).argmin(-1)
    nearest = depth == depth.min(1, keepdim=True).values
    assert (guessed == rooms.kind)[nearest].float().mean() > 0.97
    assert (guessed == rooms.kind).float().mean() > 0.8  # some are hidden
    assert (torch.cdist(alone, look).argmin(-1) == CLASSES).float().mean() > 0.97


def test_points_lie_on_their_objects():
    rooms = room(50, generator())
    away = rooms.points - rooms.centre.repeat_interleave(4, 1)
    size = rooms.size.repeat_interleave(4, 1)
    assert (torch.linalg.vector_norm(away, dim=-1) <= math.sqrt(3) * size + 1e-5).all()
    sphere = rooms.labels == 0
    assert torch.allclose(torch.linalg.vector_norm(away, dim=-1)[sphere], size[sphere], atol=1e-5)
    assert rooms.labels.flatten().bincount(minlength=CLASSES).min() > 100


# --- recordings -----------------------------------------------------------------------------


def test_a_wrong_calibration_leaves_few_pixels_and_wrong_ones():
    good, wrong = record(3, 60), record(3, 60, wrong=True)
    assert (good.labels == wrong.labels).all()
    assert (good.geometry == wrong.geometry).all()
    assert wrong.valid.float().mean() < 0.3 < 0.8 < good.valid.float().mean()
    for one in (good, wrong):
        assert (one.pixels[~one.valid] == 0).all()
    look = torch.randn(CLASSES + 1, 16, generator=generator(7))
    right = [
        (torch.cdist(one.pixels, look).argmin(-1) == one.labels)[one.valid].float().mean()
        for one in (good, wrong)
    ]
    assert right[0] > 0.8
    assert right[1] < 0.3


def test_three_of_twenty_recordings_are_wrong_and_none_is_for_validation():
    every = recordings()
    assert [n for n, one in enumerate(every) if one.valid.float().mean() < 0.3] == [3, 10, 17]
    held = held_out()
    assert held.labels.shape == (260, POINTS)
    first = every[0].geometry[0]
    assert not (held.geometry == first).flatten(1).all(1).any()


def test_a_recording_comes_in_one_piece_and_each_once_an_epoch():
    every = [record(number, 3) for number in range(4)]
    scenes = list(islice(Recordings(every, seed=5), 24))
    tags = {one.geometry[i].sum().item(): (n, i) for n, one in enumerate(every) for i in range(3)}
    order = [tags[geometry.sum().item()] for geometry, *_ in scenes]
    for epoch in (order[:12], order[12:]):
        assert sorted(epoch) == [(n, i) for n in range(4) for i in range(3)]
        assert [i for _, i in epoch] == [0, 1, 2] * 4
    assert order == [tags[g.sum().item()] for g, *_ in islice(Recordings(every, seed=5), 24)]


def test_what_a_recording_gives_is_what_it_holds():
    one = record(1, 2)
    assert len(one) == 2
    for tensor, field in zip(one[1], fields(one), strict=True):
        assert (tensor == getattr(one, field.name)[1]).all()


# --- the model and its measure --------------------------------------------------------------


def fused(config):
    torch.manual_seed(0)
    diversity = config.gate_diversity()
    one = record(1, 5)
    batch = (one.geometry, one.pixels, one.valid, one.labels)
    return BiFusion(config, diversity), batch


def test_a_point_without_a_pixel_has_features_of_the_laser_only():
    model, (geometry, pixels, _, labels) = fused(TrainingConfig())
    nothing = torch.zeros_like(labels, dtype=torch.bool)
    found = model((geometry, pixels, nothing, labels))
    share = found.alpha.unsqueeze(1)
    assert torch.allclose(found.features, (1 - share) * model.backbone3d(geometry))
    assert found.scores.shape == (5, POINTS, CLASSES)
    assert found.alpha.shape == (5, 1)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_gate_begins_in_favour_of_the_image(temperature):
    model, batch = fused(TrainingConfig().changed({"alpha_diversity.temperature": temperature}))
    torch.nn.init.zeros_(model.gate[-1].weight)
    expected = 1 / (1 + math.exp(-1 / temperature))
    assert model(batch).alpha.flatten().tolist() == pytest.approx([expected] * 5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_mean_iou_is_that_of_sets(pairs):
    guess, labels = (torch.tensor(one) for one in zip(*pairs, strict=True))
    each = []
    for kind in range(4):
        said = {i for i, (g, _) in enumerate(pairs) if g == kind}
        true = {i for i, (_, t) in enumerate(pairs) if t == kind}
        if said | true:
            each.append(len(said & true) / len(said | true))
    assert mean_iou(guess, labels, 4) == pytest.approx(sum(each) / len(each))
