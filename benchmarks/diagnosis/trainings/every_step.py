"""Healthy trainings whose loss is logged at every step, with the true state of the model beside it.

Nothing is put into them. Beside the loss of each batch stands the `reference`: the loss of the
same model on a fixed large part of its data, before the update. It has no noise of batches, so
that a rise of it is one of the model, and a rise of the batch loss alone is a hard batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.diagnosis.trainings import data, nets
from benchmarks.diagnosis.trainings.schedules import Rate, constant, cosine, steps_down

Floats = NDArray[np.float64]
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
Made = tuple[nn.Module, Tensor, Tensor, Loss]
"""A model, its inputs, its targets and what is minimised."""


@dataclass(frozen=True)
class Trained:
    """What a training leaves behind.

    Parameters
    ----------
    name : str
    loss : ndarray of shape (steps,)
        Of each batch.
    reference : ndarray of shape (steps,)
        On fixed data, before each update.
    rate : ndarray of shape (steps,)
        Learning rate.
    epoch : ndarray of shape (steps,)
    """

    name: str
    loss: Floats
    reference: Floats
    rate: Floats
    epoch: Floats


@dataclass(frozen=True)
class Recipe:
    """How one training goes; `rest` keeps the last, smaller batch of an epoch."""

    task: str
    optimizer: str
    schedule: str
    batch: int
    steps: int
    seed: int
    rest: bool = False

    @property
    def name(self) -> str:
        """Everything that tells it from the others."""
        return f"{self.task}-{self.optimizer}-{self.schedule}-b{self.batch}-n{self.steps}"


def _supervised(model: nn.Module, task: data.Task) -> Made:
    return model, task.x, task.y, lambda m, x, y: task.loss(m(x), y)


def _blobs(seed: int) -> Made:
    return _supervised(nets.Mlp(12, 48, 6), data.blobs(seed, 5000, spread=1.2))


def _spirals(seed: int) -> Made:
    return _supervised(nets.Mlp(2, 48, 48, 3), data.spirals(seed, 3000))


def _moons(seed: int) -> Made:
    return _supervised(nets.Mlp(2, 32, 2), data.moons(seed, 4000))


def _images(seed: int) -> Made:
    return _supervised(nets.conv(), data.glyphs(seed, 3000, noise=1.1))


def _flat_images(seed: int) -> Made:
    return _supervised(nets.Mlp(64, 48, 10), data.glyphs(seed, 6000, noise=1.0))


def _autoencoder(seed: int) -> Made:
    return _supervised(nets.Mlp(64, 32, 8, 32, 64), data.pictures(seed, 2000))


def _waves(seed: int) -> Made:
    return _supervised(nets.Mlp(1, 32, 32, 1, act="tanh"), data.sinusoid(seed, 2000))


def _line(seed: int) -> Made:
    return _supervised(nets.Mlp(20, 1), data.linear(seed, 2000))


def _sums(seed: int) -> Made:
    return _supervised(nets.Rnn(), data.sums(seed, 2000))


def _letters(seed: int) -> Made:
    return _supervised(nets.Gru(), data.sentences(seed, 2500))


def _text(seed: int) -> Made:
    return _supervised(nets.Transformer(), data.sentences(seed, 2500))


def _policy(seed: int) -> Made:
    """A bandit with contexts: the policy gradient loss lies around zero and says little."""
    task = data.blobs(seed, 4000, classes=4, dims=6)

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        logs = torch.log_softmax(model(x), 1)
        if len(x) > 256:  # the reference: what is lost on the average
            return 1 - logs.exp().gather(1, y[:, None]).mean()
        action = torch.multinomial(logs.detach().exp(), 1)
        reward = (action == y[:, None]).float()
        return -((reward - reward.mean()) * logs.gather(1, action)).mean()

    return nets.Mlp(6, 32, 4), task.x, task.y, loss


class _Critic(nn.Module):
    """A value network with a slowly following copy of itself, as in temporal differences."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.now, self.held = nets.Mlp(dims, 32, 1), nets.Mlp(dims, 32, 1)
        self.held.load_state_dict(self.now.state_dict())
        self.held.requires_grad_(False)

    @torch.no_grad()
    def follow(self, share: float = 0.01) -> None:
        """Move the copy a little."""
        for mine, theirs in zip(self.held.parameters(), self.now.parameters(), strict=True):
            mine.lerp_(theirs, share)


def _critic(seed: int) -> Made:
    """Values of states of a noisy linear system, learned from their own predictions."""
    rng = np.random.default_rng(seed)
    state = rng.standard_normal((4000, 6))
    after = 0.8 * state + 0.1 * rng.standard_normal(state.shape)
    reward = np.abs(state[:, :1]) - state[:, 1:2] + 0.3 * rng.standard_normal((4000, 1))
    x = torch.as_tensor(np.concatenate([state, after], 1), dtype=torch.float32)
    y = torch.as_tensor(reward, dtype=torch.float32)

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        assert isinstance(model, _Critic)
        with torch.no_grad():
            aim = y + 0.5 * model.held(x[:, 6:])
        if len(x) <= 256:
            model.follow()
        return nn.functional.smooth_l1_loss(model.now(x[:, :6]), aim)

    return _Critic(6), x, y, loss


