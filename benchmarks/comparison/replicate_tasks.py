"""What the replicates learn: thirteen small tasks of many kinds, and ways to train them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.comparison.replicate_problems import Bandit, Forgery, Ratings, Supervised, Walk
from benchmarks.comparison.replicate_training import Problem, Recipe


@dataclass(frozen=True)
class Task:
    """A problem, its kind, and how it is trained."""

    name: str
    kind: str
    problem: Problem
    recipe: Recipe


def _split(x: Tensor, y: Tensor, held: int, classes: int, **how: object) -> Supervised:
    return Supervised(x[:-held], y[:-held], x[-held:], y[-held:], classes, **how)  # type: ignore[arg-type]


def _clouds(rng: torch.Generator, classes: int, dims: int, spread: float, count: int) -> Supervised:
    centre = torch.randn(classes, dims, generator=rng)
    y = torch.randint(0, classes, (count + 400,), generator=rng)
    return _split(centre[y] + spread * torch.randn(len(y), dims, generator=rng), y, 400, classes)


def _spirals(rng: torch.Generator, count: int = 1200, noise: float = 0.06) -> Supervised:
    y = torch.randint(0, 3, (count + 400,), generator=rng)
    radius = 0.15 + 0.85 * torch.rand(len(y), generator=rng)
    angle = 4 * radius + 2 * math.pi * y / 3
    x = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
    return _split(3 * (x + noise * torch.randn(x.shape, generator=rng)), y, 400, 3)


def _moons(rng: torch.Generator, count: int) -> Supervised:
    y = torch.randint(0, 2, (count + 400,), generator=rng)
    angle = math.pi * torch.rand(len(y), generator=rng)
    x = torch.stack([(1 - 2 * y) * angle.cos() + y, (1 - 2 * y) * angle.sin() + 0.5 * y], 1)
    return _split(x + 0.35 * torch.randn(x.shape, generator=rng), y, 400, 2)


def _parity(rng: torch.Generator, bits: int = 16) -> Supervised:
    """Product of three signs out of many: nothing for a while, then everything."""
    x = 2.0 * torch.randint(0, 2, (2400, bits), generator=rng) - 1
    return _split(x, (x[:, :3].prod(1) > 0).long(), 400, 2)


def _waves(rng: torch.Generator) -> Supervised:
    x = 6 * torch.rand(1400, 1, generator=rng) - 3
    y = (2 * x).sin() + 0.2 * torch.randn(x.shape, generator=rng)
    return _split(x, y, 400, 0, act=torch.tanh)


def _friedman(rng: torch.Generator) -> Supervised:
    x = torch.rand(1900, 8, generator=rng)
    y = 2 * (math.pi * x[:, 0] * x[:, 1]).sin() + 4 * (x[:, 2] - 0.5) ** 2 + 2 * x[:, 3] + x[:, 4]
    return _split(2 * x - 1, (y + 0.3 * torch.randn(y.shape, generator=rng))[:, None], 400, 0)


def _coder(rng: torch.Generator) -> Supervised:
    hidden = torch.randn(1900, 4, generator=rng)
    x = torch.tanh(hidden @ torch.randn(4, 24, generator=rng))
    return _split(x, x + 0.1 * torch.randn(x.shape, generator=rng), 400, 0, act=torch.tanh)


def _letters(rng: torch.Generator, letters: int = 12) -> Supervised:
    """Next letter after two; the letters come from a random chain of second order."""
    chain = torch.softmax(1.8 * torch.randn(letters, letters, letters, generator=rng), -1)
    text = [0, 1]
    chance = torch.rand(4400, generator=rng).tolist()
    steps = chain.cumsum(-1).tolist()
    for u in chance:
        row = steps[text[-2]][text[-1]]
        text.append(min(sum(u > r for r in row), letters - 1))
    t = torch.tensor(text)
    x = torch.cat([functional.one_hot(t[k : len(t) - 2 + k], letters) for k in (0, 1)], 1).float()
    return _split(x, t[2:], 800, letters)


def _ratings(rng: torch.Generator) -> Ratings:
    user, item = torch.randint(0, 100, (2, 5000), generator=rng)
    factors = torch.randn(2, 100, 4, generator=rng)
    rating = (factors[0][user] * factors[1][item]).sum(-1) / 2
    return Ratings(user, item, rating + 0.3 * torch.randn(5000, generator=rng))


@cache
def tasks() -> Mapping[str, Task]:
    """All tasks by name; data are the same in every process."""
    rng = torch.Generator().manual_seed(20)
    arms = torch.randn(6, 5, generator=rng)
    made = (
        Task("clouds", "classes", _clouds(rng, 6, 12, 1.1, 1600), Recipe(0.02)),
        Task("pictures", "classes", _clouds(rng, 10, 64, 3.0, 2000),
             Recipe(2e-3, 1500, 64, optimizer="adam", schedule="cosine", decay=1e-2)),
        Task("spirals", "classes", _spirals(rng), Recipe(5e-3, 1500, optimizer="adam",
                                                         schedule="cosine")),
        Task("few-moons", "classes", _moons(rng, 80), Recipe(0.03, 900, 20, evaluate=20)),
        Task("parity", "classes", _parity(rng), Recipe(0.02, 1500, decay=1e-3)),
        Task("waves", "values", _waves(rng), Recipe(5e-3, 1500, optimizer="adam")),
        Task("friedman", "values", _friedman(rng), Recipe(0.03, 1500, schedule="steps")),
        Task("coder", "values", _coder(rng), Recipe(2e-3, 1200, optimizer="adam", width=16,
                                                    evaluate=60)),
        Task("letters", "language", _letters(rng), Recipe(4e-3, 1500, 64, optimizer="adam",
                                                          schedule="cosine", decay=1e-2)),
        Task("ratings", "values", _ratings(rng), Recipe(5e-3, 1500, 128, optimizer="adam",
                                                        decay=0.05)),
        Task("bandit", "policy", Bandit(arms), Recipe(3e-3, 1500, 16, optimizer="adam")),
        Task("walk", "policy", Walk(), Recipe(0.03, 500, 32, optimizer="adam", every=2,
                                              evaluate=10, decay=0.0)),
        Task("forgery", "adversarial", Forgery(), Recipe(1e-3, 1500, 32, optimizer="adam")),
    )  # fmt: skip
    return {task.name: task for task in made}


def ways(task: Task) -> Mapping[str, Recipe]:
    """Changes of the recipe by name, the recipe as it is first."""
    recipe = task.recipe
    made = {
        "as it is": recipe,
        "a tenth of the learning rate": replace(recipe, lr=0.1 * recipe.lr),
        "three times the learning rate": replace(recipe, lr=3 * recipe.lr),
        "four times the batch": replace(recipe, batch=4 * recipe.batch),
    }
    if isinstance(task.problem, Supervised):
        made["noisy inputs"] = replace(recipe, jitter=1.0)
        made["a tenth of the labels at random"] = replace(recipe, label_noise=0.1)
    return made
