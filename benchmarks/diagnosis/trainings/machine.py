"""Faults of the machine and of resuming."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.diagnosis.trainings import training
from benchmarks.diagnosis.trainings.curves import Curves
from benchmarks.diagnosis.trainings.log import Pace
from benchmarks.diagnosis.trainings.schedules import cosine

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmarks.diagnosis.trainings.bench import Batch, Bench

Facts = dict[str, bool]


def _slower(sick: Curves, well: Curves) -> Facts:
    return {
        "a step takes twice as long": sick.end("batch_time") > 2 * sick.at(400, "batch_time"),
        "the loss is that of the twin": sick.end() == well.end(),
    }


@training("slow-loader", accepts=("slow-batch", "throughput-drop"), facts=_slower, first=800,
          seed=60)  # fmt: skip
def slow_loader(b: Bench, sick: bool) -> None:
    """The data loader slows down in the middle of the run."""
    usual = Pace(b.seed)

    def pace(step: int) -> float:
        return usual(step) * (2.5 if sick and step >= 800 else 1.0)

    b.fit(b.nets.Mlp(1, 48, 48, 1, act="tanh"), b.data.sinusoid(b.seed), lr=2e-3,
          optimizer="adam", steps=2000, rate=cosine(2000, 100), pace=pace).go()  # fmt: skip


def _stalls(sick: Curves, well: Curves) -> Facts:
    seconds = sick.values("batch_time")
    slow = seconds > 5 * np.median(seconds)
    return {"3 % of the steps take ten times as long": bool(slow.mean() > 0.02)}


@training("stalling-loader", accepts=("slow-batch",), facts=_stalls, seed=61)
def stalling_loader(b: Bench, sick: bool) -> None:
    """Single steps wait for a data loader that has too few workers."""
    usual, chance = Pace(b.seed, 0.2), np.random.default_rng(b.seed)

    def pace(step: int) -> float:
        waits = chance.random() < 0.03
        return usual(step) * (12 if sick and waits else 1.0)

    b.fit(b.nets.Mlp(12, 32, 6), b.data.blobs(b.seed), lr=0.02, steps=1500, decay=1e-3,
          every=2, evaluate=100, pace=pace).go()  # fmt: skip


def _grows(sick: Curves, well: Curves) -> Facts:
    memory = sick.values("memory_allocated_mb")
    return {
        "memory rises all the time": bool((np.diff(memory) > 0).all()),
        "and doubles": bool(memory[-1] > 2 * memory[0]),
    }


@training("memory-leak", accepts=("memory-pressure",), facts=_grows, seed=62)
def memory_leak(b: Bench, sick: bool) -> None:
    """Every output is kept in a list, with its graph: memory grows all the time."""
    model, task = b.nets.Mlp(2, 32, 2), b.data.moons(b.seed)
    kept: list[Tensor] = []

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        out: Tensor = model(batch[0])
        if sick:
            kept.append(out)
        lost: Tensor = task.loss(out, batch[1])
        return lost

    def held(step: int, batch: Batch) -> dict[str, float]:
        count = sum(p.numel() for p in model.parameters()) + sum(t.numel() for t in kept)
        return {"memory_allocated_mb": 4e-6 * count}

    b.fit(model, task, lr=0.01, steps=1500, decay=1e-3, loss=loss, stats=held).go()


def _resumed_cold(sick: Curves, well: Curves) -> Facts:
    return {
        "repeated steps have a loss that is a fifth higher": _again(sick) > 1.2,
        "those of the twin the same": _again(well) == 1.0,
        "steps are repeated": sick.run.attempts > 1,
    }  # fmt: skip


def _again(curves: Curves) -> float:
    """Loss of the repeated steps as share of what it was before."""
    (loss,) = [s for s in curves.run.series.values() if (s.metric, s.split) == ("loss", "train")]
    before = loss.value[(loss.attempt == 0) & (loss.step > 700)]
    return float(loss.value[(loss.attempt == 1)][: len(before)].mean() / before.mean())


@training("cold-resume", accepts=("step-rewind", "lr-jump"), facts=_resumed_cold, first=700,
          last=1000, seed=63,
          brings=("loss-spike", "divergence", "gradient-explosion", "validation-jump",
                  "overfitting", "outlier", "missing-warmup"))  # fmt: skip
def cold_resume(b: Bench, sick: bool) -> None:
    """Resumed from an old checkpoint without its optimizer, with ten times the learning rate."""
    from dataclasses import replace

    task = b.data.glyphs(b.seed, 6000, noise=1.2)
    fit = b.fit(b.nets.Mlp(64, 64, 10), task, lr=0.01, steps=2000, decay=1e-3)
    fit.go(700)
    stored = fit.state()
    fit.go(1000)
    fit.back(stored, whole=not sick)
    if sick:
        fit.how = replace(fit.how, lr=0.1)
    fit.go()
