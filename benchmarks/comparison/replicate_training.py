"""Train many seeds of one small model side by side, as one batched computation.

All parameters have the seed as their first axis; losses are summed over seeds and optimizers work
element by element, so no seed feels another: each is the training that it would be alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

Values = Mapping[str, Tensor]


@dataclass(frozen=True)
class Recipe:
    """How to train; what a variant of an experiment changes.

    `schedule` is constant, cosine or steps; `label_noise` the share of labels drawn at random;
    `jitter` the noise added to inputs in training alone; `same_start` gives all seeds one start
    so that only the order of samples differs.
    """

    lr: float
    steps: int = 1200
    batch: int = 32
    width: int = 32
    decay: float = 1e-3
    optimizer: str = "sgd"
    schedule: str = "constant"
    label_noise: float = 0.0
    jitter: float = 0.0
    every: int = 4
    evaluate: int = 30
    same_start: bool = False


class Problem(Protocol):
    """What is learned. Tensors have shape (seeds, ...)."""

    def start(self, recipe: Recipe, draw: Draw) -> list[Tensor]:
        """Parameters to begin with."""
        ...

    def batch(self, recipe: Recipe, draw: Draw) -> Any:
        """What one update looks at."""
        ...

    def objective(self, params: list[Tensor], batch: Any) -> tuple[Tensor, Values]:
        """What is minimised, shape (seeds,), and what the training log says."""
        ...

    def evaluate(self, params: list[Tensor], draw: Draw) -> Values:
        """What the validation log says."""
        ...


class Draw:
    """Random numbers for several seeds at once.

    Parameters
    ----------
    seed : int
    seeds : int
        How many trainings.
    """

    def __init__(self, seed: int, seeds: int) -> None:
        self.seeds = seeds
        self._start = torch.Generator().manual_seed(seed)
        self._order = torch.Generator().manual_seed(seed + 1)

    def weights(self, *shape: int, scale: float | None = None, same: bool = False) -> Tensor:
        """Normal weights of (seeds, *shape), by default of the size of He et al. (2015)."""
        size = math.sqrt(2 / shape[0]) if scale is None else scale
        drawn = torch.randn(1 if same else self.seeds, *shape, generator=self._start) * size
        return drawn.expand(self.seeds, *shape).clone().requires_grad_()

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, of (seeds, *shape)."""
        return torch.randn(self.seeds, *shape, generator=self._order)

    def uniform(self, *shape: int) -> Tensor:
        """From 0 to 1, of (seeds, *shape)."""
        return torch.rand(self.seeds, *shape, generator=self._order)

    def indices(self, below: int, *shape: int) -> Tensor:
        """Whole numbers from 0 up to `below`, of (seeds, *shape)."""
        return torch.randint(0, below, (self.seeds, *shape), generator=self._order)


@dataclass(frozen=True)
class Curves:
    """Logs of several seeds: metric to an array of shape (seeds, points), and the steps."""

    values: Mapping[str, np.ndarray]
    steps: Mapping[str, np.ndarray]


def _factor(recipe: Recipe) -> Callable[[int], float]:
    def factor(step: int) -> float:
        done = step / recipe.steps
        if recipe.schedule == "cosine":
            return min(1.0, step / 60) * 0.5 * (1 + math.cos(math.pi * done))
        if recipe.schedule == "steps":
            return 1.0 if done < 0.5 else 0.1 if done < 0.8 else 0.01
        return 1.0

    return factor


def train(problem: Problem, recipe: Recipe, seed: int, seeds: int) -> Curves:
    """Train all seeds and keep what they log; NaN and Inf stay."""
    draw, factor = Draw(seed, seeds), _factor(recipe)
    params = problem.start(recipe, draw)
    if recipe.optimizer == "adam":
        held: torch.optim.Optimizer = torch.optim.AdamW(
            params, recipe.lr, weight_decay=recipe.decay, foreach=True
        )
    else:
        held = torch.optim.SGD(
            params, recipe.lr, momentum=0.9, weight_decay=recipe.decay, foreach=True
        )
    log: dict[str, list[tuple[int, np.ndarray]]] = {}
    for step in range(1, recipe.steps + 1):
        for group in held.param_groups:
            group["lr"] = recipe.lr * factor(step)
        held.zero_grad()
        loss, said = problem.objective(params, problem.batch(recipe, draw))
        torch.autograd.backward(loss.sum())
        held.step()
        if step % recipe.every == 0:
            _keep(log, "train/", step, said)
        if step % recipe.evaluate == 0:
            with torch.no_grad():
                _keep(log, "val/", step, problem.evaluate(params, draw))
    return Curves(
        {k: np.stack([v for _, v in some], 1) for k, some in log.items()},
        {k: np.array([s for s, _ in some]) for k, some in log.items()},
    )


def _keep(
    log: dict[str, list[tuple[int, np.ndarray]]], split: str, step: int, said: Values
) -> None:
    for name, value in said.items():
        log.setdefault(split + name, []).append((step, value.detach().double().numpy().copy()))
