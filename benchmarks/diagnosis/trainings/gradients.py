"""Gradients that explode, vanish or overflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.diagnosis.trainings import training
from benchmarks.diagnosis.trainings.curves import Curves
from benchmarks.diagnosis.trainings.schedules import cosine, steps_down

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmarks.diagnosis.trainings.bench import Batch, Bench

Facts = dict[str, bool]


def _burst(sick: Curves, well: Curves) -> Facts:
    norms = sick.values("grad_norm")
    norms = norms[np.isfinite(norms)]
    return {
        "a norm is 30 times the median": bool(norms.max() > 30 * np.median(norms)),
        "the twin ends lower": not sick.end() < 1.2 * well.end(),
    }


@training("rnn-unclipped", accepts=("gradient-explosion",), facts=_burst, seed=20,
          brings=("loss-spike", "outlier", "divergence", "non-finite", "stagnation",
                  "validation-jump", "overfitting", "missing-warmup", "never-learned"))  # fmt: skip
def rnn_unclipped(b: Bench, sick: bool) -> None:
    """A plain recurrent network without clipping of its gradient."""
    model = b.nets.Rnn(gain=1.3)
    b.fit(model, b.data.sums(b.seed), lr=0.05, clip=None if sick else 0.1, steps=1200,
          every=4, rate=steps_down((800,))).go()  # fmt: skip


def _lost(sick: Curves, well: Curves) -> Facts:
    first, last = sick.end("grad_norm/fc1"), sick.end("grad_norm/fc8")
    return {
        "the first layer has a thousandth of the gradient of the last": first < 1e-3 * last,
        "the loss does not fall": sick.end() > 0.97 * sick.best(),
    }


@training("deep-sigmoid", accepts=("gradient-vanishing",), facts=_lost, seed=21,
          brings=("never-learned", "stagnation", "poor-initialization"))  # fmt: skip
def deep_sigmoid(b: Bench, sick: bool) -> None:
    """Eight layers of sigmoids: the gradient does not reach the first."""
    widths = (2, *[24] * 7, 3)
    model = b.nets.Mlp(*widths, act="sigmoid" if sick else "relu")
    b.fit(model, b.data.spirals(b.seed), lr=0.01, steps=1500, look=5, clip=1.0, decay=2e-3,
          rate=cosine(1500),
          stats=lambda step, batch: b.looks.layer_gradients(model)).go()  # fmt: skip


def _overflowed(sick: Curves, well: Curves) -> Facts:
    value = sick.values()
    return {
        "finite at first": bool(np.isfinite(value[:20]).all()),
        "NaN or infinite at the end": not np.isfinite(value[-1]),
    }


@training("half-overflow", accepts=("non-finite",), facts=_overflowed, first=1, seed=22,
          brings=("divergence", "gradient-explosion", "loss-spike", "validation-jump"))  # fmt: skip
def half_overflow(b: Bench, sick: bool) -> None:
    """A softmax in half precision, without taking the maximum off: it overflows above 11."""

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        power: Tensor = model(batch[0]).half().exp()
        right = power.gather(1, batch[1][:, None])[:, 0]
        return -(right / power.sum(1)).log().float().mean()

    task = b.data.blobs(b.seed, 3000, spread=0.7)
    b.fit(b.nets.Mlp(12, 48, 6), task, lr=0.002, steps=2000, every=6, decay=3e-4,
          loss=loss if sick else None).go()  # fmt: skip
