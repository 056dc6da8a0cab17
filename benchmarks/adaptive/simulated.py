"""Small models of training, whose best answer to a standstill is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens_torch.adaptive import AdaptiveLRManager

Rng = np.random.Generator
Model = Callable[[Rng], "Iterator[float]"]


@dataclass
class Rate:
    """The factor that a model trains with; set from outside between two evaluations."""

    factor: float = 1.0


def power_law(rng: Rng, rate: Rate, epochs: int) -> Iterator[float]:
    """A healthy run: a power law of what was trained so far, with noise; still falling."""
    floor, power = rng.uniform(0.0, 1.5), rng.uniform(0.25, 1.0)
    yield from _noisy(rng, rate, epochs, lambda t: floor + 2.5 * (1 + t) ** -power)


def slow(rng: Rng, rate: Rate, epochs: int) -> Iterator[float]:
    """A fine-tuning that gains 5 to 20 % in all, ever more slowly."""
    share, power = rng.uniform(0.05, 0.2), rng.uniform(0.3, 1.0)
    end = 1 - (1 + epochs / 10) ** -power
    yield from _noisy(rng, rate, epochs, lambda t: 1 - share * (1 - (1 + t / 10) ** -power) / end)


def cosine(rng: Rng, rate: Rate, epochs: int) -> Iterator[float]:
    """The same under a cosine schedule, with noise that the rate widens."""
    floor, power = rng.uniform(0.2, 1.5), rng.uniform(0.25, 0.8)
    noise, memory, wide = _noise(rng)
    spent, away, share = 0.0, 0.0, rng.uniform(0.02, 0.2)
    for epoch in range(epochs):
        now = rate.factor * (1 + math.cos(math.pi * epoch / epochs)) / 2
        spent += now
        away = memory * away + math.sqrt(1 - memory**2) * rng.normal()
        level = floor * (1 + share * now) + 2.5 * (1 + spent) ** -power
        yield level * math.exp(noise * away * wide)


def converging(rng: Rng, rate: Rate, epochs: int) -> Iterator[float]:
    """An exponential approach to a floor that is reached in the first half: nothing is left."""
    floor, pace = rng.uniform(0.2, 1.5), rng.uniform(8, 20) / epochs
    yield from _noisy(rng, rate, epochs, lambda t: floor + 2.5 * math.exp(-pace * t))


def noise_floor(rng: Rng, rate: Rate, epochs: int) -> Iterator[float]:
    """Plain SGD on a noisy quadratic at a rate that is too high: the loss is that of the noise."""
    bends, steps = np.geomspace(0.1, 1.0, 8), 20
    w, base, spread = rng.normal(size=8) * 3, 0.3, rng.uniform(0.5, 1.5)
    for _ in range(epochs):
        losses = np.empty(steps)
        for i in range(steps):
            losses[i] = 0.5 * float(bends @ (w * w))
            w = w - min(base * rate.factor, 1.9) * (bends * w + spread * rng.normal(size=8))
        yield float(losses.mean()) + 0.05


def saddle(rng: Rng, rate: Rate, epochs: int) -> Iterator[float]:
    """Two factors near 0 that have to grow together, at a rate that is far too small."""
    a = rng.uniform(0.01, 0.02, 4)
    b, base, steps = a.copy(), 2e-4, 10
    goal = np.array([2.0, 1.7, 1.4, 1.2])
    for _ in range(epochs):
        for _ in range(steps):
            error = a * b - goal
            a, b = a - base * rate.factor * error * b, b - base * rate.factor * error * a
            if not np.isfinite(a).all():
                break
        loss = 0.5 * float(((a * b - goal) ** 2).sum()) + 0.1
        yield loss * math.exp(0.003 * rng.normal())


def slow_quadratic(rng: Rng, rate: Rate, epochs: int) -> Iterator[float]:
    """A quadratic at a rate 100,000 times too small: it has hardly begun to fall."""
    bends, w = np.geomspace(0.3, 1.0, 8), rng.normal(size=8) + 2.0
    for _ in range(epochs):
        for _ in range(10):
            w = w - min(1e-6 * 10 * rate.factor, 1.9) * bends * w
        yield (0.5 * float(bends @ (w * w)) + 0.1) * math.exp(0.005 * rng.normal())


HEALTHY = {"power law": power_law, "slow fine-tuning": slow, "cosine decay": cosine}
ENDED = {"converged": converging, "noise floor": noise_floor}
STALLED = {"flat saddle": saddle, "rate far too small": slow_quadratic}


@dataclass(frozen=True)
class Course:
    """One simulated training.

    Parameters
    ----------
    losses, factors : ndarray of shape (epochs,)
        The factor is that which the loss was trained with.
    changes : int
        Of the factor.
    """

    losses: NDArray[np.float64]
    factors: NDArray[np.float64]
    changes: int


def course(model: Callable[..., Iterator[float]], seed: int, epochs: int, mode: str) -> Course:
    """Train one model with a manager, or at its fixed rate (mode ``"fixed"``)."""
    rng, rate = np.random.default_rng(seed), Rate()
    manager = AdaptiveLRManager(1e-3, mode="seed" if mode == "fixed" else mode)
    losses, factors = [], []
    for loss in model(rng, rate, epochs):
        losses.append(loss)
        factors.append(rate.factor)
        if mode != "fixed":
            manager.update(loss)
            rate.factor = manager.factor
    return Course(np.array(losses), np.array(factors), len(manager.decisions))


def _noise(rng: Rng) -> tuple[float, float, float]:
    return float(np.exp(rng.uniform(math.log(0.002), math.log(0.05)))), rng.choice([0.0, 0.5]), 1.0


def _noisy(rng: Rng, rate: Rate, epochs: int, level: Callable[[float], float]) -> Iterator[float]:
    noise, memory, _ = _noise(rng)
    spent = away = 0.0
    for _ in range(epochs):
        spent += rate.factor
        away = memory * away + math.sqrt(1 - memory**2) * rng.normal()
        yield level(spent) * math.exp(noise * away)
