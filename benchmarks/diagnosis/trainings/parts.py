"""Parts of a model that are not trained, or not used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.diagnosis.trainings import training
from benchmarks.diagnosis.trainings.curves import Curves
from benchmarks.diagnosis.trainings.schedules import cosine

if TYPE_CHECKING:
    from benchmarks.diagnosis.trainings.bench import Batch, Bench

Facts = dict[str, bool]


def _none(sick: Curves, well: Curves) -> Facts:
    return {
        "no parameter has a gradient": sick.most("params_with_grad") == 0,
        "validation stays as it was": float(np.ptp(sick.values("loss", "val"))) == 0,
    }


@training("all-frozen", accepts=("frozen-parameters",), facts=_none, seed=40,
          brings=("never-learned", "gradient-vanishing", "stagnation"))  # fmt: skip
def all_frozen(b: Bench, sick: bool) -> None:
    """All parameters are frozen."""
    task, model = b.data.glyphs(b.seed, noise=0.8), b.nets.conv()
    model.requires_grad_(not sick)
    b.fit(model, task, lr=0.01, steps=1000, every=4, decay=2e-3, rate=cosine(1000, 50),
          stats=lambda step, batch: b.looks.counted(model)).go()  # fmt: skip


def _head_only(sick: Curves, well: Curves) -> Facts:
    return {
        "few parameters have a gradient": sick.end("params_with_grad") < 500,
        "the twin ends far lower": well.end() < 0.6 * sick.end(),
    }


@training("backbone-frozen", accepts=("frozen-parameters",), facts=_head_only, seed=41,
          brings=("stagnation", "never-learned"), least="info")  # fmt: skip
def backbone_frozen(b: Bench, sick: bool) -> None:
    """A backbone of random weights is frozen; only the head learns."""
    task, model = b.data.spirals(b.seed, 3000), b.nets.Mlp(2, 64, 64, 3)
    if sick:
        for name in ("fc1", "fc2"):
            model.linears[name].requires_grad_(False)
    b.fit(model, task, lr=0.02, steps=1500, decay=1e-3,
          stats=lambda step, batch: b.looks.counted(model)).go()  # fmt: skip


def _refrozen(sick: Curves, well: Curves) -> Facts:
    count = sick.values("params_with_grad")
    return {"parameters are lost on the way": bool(count[-1] < 0.5 * count[0])}


@training("frozen-midway", accepts=("frozen-parameters",), facts=_refrozen, first=600, seed=42,
          brings=("stagnation", "gradient-vanishing"))  # fmt: skip
def frozen_midway(b: Bench, sick: bool) -> None:
    """A callback freezes all but the last layer in the middle of the run."""
    task, model = b.data.pictures(b.seed), b.nets.Mlp(64, 32, 12, 32, 64)
    fit = b.fit(model, task, lr=0.002, optimizer="adam", steps=1500,
                stats=lambda step, batch: b.looks.counted(model))  # fmt: skip
    fit.go(600)
    if sick:
        for name in ("fc1", "fc2", "fc3"):
            model.linears[name].requires_grad_(False)
    fit.go()


def _untouched(sick: Curves, well: Curves) -> Facts:
    value = sick.values("weight_norm/fc1")
    return {
        "a layer keeps its weights to the last digit": float(np.ptp(value)) == 0,
        "the twin changes them": float(np.ptp(well.values("weight_norm/fc1"))) > 0,
    }


@training("wrong-optimizer", accepts=("unchanged-parameters",), facts=_untouched, seed=43,
          brings=("never-learned", "stagnation", "gradient-explosion"))  # fmt: skip
def wrong_optimizer(b: Bench, sick: bool) -> None:
    """The optimizer was built before the model was replaced: it holds other parameters.

    Nor does its ``zero_grad`` reach them: the gradients add up.
    """
    model, task = b.nets.Mlp(12, 48, 6), b.data.blobs(b.seed, spread=1.1)
    other = list(b.nets.Mlp(12, 48, 6).parameters())
    b.fit(model, task, lr=0.02, steps=1000, every=4, decay=1e-3, trained=other if sick else None,
          look=2, stats=lambda step, batch: b.looks.weights(model)).go()  # fmt: skip


def _polarized(sick: Curves, well: Curves) -> Facts:
    return {
        "the gate is shut": sick.end("gate_alpha") > 0.97,
        "that of the twin is open": 0.1 < well.end("gate_alpha") < 0.9,
    }


@training("gate-shut", accepts=("polarized-gate",), facts=_polarized, seed=44,
          brings=("stagnation", "overfitting"))  # fmt: skip
def gate_shut(b: Bench, sick: bool) -> None:
    """A fusion gate begins saturated: one half of the inputs is never looked at."""
    task = b.data.blobs(b.seed, dims=10, spread=1.0)
    model = b.nets.Fusion(10, 6, bias=8.0 if sick else 0.0)

    def gate(step: int, batch: Batch) -> dict[str, float]:
        return {"gate_alpha": float(model.alpha(batch[0]).detach().mean())}

    b.fit(model, task, lr=0.01, steps=1500, decay=1e-3, stats=gate).go()
