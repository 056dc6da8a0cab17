"""Validation error of a fusion of four modalities, with NormalizedFeatures and without.

Run with ``python -m benchmarks normalized_features``. A small real training in the manner of a
quad-modal classifier: four linear encoders, their sum, a classification or a contrastive loss. The
learning rate of each side is the best of four on runs of their own; then five seeds of each are
held against each other by `trainlens.compare`, paired by seed.

All rates and seeds of a side are trained as one batched computation: parameters have the run as
their first axis, losses are summed over runs and AdamW works element by element, so no run feels
another. The block stands without gain and bias, which would be common to all runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.table import Row
from trainlens.comparison import compare
from trainlens.run import Chunk, Column, Floats, Run
from trainlens_torch.losses.normalized_features import NormalizedFeatures

CLASSES, INPUTS, WIDTH, BATCH, HELD = 6, 24, 32, 48, 1200
RATES = (3e-4, 3e-3, 3e-2, 3e-1)
TUNING, SEEDS = (101, 102), (0, 1, 2, 3, 4)
RUNS = [(rate, seed) for rate in RATES for seed in TUNING + SEEDS]
EVALUATIONS = 20
SAME, VERY_DIFFERENT = (1.0, 1.0, 1.0, 1.0), (0.01, 1.0, 30.0, 1000.0)
BLOCK = NormalizedFeatures(WIDTH, affine=False)


@dataclass(frozen=True)
class Setting:
    """What is trained: scales of the modalities, the loss, and where the block stands."""

    name: str
    scales: tuple[float, ...]
    contrastive: bool
    each: bool  # on each modality before they are added, or on the fused features


SETTINGS = tuple(
    Setting(
        f"{'contrastive' if contrastive else 'classification'}, "
        f"{'scales 0.01 to 1000' if scales is VERY_DIFFERENT else 'equal scales'}, "
        f"{'each modality' if each else 'fused features'}",
        scales,
        contrastive,
        each,
    )
    for scales in (VERY_DIFFERENT, SAME)
    for contrastive in (False, True)
    for each in (True, False)
)


class Data:
    """Four noisy views of a class; every run has its own classes and its own draws.

    A batch is inputs of shape (4, runs, size, INPUTS) and labels of shape (runs, size). Runs of
    one seed see the same data.
    """

    def __init__(self, scales: tuple[float, ...]) -> None:
        own = {seed: torch.Generator().manual_seed(seed) for seed in TUNING + SEEDS}
        self.draws, self.of_run = list(own.values()), [list(own).index(s) for _, s in RUNS]
        self.scales = torch.tensor(scales).view(4, 1, 1, 1)
        self.centres = self._normal(CLASSES)

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Inputs and labels."""
        label = torch.stack([torch.randint(CLASSES, (size,), generator=g) for g in self.draws])
        index = label[None, :, :, None].expand(4, -1, -1, INPUTS)
        x = self.scales * (0.4 * self.centres.gather(2, index) + self._normal(size))
        return x[:, self.of_run], label[self.of_run]

    def start(self, *shape: int) -> Tensor:
        """A weight to begin with, the same for the runs of a seed: uniform, as torch's Linear."""
        bound = 1.0 / math.sqrt(shape[-2])
        drawn = torch.stack([torch.rand(shape, generator=g) for g in self.draws])
        return (bound * (2.0 * drawn - 1.0))[self.of_run].requires_grad_()

    def _normal(self, size: int) -> Tensor:
        return torch.stack([torch.randn(4, size, INPUTS, generator=g) for g in self.draws], 1)


class Fusion:
    """Encoders, their sum, one more layer, and a head; weights of shape (runs, in, out)."""

    def __init__(self, setting: Setting, with_it: bool, data: Data) -> None:
        self.setting, self.with_it = setting, with_it
        self.encoders = data.start(4, INPUTS, WIDTH)
        self.mixed, self.head = data.start(WIDTH, WIDTH), data.start(WIDTH, CLASSES)
        self.bias = torch.zeros(len(RUNS), 1, WIDTH, requires_grad=True)
        # Vectors of length 1 need a scale to be classified by; both sides have it.
        self.scale = torch.full((len(RUNS), 1, 1), 2.0, requires_grad=True)

    def parameters(self) -> list[Tensor]:
        """All that is learned."""
        return [self.encoders, self.mixed, self.head, self.bias, self.scale]

    def features(self, x: Tensor) -> Tensor:
        """Fused features, shape (runs, size, WIDTH)."""
        each = x @ self.encoders.transpose(0, 1)
        if self.with_it and self.setting.each:
            each = BLOCK(each)
        fused = functional.relu(each.sum(0) + self.bias) @ self.mixed
        return BLOCK(fused) if self.with_it and not self.setting.each else fused

    def loss(self, x: Tensor, label: Tensor) -> Tensor:
        """What is minimised, of each run."""
        features = self.features(x)
        if self.setting.contrastive:
            return contrastive(features, label)
        logits = self.logits(features).transpose(1, 2)
        return functional.cross_entropy(logits, label, reduction="none").mean(1)

    def logits(self, features: Tensor) -> Tensor:
        """Of the classes, shape (runs, size, CLASSES)."""
        return features @ self.head * self.scale.exp()

    def wrong(self, x: Tensor, label: Tensor) -> Tensor:
        """Errors of each run in percent; contrastive features go to the nearest class mean."""
        with torch.no_grad():
            features = self.features(x)
            if self.setting.contrastive:
                known = functional.one_hot(label[:, ::2], CLASSES).float().transpose(1, 2)
                means = known @ features[:, ::2] / known.sum(2, keepdim=True)
                guess, asked = torch.cdist(features[:, 1::2], means).argmin(2), label[:, 1::2]
            else:
                guess, asked = self.logits(features).argmax(2), label
            error = 100.0 * (guess != asked).float().mean(1)
            # A training that broke is wrong everywhere.
            return torch.where(features.isfinite().all(2).all(1), error, torch.tensor(100.0))


