"""What a small model can learn: the problems of the replicates, for many seeds at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.comparison.replicate_training import Draw, Recipe, Values

Batch = tuple[Tensor, Tensor]


def _layers(draw: Draw, sizes: tuple[int, ...], same: bool, scale: float | None = None
            ) -> list[Tensor]:  # fmt: skip
    made = []
    for a, b in itertools.pairwise(sizes):
        made += [draw.weights(a, b, same=same, scale=scale), draw.weights(1, b, scale=0.0)]
    return made


def _forward(params: list[Tensor], x: Tensor, act: Callable[[Tensor], Tensor] = torch.relu
             ) -> Tensor:  # fmt: skip
    for k in range(0, len(params), 2):
        x = torch.baddbmm(params[k + 1], x, params[k])
        if k + 2 < len(params):
            x = act(x)
    return x


@dataclass(frozen=True)
class Supervised:
    """A network of two hidden layers on samples that are held in memory.

    `classes` of 0 means values (half the squared error).
    """

    x: Tensor
    y: Tensor
    val_x: Tensor
    val_y: Tensor
    classes: int
    depth: int = 2
    act: Callable[[Tensor], Tensor] = field(default=torch.relu)

    def start(self, recipe: Recipe, draw: Draw) -> list[Tensor]:
        """Parameters to begin with."""
        out = self.classes or self.y.shape[-1]
        sizes = (self.x.shape[-1], *[recipe.width] * self.depth, out)
        return _layers(draw, sizes, recipe.same_start)

    def batch(self, recipe: Recipe, draw: Draw) -> Batch:
        """What one update looks at."""
        chosen = draw.indices(len(self.x), recipe.batch)
        x, y = self.x[chosen], self.y[chosen]
        if recipe.jitter:
            x = x + recipe.jitter * draw.normal(recipe.batch, x.shape[-1])
        if recipe.label_noise:
            wrong = draw.uniform(recipe.batch) < recipe.label_noise
            other = self.y[draw.indices(len(self.x), recipe.batch)]
            y = torch.where(wrong if self.classes else wrong[..., None], other, y)
        return x, y

    def loss(self, out: Tensor, y: Tensor) -> Tensor:
        """Mean loss of each seed."""
        if not self.classes:
            return 0.5 * ((out - y) ** 2).mean((1, 2))
        lost = functional.cross_entropy(out.transpose(1, 2), y, reduction="none")
        return lost.mean(1)

    def objective(self, params: list[Tensor], batch: Batch) -> tuple[Tensor, Values]:
        """What is minimised, and what the training log says."""
        loss = self.loss(_forward(params, batch[0], self.act), batch[1])
        return loss, {"loss": loss}

    def evaluate(self, params: list[Tensor], draw: Draw) -> Values:
        """What the validation log says."""
        seeds = len(params[0])
        out = _forward(params, self.val_x.expand(seeds, -1, -1), self.act)
        y = self.val_y.expand(seeds, *self.val_y.shape)
        said = {"loss": self.loss(out, y)}
        if self.classes:
            said["accuracy"] = (out.argmax(-1) == y).double().mean(1)
        return said


@dataclass(frozen=True)
class Bandit:
    """Policy gradient with a learned value on a contextual bandit; rewards are noisy."""

    reward: Tensor

    def start(self, recipe: Recipe, draw: Draw) -> list[Tensor]:
        """Parameters to begin with."""
        dims, arms = self.reward.shape
        policy = _layers(draw, (dims, recipe.width, arms), recipe.same_start)
        return [*policy, draw.weights(dims, 1, scale=0.0)]

    def batch(self, recipe: Recipe, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
        """What one update looks at."""
        x = draw.normal(recipe.batch, len(self.reward))
        noise = (0.5 + recipe.jitter) * draw.normal(recipe.batch)
        return x, draw.uniform(recipe.batch, 1), noise

    def objective(self, params: list[Tensor], batch: tuple[Tensor, Tensor, Tensor]
                  ) -> tuple[Tensor, Values]:  # fmt: skip
        """What is minimised, and what the training log says."""
        x, chance, noise = batch
        logits = _forward(params[:-1], x)
        odds = logits.softmax(-1)
        last = odds.shape[-1] - 1
        act = (odds.detach().cumsum(-1) < chance).sum(-1).clamp(max=last)[..., None]
        gained = torch.tanh(x @ self.reward).gather(-1, act)[..., 0] + noise
        value = torch.bmm(x, params[-1])[..., 0]
        better = (gained - value).detach()
        taken = logits.log_softmax(-1).gather(-1, act)[..., 0]
        loss = (0.5 * (gained - value) ** 2 - taken * better).mean(1)
        return loss, {"return": gained.mean(1), "loss": loss}

    def evaluate(self, params: list[Tensor], draw: Draw) -> Values:
        """What the validation log says."""
        x = torch.randn(200, len(self.reward), generator=torch.Generator().manual_seed(5))
        odds = _forward(params[:-1], x.expand(len(params[0]), -1, -1)).softmax(-1)
        return {"return": (odds * torch.tanh(x @ self.reward)).sum(-1).mean(1)}


@dataclass(frozen=True)
class Walk:
    """Policy gradient on a corridor: a small reward lies near, a large one far away."""

    length: int = 9
    moves: int = 30

    def start(self, recipe: Recipe, draw: Draw) -> list[Tensor]:
        """Parameters to begin with."""
        return [draw.weights(self.length, 2, scale=0.3, same=recipe.same_start)]

    def batch(self, recipe: Recipe, draw: Draw) -> Tensor:
        """What one update looks at."""
        return draw.uniform(max(4, recipe.batch // 4), self.moves)

    def objective(self, params: list[Tensor], batch: Tensor) -> tuple[Tensor, Values]:
        """What is minimised, and what the training log says."""
        (table,) = params
        logs = table.log_softmax(-1)
        place = torch.full(batch.shape[:2], 2)
        alive, taken = torch.ones(batch.shape[:2]), torch.zeros(batch.shape[:2])
        gained = torch.zeros(batch.shape[:2])
        for move in range(self.moves):
            here = logs.gather(1, place[..., None].expand(-1, -1, 2))
            right = (batch[..., move] < here[..., 1].exp().detach()).long()
            taken = taken + alive * here.gather(-1, right[..., None])[..., 0]
            place = (place + 2 * right - 1).clamp(0, self.length - 1)
            ended = (place == 0) | (place == self.length - 1)
            gained = gained + alive * ended * torch.where(place == 0, 0.3, 1.0)
            alive = alive * ~ended
        gained = gained - 0.02 * alive
        better = gained - gained.mean(1, keepdim=True)
        return -(taken * better).mean(1), {"return": gained.mean(1)}

    def evaluate(self, params: list[Tensor], draw: Draw) -> Values:
        """What the validation log says."""
        return {"return": self.objective(params, draw.uniform(20, self.moves))[1]["return"]}


@dataclass(frozen=True)
class Forgery:
    """A generator against a discriminator, on points of eight clouds on a ring."""

    def start(self, recipe: Recipe, draw: Draw) -> list[Tensor]:
        """Parameters to begin with."""
        width = recipe.width
        judge = _layers(draw, (2, width, width, 1), recipe.same_start)
        return judge + _layers(draw, (4, width, width, 2), recipe.same_start)

    def batch(self, recipe: Recipe, draw: Draw) -> Batch:
        """What one update looks at."""
        return self.real(draw.uniform(recipe.batch), draw.normal(recipe.batch, 2)), draw.normal(
            recipe.batch, 4
        )

    @staticmethod
    def real(chance: Tensor, noise: Tensor) -> Tensor:
        """Points of the eight clouds."""
        angle = (8 * chance).floor() * (math.pi / 4)
        return torch.stack([angle.cos(), angle.sin()], -1) * 2 + 0.15 * noise

    def objective(self, params: list[Tensor], batch: Batch) -> tuple[Tensor, Values]:
        """What is minimised, and what the training log says."""
        real, noise = batch
        judge, maker = params[:6], params[6:]
        made = _forward(maker, noise)
        fooled = functional.softplus(-_forward([p.detach() for p in judge], made)).mean((1, 2))
        told = (
            functional.softplus(-_forward(judge, real))
            + functional.softplus(_forward(judge, made.detach()))
        ).mean((1, 2))
        return fooled + told, {"generator": fooled, "discriminator": told}

    def evaluate(self, params: list[Tensor], draw: Draw) -> Values:
        """What the validation log says."""
        rng = torch.Generator().manual_seed(9)
        noise = torch.randn(256, 4, generator=rng).expand(len(params[0]), -1, -1)
        made = _forward(params[6:], noise)
        real = self.real(torch.rand(256, generator=rng), torch.randn(256, 2, generator=rng))
        real = real.expand(len(made), -1, -1)
        far = torch.cdist(made, real).mean((1, 2))
        return {"distance": 2 * far - torch.cdist(made, made).mean((1, 2))}


@dataclass(frozen=True)
class Ratings:
    """Matrix factorisation: users times items, a tenth of the ratings held out."""

    user: Tensor
    item: Tensor
    rating: Tensor

    def start(self, recipe: Recipe, draw: Draw) -> list[Tensor]:
        """Parameters to begin with."""
        rank, same = recipe.width // 4, recipe.same_start
        return [draw.weights(100, rank, scale=0.3, same=same) for _ in range(2)]

    def batch(self, recipe: Recipe, draw: Draw) -> tuple[Tensor, Tensor]:
        """What one update looks at."""
        chosen = draw.indices(len(self.rating) * 9 // 10, recipe.batch)
        said = self.rating[chosen]
        return chosen, said + recipe.jitter * draw.normal(recipe.batch)

    def _guess(self, params: list[Tensor], chosen: Tensor) -> Tensor:
        rows = torch.arange(len(chosen))[:, None]
        users, items = (
            held[rows, who[chosen]]
            for held, who in zip(params, (self.user, self.item), strict=True)
        )
        return (users * items).sum(-1)

    def objective(self, params: list[Tensor], batch: tuple[Tensor, Tensor]
                  ) -> tuple[Tensor, Values]:  # fmt: skip
        """What is minimised, and what the training log says."""
        loss = ((self._guess(params, batch[0]) - batch[1]) ** 2).mean(1)
        return loss, {"loss": loss}

    def evaluate(self, params: list[Tensor], draw: Draw) -> Values:
        """What the validation log says."""
        held = torch.arange(len(self.rating) * 9 // 10, len(self.rating))
        guess = self._guess(params, held.expand(len(params[0]), -1))
        return {"rmse": ((guess - self.rating[held]) ** 2).mean(1).sqrt()}
