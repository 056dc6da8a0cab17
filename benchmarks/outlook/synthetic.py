"""Synthetic runs whose end is known: laws, schedules and noise of many kinds.

The laws are written anew, not taken from trainlens, and are none of those that it fits: a multi-
power law with a drop that lags behind the learning rate, curves whose noise falls with the rate,
validation that overfits late, plateaus that drop at the steps of the rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rng = np.random.Generator

SCHEDULES = ("cosine", "linear", "stable", "step", "constant")
KINDS = ("law", "overfit", "plateau", "sigmoid")


@dataclass(frozen=True, eq=False)
class Case:
    """A whole run.

    Parameters
    ----------
    place, value : ndarray of shape (n,)
        Evaluations; lower is better.
    rate_place, rate_value : ndarray of shape (r,)
        Its learning rate, from the first step to the last.
    warmup : float
        Where its warmup ends.
    kind, schedule : str
    """

    place: Floats
    value: Floats
    rate_place: Floats
    rate_value: Floats
    warmup: float
    kind: str
    schedule: str


def schedule(name: str, share: Floats, rng: Rng) -> Floats:
    """Factor of the learning rate at shares of a run."""
    floor = float(rng.choice([0.0, 0.01, 0.1]))
    if name == "cosine":
        return np.asarray(floor + (1 - floor) * (0.5 + 0.5 * np.cos(np.pi * share)))
    if name == "linear":
        return floor + (1 - floor) * (1 - share)
    if name == "stable":
        decay = float(rng.uniform(0.1, 0.4))
        return np.asarray(np.clip((1 - share) / decay, floor, 1.0))
    if name == "step":
        at = np.sort(rng.uniform(0.3, 0.95, int(rng.integers(1, 4))))
        gamma = float(rng.choice([0.1, 0.2, 0.5]))
        return np.asarray(gamma ** np.searchsorted(at, share, "right"), np.float64)
    return np.ones_like(share)


def case(seed: int) -> Case:
    """One run, all of it drawn from `seed`."""
    rng = np.random.default_rng(seed)
    name, kind = str(rng.choice(SCHEDULES)), str(rng.choice(KINDS, p=[0.5, 0.2, 0.15, 0.15]))
    steps, grid = float(10 ** rng.uniform(2, 6)), np.linspace(0.0, 1.0, 2001)
    warm = float(rng.choice([0.0, 0.01, 0.05]))
    eta = schedule(name, grid, rng) * np.minimum(1.0, grid / warm if warm else 1.0)
    count = int(10 ** rng.uniform(1.2, 2.5))
    share = np.arange(1, count + 1) / count
    clean = np.interp(share, grid, _law(kind, grid, eta, rng))
    felt = np.interp(share, grid, eta) ** 0.5
    scale = (float(clean.max() - np.median(clean[-3:])) + 1e-9) * 10 ** rng.uniform(-2.5, -0.8)
    noise = _noise(count, float(rng.choice([0.0, 0.5, 0.8])), rng)
    level = 10 ** rng.uniform(-2, 2)
    quiet = felt if rng.random() < 0.5 else np.ones(count)
    value = level * (clean + scale * np.maximum(quiet, 0.2) * noise)
    return Case(share * steps, value, grid * steps, 1e-3 * eta, warm * steps, kind, name)


def _law(kind: str, grid: Floats, eta: Floats, rng: Rng) -> Floats:
    area = np.concatenate([[0.0], np.cumsum((eta[1:] + eta[:-1]) / 2)]) / (len(grid) - 1)
    offset = float(10 ** rng.uniform(-2.5, -0.7))
    fall = (1 + area / offset) ** -float(rng.uniform(0.2, 1.2))
    if kind == "sigmoid":
        middle, width = float(rng.uniform(0.05, 0.3)), float(rng.uniform(0.02, 0.1))
        fall = 1 / (1 + np.exp((area - middle) / width))
    curve = float(rng.uniform(0.1, 1.0)) + fall + _annealed(area, eta, rng)
    if kind == "overfit":
        onset = float(rng.uniform(0.1, 0.7))
        curve = curve + float(rng.uniform(0.05, 0.8)) * np.maximum(area - onset, 0.0)
    if kind == "plateau":
        curve = np.maximum(curve, float(np.interp(rng.uniform(0.1, 0.3), grid, curve)))
        curve = curve - float(rng.uniform(0.05, 0.3)) * (1 - _lagging(eta / eta.max(), 10))
    return np.asarray(curve, np.float64)


def _annealed(area: Floats, eta: Floats, rng: Rng) -> Floats:
    """What a falling rate gives back: each fall of it saturates over the area behind it."""
    drop = float(10 ** rng.uniform(-1.7, -0.5))
    first = int(np.argmax(eta))
    falls = np.maximum(-np.diff(eta), 0.0)
    at = np.flatnonzero(falls > 0)
    at = at[at >= first]
    if not len(at):
        return np.zeros_like(area)
    speed, beta = float(10 ** rng.uniform(1.0, 2.5)), float(rng.uniform(0.4, 0.8))
    behind = (
        np.maximum(area[None, :] - area[at][:, None], 0.0)
        / np.maximum(eta[at + 1], 1e-3)[:, None] ** 0.5
    )
    part = 1 - (1 + speed * behind) ** -beta
    return np.asarray(-drop * (falls[at][:, None] * part).sum(axis=0))


def _lagging(eta: Floats, lag: int) -> Floats:
    kernel = np.exp(-np.arange(5 * lag) / lag)
    padded = np.concatenate(
        [np.full(len(kernel) - 1, eta.max()), np.maximum.accumulate(eta[::-1])[::-1]]
    )
    return np.convolve(padded, kernel / kernel.sum(), "valid")


def _noise(count: int, rho: float, rng: Rng) -> Floats:
    white = rng.standard_normal(count) if rng.random() < 0.7 else rng.standard_t(4, count) / 1.41
    out = white.copy()
    for i in range(1, count):
        out[i] = rho * out[i - 1] + (1 - rho**2) ** 0.5 * white[i]
    return out