_TASKS: dict[str, tuple[Callable[[int], Made], float, float]] = {
    "blobs": (_blobs, 0.02, 2e-3), "spirals": (_spirals, 0.02, 2e-3),
    "moons": (_moons, 0.02, 2e-3), "images": (_images, 0.02, 2e-3),
    "flat-images": (_flat_images, 0.01, 1e-3), "autoencoder": (_autoencoder, 0.02, 2e-3),
    "waves": (_waves, 0.02, 3e-3), "line": (_line, 0.02, 5e-3), "sums": (_sums, 0.01, 1e-3),
    "letters": (_letters, 0.2, 3e-3), "text": (_text, 0.03, 1e-3),
    "policy": (_policy, 0.03, 2e-3), "critic": (_critic, 0.02, 2e-3),
}  # fmt: skip
"""How to make it, and its learning rates: of momentum (plain SGD has five times that) and Adam."""
_SLOW = ("images", "sums", "letters", "text")
_BATCHES = (8, 16, 32, 64, 128, 256)
_LENGTHS, _SHORT = (1000, 4000, 8000, 12_000), (800, 1500, 2500)
_REFERENCE, _FEW = 1000, 100


def recipes(repeats: int = 1, seed: int = 0) -> Iterator[Recipe]:
    """Every task with every optimizer; batch, schedule and length are drawn.

    Parameters
    ----------
    repeats : int
        Trainings of each task with each optimizer.
    seed : int
        Of what is drawn, and the first one of the trainings.
    """
    rng = np.random.default_rng(seed)
    for number, (again, task, optimizer) in enumerate(
        product(range(repeats), _TASKS, ("sgd", "momentum", "adam"))
    ):
        slow = task in _SLOW
        schedule = ("constant", "cosine", "warmup-cosine", "steps")[int(rng.integers(4))]
        batch = int(rng.choice(_BATCHES[:4] if slow else _BATCHES))
        steps = int(rng.choice(_SHORT if slow else _LENGTHS))
        yield Recipe(task, optimizer, schedule, batch, steps, seed + 1000 * again + number,
                     bool(rng.random() < 0.3))  # fmt: skip


def _rate(recipe: Recipe) -> Rate:
    n = recipe.steps
    held = {
        "constant": constant,
        "cosine": cosine(n),
        "warmup-cosine": cosine(n, n // 20),
        "steps": steps_down((n // 2, 3 * n // 4)),
    }
    return held[recipe.schedule]


def _optimizer(recipe: Recipe, model: nn.Module) -> tuple[torch.optim.Optimizer, float]:
    _, momentum, adam = _TASKS[recipe.task]
    held = [p for p in model.parameters() if p.requires_grad]
    if recipe.optimizer == "adam":
        return torch.optim.AdamW(held, adam, weight_decay=1e-3), adam
    lr = momentum if recipe.optimizer == "momentum" else 5 * momentum
    inertia = 0.9 if recipe.optimizer == "momentum" else 0.0
    return torch.optim.SGD(held, lr, momentum=inertia, weight_decay=1e-4), lr


def _order(count: int, recipe: Recipe) -> Iterator[tuple[Tensor, float]]:
    """Indices of each batch and the epoch it lies in."""
    made = torch.Generator().manual_seed(recipe.seed)
    end = count if recipe.rest else count - recipe.batch + 1
    epoch = 0
    while True:
        drawn = torch.randperm(count, generator=made)
        for first in range(0, end, recipe.batch):
            yield drawn[first : first + recipe.batch], epoch + first / count
        epoch += 1


def train(recipe: Recipe) -> Trained:
    """Train, and look at the model before every update."""
    torch.manual_seed(recipe.seed)
    model, x, y, loss = _TASKS[recipe.task][0](recipe.seed)
    optimizer, lr = _optimizer(recipe, model)
    rate, batches = _rate(recipe), _order(len(x), recipe)
    kept = slice(0, _FEW if recipe.task in _SLOW else _REFERENCE)
    held = np.empty((4, recipe.steps))
    for step in range(recipe.steps):
        chosen, epoch = next(batches)
        now = lr * rate(step + 1)
        for group in optimizer.param_groups:
            group["lr"] = now
        with torch.no_grad():
            reference = float(loss(model, x[kept], y[kept]))
        optimizer.zero_grad()
        value = loss(model, x[chosen], y[chosen])
        torch.autograd.backward(value)
        if recipe.task in _SLOW:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        held[:, step] = float(value.detach()), reference, now, epoch
    return Trained(recipe.name, *held)
