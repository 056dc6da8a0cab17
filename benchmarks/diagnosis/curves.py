"""Families of training curves without noise: they start near 1, and none of them is sick.

Each comes with the learning rate, as a share of its peak, that such a curve is trained with.
Development runs draw from `OPEN`, sealed ones from `OPEN` and `SEALED`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.diagnosis.noise import Floats, Random


@dataclass
class Shape:
    """A curve.

    Parameters
    ----------
    level : ndarray of shape (n,)
        About 1 at first, lower being better; crosses zero only if `crosses`.
    rate : ndarray of shape (n,)
        Learning rate as a share of its peak.
    crosses : bool
        Noise is added, not multiplied.
    elsewhere : ndarray of shape (n,), optional
        The same on data that do not change along the run, where the training data do.
    """

    level: Floats
    rate: Floats
    crosses: bool = False
    elsewhere: Floats | None = None


Family = Callable[[int, Random], Shape]


def power(n: int, rng: Random, low: float = 0.0, high: float = 0.9) -> Floats:
    """A power law to a floor."""
    floor = rng.uniform(low, high)
    start = max(1.0, n * rng.uniform(0.002, 0.02))
    return np.asarray(floor + (1 - floor) * (1 + np.arange(n) / start) ** -rng.uniform(0.25, 0.8))


def warmed(n: int, rng: Random) -> Floats:
    """Constant, after a linear warmup of up to a tenth of the run or none."""
    warm = rng.choice([0.0, rng.uniform(0.005, 0.1)])
    return np.asarray(np.minimum(1.0, (np.arange(n) + 1) / max(1.0, warm * n)))


def power_law(n: int, rng: Random) -> Shape:
    """A power law under a constant learning rate."""
    return Shape(power(n, rng), warmed(n, rng))


def exponential(n: int, rng: Random) -> Shape:
    """An exponential that has not yet reached its floor."""
    floor, t = rng.uniform(0.0, 0.8), np.linspace(0, 1, n)
    return Shape(floor + (1 - floor) * np.exp(-t / rng.uniform(0.3, 0.6)), warmed(n, rng))


def early_bump(n: int, rng: Random) -> Shape:
    """Rises by 5 to 15 % on the way down in the first fifth, as in a double descent."""
    t = np.linspace(0, 1, n)
    at, wide = rng.uniform(0.08, 0.18), rng.uniform(0.02, 0.04)
    bump = 1 + rng.uniform(0.05, 0.15) * np.exp(-0.5 * ((t - at) / wide) ** 2)
    return Shape(power(n, rng, 0.0, 0.5) * bump, warmed(n, rng))


def two_phases(n: int, rng: Random) -> Shape:
    """Flattens, and falls again late, ever slower."""
    t, at = np.linspace(0, 1, n), rng.uniform(0.5, 0.8)
    fallen = (1 + np.clip(t - at, 0, None) / 0.04) ** -rng.uniform(0.4, 0.8)
    late = 1 - rng.uniform(0.4, 0.8) * (1 - fallen)
    return Shape(power(n, rng, 0.2, 0.6) * late, warmed(n, rng))


def late_start(n: int, rng: Random) -> Shape:
    """Flat while it warms up, then a drop."""
    t, at = np.linspace(0, 1, n), rng.uniform(0.05, 0.2)
    floor = rng.uniform(0.05, 0.7)
    fallen = (1 + np.clip(t - at, 0, None) / 0.03) ** -rng.uniform(0.3, 0.8)
    return Shape(floor + (1 - floor) * fallen, np.minimum(1.0, (t + 1 / n) / at))


def _along(n: int, rng: Random, rate: Floats, low: float = 0.0, high: float = 0.6) -> Floats:
    """A power law in the learning rate spent."""
    spent = np.cumsum(rate) / rate.sum() * (n - 1)
    return np.asarray(np.interp(spent, np.arange(n), power(n, rng, low, high)))


def cosine(n: int, rng: Random) -> Shape:
    """Flattens as its learning rate follows a cosine to the end."""
    least = rng.choice([0.0, 0.01, 0.1])
    rate = warmed(n, rng) * (least + (1 - least) * (1 + np.cos(np.pi * np.linspace(0, 1, n))) / 2)
    return Shape(_along(n, rng, rate), rate)


def linear(n: int, rng: Random) -> Shape:
    """Flattens as its learning rate falls in a line to the end."""
    rate = warmed(n, rng) * np.linspace(1, rng.choice([0.0, 0.1]), n)
    return Shape(_along(n, rng, rate), rate)


def stepped(n: int, rng: Random) -> Shape:
    """Drops of the learning rate at half and three quarters, each with one of the loss."""
    t = np.linspace(0, 1, n)
    level, rate = power(n, rng, 0.1, 0.6), warmed(n, rng)
    for at in (rng.uniform(0.45, 0.55), rng.uniform(0.7, 0.8)):
        level = level * (1 - rng.uniform(0.1, 0.4) * -np.expm1(-np.clip(t - at, 0, None) / 0.02))
        rate = rate * np.where(t > at, 0.1, 1.0)
    return Shape(level, rate)


def curriculum(n: int, rng: Random) -> Shape:
    """Harder data from some points on: up by 5 to 15 %, and down again."""
    t, level = np.linspace(0, 1, n), power(n, rng, 0.05, 0.5)
    elsewhere = level
    for at in rng.uniform(0.15, 0.5, int(rng.integers(1, 3))):
        since = np.clip(t - at, 0, None)
        level = level * (1 + np.where(t > at, rng.uniform(0.05, 0.15), 0) * np.exp(-since / 0.1))
    return Shape(level, warmed(n, rng), elsewhere=elsewhere)


def crossing(n: int, rng: Random) -> Shape:
    """A negative log-likelihood: falls through zero."""
    return Shape(power(n, rng, 0.0, 0.3) - rng.uniform(0.3, 0.7), warmed(n, rng), crosses=True)


def held_then_decayed(n: int, rng: Random) -> Shape:
    """Warmup, constant, decay over the last fifth, with a drop of the loss there."""
    t, at = np.linspace(0, 1, n), rng.uniform(0.75, 0.85)
    rate = warmed(n, rng) * np.clip((1 - t) / (1 - at), 0.0, 1.0)
    ending = 1 - rng.uniform(0.05, 0.2) * np.clip((t - at) / (1 - at), 0, 1)
    return Shape(power(n, rng, 0.1, 0.7) * ending, rate)


def stretched(n: int, rng: Random) -> Shape:
    """A stretched exponential."""
    floor, t = rng.uniform(0.0, 0.7), np.linspace(0, 1, n)
    fallen = np.exp(-((t / rng.uniform(0.15, 0.4)) ** rng.uniform(0.4, 0.7)))
    return Shape(floor + (1 - floor) * fallen, warmed(n, rng))


def logarithmic(n: int, rng: Random) -> Shape:
    """Falls with the logarithm of the step."""
    start = max(1.0, n * rng.uniform(0.002, 0.02))
    slope = rng.uniform(0.3, 0.9) / np.log1p(n / start)
    return Shape(1 - slope * np.log1p(np.arange(n) / start), warmed(n, rng))


def restarts(n: int, rng: Random) -> Shape:
    """Cosine cycles; the loss rises a little at each restart and falls below where it was."""
    cycles = int(rng.integers(2, 5))
    phase = np.linspace(0, cycles, n, endpoint=False) % 1.0
    rate = (1 + np.cos(np.pi * phase)) / 2
    wave = 1 + rng.uniform(0.02, 0.06) * rate
    return Shape(power(n, rng, 0.1, 0.6) * wave / wave[0], np.maximum(rate, 0.01))


def two_speeds(n: int, rng: Random) -> Shape:
    """A fast and a slow power law."""
    part = rng.uniform(0.4, 0.8)
    slow = (1 + np.arange(n) / (n * 0.2)) ** -0.7
    return Shape(part * power(n, rng, 0.1, 0.4) + (1 - part) * slow, warmed(n, rng))


def inverse_root(n: int, rng: Random) -> Shape:
    """Warmup, then a learning rate by the inverse root of the step."""
    warm = max(1.0, n * rng.uniform(0.01, 0.1))
    at = np.arange(n) + 1.0
    rate = np.minimum(at / warm, np.sqrt(warm / at))
    return Shape(_along(n, rng, rate, 0.0, 0.5), rate)


OPEN: dict[str, Family] = {
    "power law": power_law, "exponential": exponential, "early bump": early_bump,
    "two phases": two_phases, "late start": late_start, "cosine": cosine, "linear": linear,
    "stepped": stepped, "curriculum": curriculum, "crossing": crossing,
    "held, decayed": held_then_decayed,
}  # fmt: skip
SEALED: dict[str, Family] = {
    "stretched": stretched, "logarithmic": logarithmic, "restarts": restarts,
    "two speeds": two_speeds, "inverse root": inverse_root,
}  # fmt: skip
PLAIN = ("power law", "exponential", "late start")
"""Under a learning rate that stays: what a fault of the trend is put into."""


def healthy(n: int, rng: Random, sigma: float = 0.03) -> Floats:
    """A power law under normal noise, shape (n,), positive: the loss of the logs that are timed."""
    return np.asarray(power(n, rng, 0.1, 0.5) * np.exp(sigma * rng.standard_normal(n)))
