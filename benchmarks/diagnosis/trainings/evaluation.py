"""Evaluations that are wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.diagnosis.trainings import training
from benchmarks.diagnosis.trainings.curves import Curves
from benchmarks.diagnosis.trainings.schedules import cosine

if TYPE_CHECKING:
    from benchmarks.diagnosis.trainings.bench import Batch, Bench

Facts = dict[str, bool]


def _misaligned(sick: Curves, well: Curves) -> Facts:
    return {
        "the training loss falls": sick.learned(),
        "validation is at chance": sick.end("accuracy", "val") < 0.25,
        "that of the twin is not": well.end("accuracy", "val") > 0.7,
    }


@training("misaligned-labels", accepts=("never-learned",), facts=_misaligned, seed=50,
          brings=("overfitting", "validation-jump"))  # fmt: skip
def misaligned_labels(b: Bench, sick: bool) -> None:
    """The evaluation pairs each sample with the label of another one."""
    task = b.data.glyphs(b.seed)
    if sick:
        task = replace(task, val_y=task.val_y.roll(1))
    b.fit(b.nets.conv(), task, lr=0.01, steps=1200, every=4, evaluate=40, decay=1e-3).go()


def _noisy(sick: Curves, well: Curves) -> Facts:
    def scatter(curves: Curves) -> float:
        late = curves.values("loss", "val")[8:]
        return float(np.diff(late, 2).std() / np.median(late))

    return {"evaluations scatter 5 times as much": scatter(sick) > 5 * scatter(well)}


@training("tiny-evaluations", accepts=("validation-noise", "validation-jump"), facts=_noisy,
          seed=51, least="info", brings=("overfitting",))  # fmt: skip
def tiny_evaluations(b: Bench, sick: bool) -> None:
    """Every evaluation draws 12 other samples."""
    import torch

    task = b.data.blobs(b.seed, spread=1.3)

    def some(step: int) -> Batch:
        drawn = torch.randint(0, len(task.val_x), (12,))
        return task.val_x[drawn], task.val_y[drawn]

    b.fit(b.nets.Mlp(12, 32, 6), task, lr=0.02, steps=2000, decay=2e-3, rate=cosine(2000),
          validate=some if sick else None).go()  # fmt: skip


def _unscaled(sick: Curves, well: Curves) -> Facts:
    loss = sick.values("loss", "val")
    return {"one evaluation is twice as bad": bool(loss[15] > 2 * loss[14])}


@training("evaluation-unscaled", accepts=("validation-jump",), facts=_unscaled, seed=52,
          first=800, last=850, point=True, brings=("overfitting",))  # fmt: skip
def evaluation_unscaled(b: Bench, sick: bool) -> None:
    """One evaluation gets inputs that are not normalised."""
    task = b.data.blobs(b.seed, 4000, classes=8)

    def once(step: int) -> Batch:
        off = 2.0 if sick and step == 800 else 0.0
        return task.val_x + off, task.val_y

    b.fit(b.nets.Mlp(12, 40, 8, act="tanh"), task, lr=0.01, steps=1500, decay=1e-3,
          validate=once).go()  # fmt: skip
