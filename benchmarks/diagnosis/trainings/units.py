"""Units that do nothing: dead, saturated, badly initialised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.diagnosis.trainings import training
from benchmarks.diagnosis.trainings.curves import Curves
from benchmarks.diagnosis.trainings.schedules import cosine

if TYPE_CHECKING:
    from benchmarks.diagnosis.trainings.bench import Bench

Facts = dict[str, bool]


def _dead(sick: Curves, well: Curves) -> Facts:
    return {
        "nine of ten units are dead": sick.end("zero_fraction/fc2") > 0.9,
        "the twin ends lower": well.end() < 0.7 * sick.end(),
    }


@training("dead-units", accepts=("dead-relu",), facts=_dead, seed=30,
          brings=("never-learned", "stagnation", "gradient-vanishing",
                  "frozen-parameters"))  # fmt: skip
def dead_units(b: Bench, sick: bool) -> None:
    """The biases of a ReLU layer begin so low that its units never fire."""
    import torch

    model, task = b.nets.Mlp(12, 48, 48, 6), b.data.blobs(b.seed)
    if sick:
        torch.nn.init.constant_(model.linears["fc2"].bias, -12.0)
    b.fit(model, task, lr=0.01, steps=1500, look=5, decay=3e-3, rate=cosine(1500),
          stats=lambda step, batch: b.looks.zeros(model, task.val_x)).go()  # fmt: skip


def _saturated(sick: Curves, well: Curves) -> Facts:
    return {
        "most activations are at a limit": sick.end("saturated_fraction/fc1") > 0.6,
        "the twin ends lower": well.end() < 0.8 * sick.end(),
    }


@training("raw-inputs", accepts=("saturated-activation",), facts=_saturated, seed=31,
          brings=("never-learned", "stagnation", "overfitting", "gradient-vanishing",
                  "poor-initialization", "validation-jump"))  # fmt: skip
def raw_inputs(b: Bench, sick: bool) -> None:
    """The inputs are not normalised: a hundred times too large for tanh."""
    from dataclasses import replace

    model, task = b.nets.Mlp(1, 48, 48, 1, act="tanh"), b.data.sinusoid(b.seed)
    if sick:
        task = replace(task, x=100 * task.x, val_x=100 * task.val_x)
    b.fit(model, task, lr=0.02, steps=2000, look=5,
          stats=lambda step, batch: b.looks.saturated(model, task.val_x)).go()  # fmt: skip


def _grows(sick: Curves, well: Curves) -> Facts:
    first, last = sick.values("activation_std/fc1")[0], sick.values("activation_std/fc6")[0]
    return {
        "activations change by 100 times with depth": not 0.01 < last / first < 100,
        "the twin ends lower": well.end() < 0.7 * sick.end(),
    }


@training("bad-init", accepts=("poor-initialization",), facts=_grows, seed=32, last=100,
          brings=("never-learned", "stagnation", "gradient-vanishing"))  # fmt: skip
def bad_init(b: Bench, sick: bool) -> None:
    """Weights begin at a fifth of their right size: a deep network puts out nothing."""
    import torch

    task, model = b.data.glyphs(b.seed), b.nets.Mlp(64, *[48] * 6, 10)
    if sick:
        with torch.no_grad():
            for layer in model.linears.values():
                layer.weight.mul_(0.2)
    b.fit(model, task, lr=0.005, steps=1200, every=4, look=5, clip=1.0, decay=5e-3,
          stats=lambda step, batch: b.looks.spreads(model, task.val_x)).go()  # fmt: skip
