"""One training of the hand-pose network, with either dropout plan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from examples.handpose_dropout.kinematics import (
    ANGLES,
    JOINTS,
    forward_kinematics,
    mpjpe,
    rotate,
    sample_angles,
)
from trainlens_torch import ProgressiveDropout

SCALE = 100.0
"""Millimetres in the unit of the network, a decimetre: its numbers are then about 1."""


@dataclass(frozen=True)
class Recipe:
    """What distinguishes one run from another.

    Parameters
    ----------
    dropout : float
        Rate once dropout is on.
    dropout_warmup_step : int
        First step with dropout, 0 for dropout from the beginning.
    val_seed : int or None
        Seed of the poses of every validation; None draws other poses each time, as an unseeded
        shuffle buffer does.
    """

    dropout: float = 0.1
    dropout_warmup_step: int = 0
    val_seed: int | None = None
    lr: float = 1e-3
    lr_warmup: int = 1_000
    steps: int = 60_000
    batch: int = 32
    train_poses: int = 20_000
    val_poses: int = 192
    keypoint_noise: float = 6.0
    lambda_theta: float = 10.0
    seed: int = 7


class Log(Protocol):
    """Where a training writes its values."""

    def log(self, step: int, values: Mapping[str, float], split: str = "train") -> None:
        """Record the values of one step."""


@dataclass(frozen=True)
class Poses:
    """Pairs of noise-free keypoints and what the network must say.

    Parameters
    ----------
    points : tensor of shape (n, 21, 3)
        Millimetres, wrist at 0.
    angles : tensor of shape (n, 20)
    """

    points: Tensor
    angles: Tensor

    @classmethod
    def sample(cls, count: int, generator: torch.Generator) -> Poses:
        """Random hands in random orientations."""
        angles = sample_angles(count, generator)
        return cls(rotate(forward_kinematics(angles), generator), angles.flatten(1))

    def batch(self, index: Tensor, noise: float, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Noisy 2-D keypoints (b, 42), positions (b, 63) and angles (b, 20) of some poses."""
        points = self.points[index]
        seen = points[..., :2] + noise * torch.randn(points[..., :2].shape, generator=generator)
        return seen.flatten(1) / SCALE, points.flatten(1) / SCALE, self.angles[index]


def network(dropout: float) -> nn.Sequential:
    """From 2-D keypoints to 3-D positions and joint angles."""
    width = 96
    return nn.Sequential(
        *(nn.Linear(2 * JOINTS, width), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout)),
        nn.Linear(width, 3 * JOINTS + ANGLES),
    )


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warmup, then a cosine down to a hundredth of the peak."""
    if step < recipe.lr_warmup:
        return recipe.lr * (step + 1) / recipe.lr_warmup
    share = (step - recipe.lr_warmup) / max(1, recipe.steps - recipe.lr_warmup)
    return recipe.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


class Training:
    """The state of one run.

    Parameters
    ----------
    recipe : Recipe
    logs : sequence of Log
    """

    def __init__(self, recipe: Recipe, logs: Sequence[Log]) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.logs = recipe, logs
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.poses = Poses.sample(recipe.train_poses, self.generator)
        self.batches = self.draw_batches()
        self.model = network(recipe.dropout)
        self.dropout = ProgressiveDropout(self.model, recipe.dropout, recipe.dropout_warmup_step)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=recipe.lr, fused=True)

    def run(self, log_every: int = 100, validate_every: int = 3_000) -> None:
        """Train to the end, logging and validating on the way."""
        for step in range(1, self.recipe.steps + 1):
            rate = self.dropout.apply(step)
            losses = self.update(step)
            if step % log_every == 0:
                lr = self.optimizer.param_groups[0]["lr"]
                self.log(step, {"lr": lr, "dropout": rate, **losses()})
            if step % validate_every == 0:
                for split, value in self.validate().items():
                    self.log(step, {"mpjpe": value}, split)

    def update(self, step: int) -> LazyLosses:
        """One optimizer update on a random batch."""
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        seen, points, angles = next(self.batches)
        said = self.model(seen)
        # Square centimetres, so that losses are of the order of 1.
        loss_xyz = 100 * nn.functional.mse_loss(said[:, : 3 * JOINTS], points)
        loss_theta = nn.functional.mse_loss(said[:, 3 * JOINTS :], angles)
        total = loss_xyz + recipe.lambda_theta * loss_theta
        self.optimizer.zero_grad()
        torch.autograd.backward(total)
        self.optimizer.step()
        return LazyLosses(total.detach(), loss_theta.detach())

    def draw_batches(self, at_once: int = 100) -> Iterator[tuple[Tensor, ...]]:
        """Random batches without end, drawn many at once because drawing costs more than using."""
        recipe, size = self.recipe, self.recipe.batch
        while True:
            index = torch.randint(recipe.train_poses, (at_once * size,), generator=self.generator)
            drawn = self.poses.batch(index, recipe.keypoint_noise, self.generator)
            yield from zip(*(torch.split(field, size) for field in drawn), strict=True)

    def validate(self) -> dict[str, float]:
        """MPJPE in millimetres on some training poses and on unseen ones."""
        recipe = self.recipe
        seed = recipe.val_seed
        generator = self.generator if seed is None else torch.Generator().manual_seed(seed)
        unseen = Poses.sample(recipe.val_poses, generator)
        return {"train": self.error(self.poses, generator), "val": self.error(unseen, generator)}

    @torch.no_grad()
    def error(self, poses: Poses, generator: torch.Generator) -> float:
        """MPJPE in millimetres on `val_poses` of some poses."""
        index = torch.randperm(len(poses.points), generator=generator)[: self.recipe.val_poses]
        seen, points, _ = poses.batch(index, self.recipe.keypoint_noise, generator)
        self.model.eval()
        said = self.model(seen)[:, : 3 * JOINTS]
        self.model.train()
        return mpjpe(SCALE * said.view(-1, JOINTS, 3), SCALE * points.view(-1, JOINTS, 3))

    def log(self, step: int, values: Mapping[str, float], split: str = "train") -> None:
        """Write to every log."""
        for log in self.logs:
            log.log(step, values, split)


@dataclass(frozen=True)
class LazyLosses:
    """Losses of one update, turned into numbers only when they are logged."""

    total: Tensor
    theta: Tensor

    def __call__(self) -> dict[str, float]:
        """By name, as numbers."""
        return {"total": self.total.item(), "loss_theta": self.theta.item()}


def config(recipe: Recipe) -> dict[str, object]:
    """The recipe as plain values for a log's header."""
    return asdict(recipe)
