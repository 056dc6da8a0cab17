"""The story of the flat loss: the fault is real, is found, and the prescription mends it."""

import json
import math
import re

import pytest

torch = pytest.importorskip("torch")
datasets = pytest.importorskip("sklearn.datasets")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402 - after the skip
from torch import nn  # noqa: E402 - after the skip

import trainlens  # noqa: E402 - after the skip
from examples.quadmodal_flat_loss.data import CLASSES, cosines, digits, readings  # noqa: E402
from examples.quadmodal_flat_loss.model import QuadModal  # noqa: E402 - after the skip
from examples.quadmodal_flat_loss.sample import write_sample  # noqa: E402 - after the skip
from examples.quadmodal_flat_loss.sampler import ClassBatches  # noqa: E402 - after the skip
from examples.quadmodal_flat_loss.story import baseline  # noqa: E402 - after the skip
from examples.quadmodal_flat_loss.train import train  # noqa: E402 - after the skip
from trainlens_torch import NormalizedFeatures, check_sampler  # noqa: E402 - after the skip

CHANCE = math.log(CLASSES)


@pytest.fixture(scope="module")
def data():
    return readings()


def test_it_ends_as_it_is_to(told):
    said, _ = told
    assert "found in every run: never-learned, single-class-batch" in said
    assert "after the treatment: no fault" in said
    assert "val/accuracy: better" in said
    assert "FAULT: 5 of 5 batches hold one class each" in said
    assert "Good: the batches mix the classes" in said
    assert "WARNING: ALL 32 samples of the batch are of class" in said


def test_no_learning_rate_moves_the_loss(told):
    rows = re.findall(r"^(1e-\d+) +(\d\.\d+) +(\d\.\d+)", told[0], re.M)
    assert [rate for rate, *_ in rows] == ["1e-4", "1e-6", "1e-10"]
    for _, *levels in rows:
        assert all(abs(float(level) - CHANCE) < 0.005 for level in levels)


def test_the_prescription_is_the_cure(told):
    patch = json.loads((told[1] / "patch.json").read_text())
    assert patch["patch"] == {
        "sampler": "stratified", "model.norm": "layernorm", "scheduler.kind": "cosine",
        "scheduler.warmup_steps": 80, "scheduler.warmup_start": 0.001, "scheduler.floor": 0.01,
    }  # fmt: skip
    assert set(patch["because"].values()) == {"never-learned"}


def test_the_verdict_has_an_interval_and_the_targets_are_met(told):
    document = json.loads((told[1] / "comparison" / "comparison.json").read_text())
    (row,) = [r for r in document["metrics"] if (r["split"], r["metric"]) == ("val", "accuracy")]
    low, high = row["difference"]["interval"]
    assert row["verdict"] == "better"
    assert 0.3 < low <= high < 1.1
    assert {one["status"] for one in document["expectations"]} == {"met"}


def test_the_report_lies_there_and_the_logs_are_small(told):
    folder = told[1]
    for name in ("index.html", "comparison/index.html", "story.md", "treated.toml"):
        assert (folder / name).stat().st_size > 0
    logs = list(folder.glob("runs/*/*.jsonl"))
    assert len(logs) == 6
    assert max(log.stat().st_size for log in logs) < 300_000


def test_the_digits_are_those_of_scikit_learn():
    given = datasets.load_digits(n_class=CLASSES)
    pixels, labels = digits()
    assert torch.equal(pixels, torch.from_numpy(given.images).float())
    assert torch.equal(labels, torch.from_numpy(given.target))


def test_the_two_parts_have_no_digit_in_common_and_the_classes_are_even(data):
    known, unseen = data
    assert len(known.labels) + len(unseen.labels) == len(digits()[1])
    for part in (known, unseen):
        counts = part.labels.bincount()
        assert int(counts.max() - counts.min()) <= 4
    assert known.majority == pytest.approx(1 / CLASSES, abs=0.005)


def test_the_cosines_are_orthonormal():
    assert torch.allclose(cosines() @ cosines().T, torch.eye(4), atol=1e-6)


def test_the_sampler_gives_each_sample_once_and_never_mixes():
    labels = torch.arange(100) % CLASSES
    sampler = ClassBatches(labels, 8, seed=3)
    batches = list(sampler)
    assert sorted(index for batch in batches for index in batch) == list(range(100))
    assert len(sampler) == len(batches)
    assert all(len(labels[batch].unique()) == 1 for batch in batches)
    assert check_sampler(sampler, labels).remarks[0].kind == "single-class"


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.01, 100))
def test_batches_of_one_class_cost_ln_6_or_more_whatever_the_weights(data, seed, scale):
    """Jensen: behind a batch norm the mean of the scores is the same in every batch."""
    known, _ = data
    torch.manual_seed(seed)
    model = QuadModal(baseline(short=True))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=scale)
    means, losses = [], []
    for one in range(CLASSES):
        scores = model(known.features[known.labels == one][:32])
        means.append(scores.mean(0))
        losses.append(nn.functional.cross_entropy(scores, torch.full((32,), one)).item())
    assert sum(losses) / CLASSES >= CHANCE - 1e-4
    for mean in means:
        assert torch.allclose(mean, means[0], atol=1e-3 * max(1.0, scale**2))


@pytest.mark.parametrize("change", [{"data.sampler": "stratified"}, {"model.norm": "layernorm"}])
def test_either_of_sampler_and_normalisation_makes_it_learn(tmp_path, change):
    run = trainlens.load_one(train(baseline(short=True).changed(change), 0, tmp_path))
    assert run["loss", "train"].value[-20:].mean() < CHANCE - 0.3
    assert run["accuracy", "val"].value[-1] > 0.7


def test_at_first_only_the_bias_of_the_classifier_gets_a_gradient(data):
    known, _ = data
    model = QuadModal(baseline(short=True))
    scores = model(known.features[known.labels == 2][:32])
    nn.functional.cross_entropy(scores, torch.full((32,), 2)).backward()
    norms = {name: p.grad.norm().item() for name, p in model.named_parameters()}
    # Softmax less the label: once -5/6, five times 1/6.
    assert norms.pop("classify.bias") == pytest.approx(math.sqrt(5 / 6))
    assert max(norms.values()) < 1e-4


def test_normalised_features_have_one_length():
    config = baseline(short=True).changed({"model.norm": "layernorm"})
    model = QuadModal(config)
    assert isinstance(model.normalize, NormalizedFeatures)
    lengths = model.normalize(100 * torch.randn(5, model.normalize.dim)).norm(dim=1)
    assert torch.allclose(lengths, torch.full((5,), 10.0), rtol=1e-5)


def test_the_sample_logs_tell_the_same_fault(tmp_path):
    write_sample(tmp_path)
    by_step = (tmp_path / "one_class_batches.log").read_text().splitlines()
    by_epoch = (tmp_path / "one_class_batches_epochs.log").read_text().splitlines()
    assert len(by_step) == 360
    assert all(re.fullmatch(r"\d+/1440 lr=\S+ loss=\S+ batch_classes=1", one) for one in by_step)
    assert by_epoch[0] == "Epoch  1: Loss 1.7918 (warmup, LR=1e-07)"
    assert len(by_epoch) == 60
    losses = [float(re.search(r"Loss ([\d.]+)", one)[1]) for one in by_epoch]
    assert max(abs(loss - CHANCE) for loss in losses) < 0.01
