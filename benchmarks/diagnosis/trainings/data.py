"""Small data sets, made anew from a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Task:
    """Samples to learn from and samples to judge by; `kind` is class or value."""

    x: Tensor
    y: Tensor
    val_x: Tensor
    val_y: Tensor
    kind: str = "class"

    def loss(self, out: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy of classes, half the squared error of values."""
        if self.kind == "value":
            return 0.5 * functional.mse_loss(out, target)
        return functional.cross_entropy(out.flatten(0, -2), target.flatten())

    def few(self, count: int) -> Task:
        """The same with fewer samples to learn from."""
        return replace(self, x=self.x[:count], y=self.y[:count])


def _task(x: np.ndarray, y: np.ndarray, held_out: int, kind: str = "class") -> Task:
    inputs = torch.as_tensor(x, dtype=torch.int64 if x.dtype.kind == "i" else torch.float32)
    target = torch.as_tensor(y, dtype=torch.int64 if kind == "class" else torch.float32)
    return Task(
        inputs[:-held_out], target[:-held_out], inputs[-held_out:], target[-held_out:], kind
    )


def blobs(seed: int, count: int = 2000, classes: int = 6, dims: int = 12, spread: float = 1.0,
          held_out: int = 500) -> Task:  # fmt: skip
    """Gaussian clouds that overlap a little."""
    rng = np.random.default_rng(seed)
    centre = rng.standard_normal((classes, dims))
    y = rng.integers(0, classes, count + held_out)
    return _task(centre[y] + spread * rng.standard_normal((len(y), dims)), y, held_out)


def spirals(seed: int, count: int = 1500, arms: int = 3, noise: float = 0.06,
            held_out: int = 500) -> Task:  # fmt: skip
    """Arms that wind around each other."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, arms, count + held_out)
    radius = rng.uniform(0.15, 1, len(y))
    angle = 4 * radius + 2 * np.pi * y / arms
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return _task(3 * (x + noise * rng.standard_normal(x.shape)), y, held_out)


def moons(seed: int, count: int = 1000, noise: float = 0.25, held_out: int = 500) -> Task:
    """Two half circles that reach into each other."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count + held_out)
    angle = np.pi * rng.random(len(y))
    side = 1 - 2 * y
    x = np.stack([side * np.cos(angle) + y, side * np.sin(angle) + 0.5 * y], 1)
    return _task(x + noise * rng.standard_normal(x.shape), y, held_out)


def glyphs(seed: int, count: int = 1500, classes: int = 10, noise: float = 0.6,
           held_out: int = 500) -> Task:  # fmt: skip
    """Images of 8 x 8: a smooth pattern for each class, moved by up to a pixel, with noise."""
    rng = np.random.default_rng(seed)
    rough = rng.standard_normal((classes, 10, 10))
    near = [np.roll(rough, (a, b), (1, 2)) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    smooth = np.sum(near, axis=0) / 3.0
    y = rng.integers(0, classes, count + held_out)
    moved = rng.integers(0, 3, (len(y), 2))
    x = np.stack([smooth[c, a : a + 8, b : b + 8] for c, (a, b) in zip(y, moved, strict=True)])
    return _task((x + noise * rng.standard_normal(x.shape))[:, None], y, held_out)


def pictures(seed: int, count: int = 1500) -> Task:
    """Glyphs as their own targets, flat, for an autoencoder."""
    held = glyphs(seed, count, noise=0.2)
    flat, val = held.x.flatten(1), held.val_x.flatten(1)
    return Task(flat, flat, val, val, "value")


def sinusoid(seed: int, count: int = 800, noise: float = 0.1, held_out: int = 400) -> Task:
    """A sum of two waves, measured with noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (count + held_out, 1))
    y = np.sin(3 * x) + 0.5 * np.sin(7 * x) + noise * rng.standard_normal(x.shape)
    return _task(x, y, held_out, "value")


def linear(seed: int, count: int = 1000, dims: int = 20, noise: float = 0.3,
           held_out: int = 400) -> Task:  # fmt: skip
    """A linear function of many inputs of unequal size."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count + held_out, dims)) * np.geomspace(1, 0.1, dims)
    y = x @ rng.standard_normal((dims, 1)) + noise * rng.standard_normal((len(x), 1))
    return _task(x, y, held_out, "value")


def sentences(seed: int, count: int = 1500, length: int = 12, held_out: int = 300) -> Task:
    """Letters of a small grammar: words of a lexicon, their order a Markov chain."""
    rng = np.random.default_rng(seed)
    lexicon = [rng.integers(1, 16, rng.integers(2, 6)) for _ in range(12)]
    follows = rng.dirichlet(np.full(12, 0.25), 12)
    letters: list[int] = []
    word = 0
    while len(letters) < (count + held_out) * length + 1:
        letters += [*map(int, lexicon[word]), 0]
        word = int(rng.choice(12, p=follows[word]))
    text = np.array(letters[: (count + held_out) * length + 1])
    shape = (count + held_out, length)
    return _task(text[:-1].reshape(shape), text[1:].reshape(shape), held_out)


def sums(seed: int, count: int = 1500, length: int = 20, held_out: int = 300) -> Task:
    """A sequence of numbers of which two are marked: their sum is the target."""
    rng = np.random.default_rng(seed)
    value = rng.random((count + held_out, length))
    mark = np.zeros_like(value)
    row, half = np.arange(len(value)), length // 2
    mark[row, rng.integers(0, half, len(row))] = 1
    mark[row, rng.integers(half, length, len(row))] = 1
    total = (value * mark).sum(1, keepdims=True)
    return _task(np.stack([value, mark], 2), total, held_out, "value")
