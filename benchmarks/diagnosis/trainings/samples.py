"""Data that are wrong, too few, or in the wrong order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.diagnosis.trainings import training
from benchmarks.diagnosis.trainings.curves import Curves
from benchmarks.diagnosis.trainings.schedules import cosine

if TYPE_CHECKING:
    from torch import Tensor

    from benchmarks.diagnosis.trainings.bench import Batch, Bench

Facts = dict[str, bool]


def _at_chance(sick: Curves, well: Curves) -> Facts:
    return {
        "validation stays at chance": sick.end("accuracy", "val") < 0.3,
        "that of the twin does not": well.end("accuracy", "val") > 0.6,
    }


@training("shuffled-labels", accepts=("overfitting", "never-learned"), facts=_at_chance, seed=10,
          brings=("validation-jump", "stagnation", "divergence"))  # fmt: skip
def shuffled_labels(b: Bench, sick: bool) -> None:
    """The labels to learn from are shuffled: what is learned by heart is worth nothing."""
    import torch

    task = b.data.blobs(b.seed, 6000)
    if sick:
        task = replace(task, y=task.y[torch.randperm(len(task.y))])
    b.fit(b.nets.Mlp(12, 96, 6), task, lr=0.02, steps=2500, every=8, decay=2e-3,
          rate=cosine(2500)).go()  # fmt: skip


def _memorised(sick: Curves, well: Curves) -> Facts:
    return {
        "training ends below a third": sick.end() < 0.33 * sick.start(),
        "validation ends a third above its best":
            sick.end("loss", "val") > 1.33 * sick.best("loss", "val"),
    }  # fmt: skip


@training("few-samples", accepts=("overfitting",), facts=_memorised, first=150, seed=11,
          brings=("validation-jump",))  # fmt: skip
def few_samples(b: Bench, sick: bool) -> None:
    """A twentieth of the data: the network learns it by heart."""
    task = b.data.moons(b.seed, 3000, noise=0.4)
    b.fit(b.nets.Mlp(2, 64, 64, 2), task.few(60) if sick else task, lr=0.02, batch=20,
          steps=2500, decay=0 if sick else 1e-3).go()  # fmt: skip


@training("few-pictures", accepts=("overfitting",), facts=_memorised, first=100, seed=12,
          brings=("validation-jump",))  # fmt: skip
def few_pictures(b: Bench, sick: bool) -> None:
    """A convolutional network with 80 pictures instead of 2000."""
    task = b.data.glyphs(b.seed, 2000, noise=1.1)
    b.fit(b.nets.conv(), task.few(80) if sick else task, lr=3e-3, optimizer="adam", batch=40,
          steps=1200, every=4, rate=cosine(1200)).go()  # fmt: skip


def _one_class(sick: Curves, well: Curves) -> Facts:
    single = sick.values("batch_classes") == 1
    return {
        "nearly all batches hold one class": float(single.mean()) > 0.9,
        "validation is worse than that of the twin":
            sick.end("loss", "val") > 1.5 * well.end("loss", "val"),
    }  # fmt: skip


@training("sorted-batches", accepts=("single-class-batch",), facts=_one_class, seed=13,
          brings=("never-learned", "stagnation", "loss-spike", "divergence", "gradient-explosion",
                  "validation-jump", "overfitting", "outlier"))  # fmt: skip
def sorted_batches(b: Bench, sick: bool) -> None:
    """The data are sorted by class and not shuffled: a batch holds one class."""
    b.fit(b.nets.Mlp(12, 48, 6), b.data.blobs(b.seed, 3840, spread=1.2), lr=0.01, steps=1500,
          ordered=sick, stats=_classes, every=4, decay=3e-3).go()  # fmt: skip


def _classes(step: int, batch: Batch) -> dict[str, float]:
    return {"batch_classes": float(len(set(batch[1].tolist())))}


def _spiked(sick: Curves, well: Curves) -> Facts:
    near = sick.values()[200:215]
    return {
        "the loss doubles within 15 records": float(near.max()) > 2 * sick.at(780),
        "and comes back": sick.at(1400) < 1.3 * sick.at(780),
    }


@training("poisoned-batch", accepts=("loss-spike",), facts=_spiked, first=801, last=900,
          point=True, seed=14,
          brings=("outlier", "gradient-explosion", "validation-jump"))  # fmt: skip
def poisoned_batch(b: Bench, sick: bool) -> None:
    """One batch of garbage throws the network back; it takes some hundred steps to recover."""

    def garbage(step: int, x: Tensor, y: Tensor) -> Batch:
        return (25 * x.flip(0), y) if sick and step == 801 else (x, y)

    b.fit(b.nets.Mlp(12, 64, 6), b.data.blobs(b.seed, spread=1.3), lr=0.005, steps=2000, every=4,
          decay=1e-3, batches=garbage).go()  # fmt: skip


def _poor_shard(sick: Curves, well: Curves) -> Facts:
    return {
        "the loss is a tenth higher within": sick.at(660) > 1.2 * sick.at(580),
        "and comes back": sick.at(1150) < 1.05 * sick.at(580),
    }


@training("poor-shard", accepts=("loss-spike",), facts=_poor_shard, first=600, last=720,
          seed=15, brings=("outlier", "gradient-explosion", "validation-jump"))  # fmt: skip
def poor_shard(b: Bench, sick: bool) -> None:
    """A stretch of the data is noise: the letters of 120 batches are random."""
    import torch

    def noise(step: int, x: Tensor, y: Tensor) -> Batch:
        bad = sick and 600 <= step < 720
        return (x, torch.randint(0, 16, y.shape)) if bad else (x, y)

    b.fit(b.nets.Gru(), b.data.sentences(b.seed, 2500), lr=3e-3, optimizer="adam", steps=1200,
          every=4, clip=1.0, batches=noise).go()  # fmt: skip


def _one_dominates(sick: Curves, well: Curves) -> Facts:
    return {"one class has 97 %": sick.end("majority_share") > 0.96}


@training("one-class-dominates", accepts=("class-imbalance",), facts=_one_dominates, seed=16,
          brings=("never-learned", "stagnation", "overfitting"))  # fmt: skip
def one_class_dominates(b: Bench, sick: bool) -> None:
    """97 of 100 samples are of one class; saying it always is nearly right."""
    import torch

    task = b.data.moons(b.seed, 4000)
    if sick:
        rank = torch.rand(len(task.y))
        keep = (task.y == 0) | (rank < 0.03)
        task = replace(task, x=task.x[keep], y=task.y[keep])
    counts = torch.bincount(task.y).double()
    share = {"majority_share": float(counts.max() / counts.sum())}
    b.fit(b.nets.Mlp(2, 32, 2), task, lr=0.02, steps=1200, decay=1e-3, every=4,
          stats=lambda step, batch: share).go()  # fmt: skip