def contrastive(features: Tensor, label: Tensor) -> Tensor:
    """Supervised contrastive loss (Khosla 2020, arXiv:2004.11362) at a temperature of 0.2."""
    itself = torch.eye(label.shape[1], dtype=torch.bool)
    alike = (label[:, :, None] == label[:, None, :]) & ~itself
    logits = features @ features.transpose(1, 2) / 0.2
    told = functional.log_softmax(logits.masked_fill(itself, -math.inf), 2)
    of_alike = torch.where(alike, told, torch.zeros_like(told)).sum(2)
    return -(of_alike / alike.sum(2).clamp(min=1)).mean(1)


def adamw(parameters: list[Tensor], rates: Tensor) -> Iterator[None]:
    """AdamW with a learning rate a run; an update each time it is asked for one."""
    first = [torch.zeros_like(p) for p in parameters]
    second = [torch.zeros_like(p) for p in parameters]
    step = 0
    while True:
        yield
        step += 1
        for p, m, v in zip(parameters, first, second, strict=True):
            assert p.grad is not None
            lr = rates.view(-1, *[1] * (p.dim() - 1))
            with torch.no_grad():
                m.lerp_(p.grad, 0.1)
                v.lerp_(p.grad.square(), 0.001)
                moved = (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
                p.sub_(lr * (moved + 0.01 * p))
            p.grad = None


def train(setting: Setting, with_it: bool, steps: int) -> Floats:
    """Validation errors in percent, shape (runs, EVALUATIONS)."""
    data = Data(setting.scales)
    held = data.batch(HELD)
    model = Fusion(setting, with_it, data)
    update = adamw(list(model.parameters()), torch.tensor([rate for rate, _ in RUNS]))
    next(update)
    found = []
    for step in range(steps):
        x, label = data.batch(BATCH)
        # The head has no part in a contrastive loss.
        unused = 0.0 * (model.head.sum() + model.scale.sum())
        (model.loss(x, label).sum() + unused).backward()  # type: ignore[no-untyped-call]  # of torch
        next(update)
        if (step + 1) % (steps // EVALUATIONS) == 0:
            found.append(model.wrong(*held))
    return torch.stack(found, 1).double().numpy()


def chosen(errors: Floats) -> tuple[float, list[Floats]]:
    """The rate with the lowest error on the tuning seeds, and the curves of the others there."""
    late = errors[:, -2:].mean(1)
    by_rate = {
        rate: np.mean([late[i] for i, (r, seed) in enumerate(RUNS) if r == rate and seed in TUNING])
        for rate in RATES
    }
    best = min(by_rate, key=lambda rate: float(by_rate[rate]))
    return best, [errors[i] for i, (r, s) in enumerate(RUNS) if r == best and s in SEEDS]


def logged(name: str, seed: int, errors: Floats) -> Run:
    """A training as a run."""
    n = len(errors)
    nothing = np.full(n, np.nan)
    column = Column("error", np.arange(1, n + 1), errors, nothing, nothing, split="val")
    return Run(f"{name}-{seed}", name, "trained", config={"seed": seed}).extend(Chunk((column,)))


def row(setting: Setting, steps: int) -> Row:
    """One setting: mean errors of both sides, and what the comparison says."""
    arms, means, rates = [], [], []
    for name in ("without", "with"):
        rate, curves = chosen(train(setting, name == "with", steps))
        arms.append([logged(name, *one) for one in zip(SEEDS, curves, strict=True)])
        means.append(float(np.mean([curve[-2:] for curve in curves])))
        rates.append(rate)
    (judged,) = compare(arms[0], [arms[1]], metrics=["error"]).rows
    note = f"with the block {judged.verdict}; rates {rates[0]:g} and {rates[1]:g}"
    if judged.difference is not None:
        at = judged.difference
        between = f"95 % interval {at.interval.low:+.1f} to {at.interval.high:+.1f}"
        note = f"difference {at.mean:+.1f} points, {between}; {note}"
    return Row(setting.name, "without the block", means[0], means[1], "", note, "%")


def results(quick: bool = False) -> list[Row]:
    """A row a setting."""
    torch.set_num_threads(1)
    return [row(setting, 40 if quick else 200) for setting in SETTINGS]
