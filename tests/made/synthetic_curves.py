"""Healthy synthetic curves: a power law to a floor under noise of many kinds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOISES = ("white", "ar5", "ar9", "t4", "skew", "shrinking")


def noise(kind: str, n: int, sigma: float, rng: np.random.Generator) -> Floats:
    """Relative noise of unit meaning `sigma`, shape (n,).

    Parameters
    ----------
    kind : str
        One of `NOISES`: white Gaussian, AR(1) with 0.5 or 0.9, Student t with 4 degrees of
        freedom, skewed to the upper side, Gaussian that shrinks to a third along the run.
    n : int
    sigma : float
        Standard deviation of the noise of log loss.
    rng : numpy.random.Generator
    """
    if kind in ("ar5", "ar9"):
        from scipy.signal import lfilter

        rho = 0.5 if kind == "ar5" else 0.9
        raw = rng.standard_normal(n + 200) * np.sqrt(1 - rho**2)
        return np.asarray(lfilter([1.0], [1.0, -rho], raw)[200:] * sigma, np.float64)
    if kind == "t4":
        return np.asarray(rng.standard_t(4, n) / np.sqrt(2.0) * sigma)
    if kind == "skew":
        return np.asarray((rng.gamma(2.0, 1.0, n) - 2.0) / np.sqrt(2.0) * sigma)
    if kind == "shrinking":
        return rng.standard_normal(n) * sigma * np.linspace(1.0, 1 / 3, n)
    return rng.standard_normal(n) * sigma


def power_law(
    n: int, rng: np.random.Generator, *, floor: float | None = None, exponent: float | None = None
) -> Floats:
    """A falling curve that starts near 1, shape (n,), without noise."""
    low = rng.uniform(0.1, 0.5) if floor is None else floor
    power = rng.uniform(0.25, 0.8) if exponent is None else exponent
    start = max(1.0, n * rng.uniform(0.002, 0.02))
    return low + (1 - low) * (1 + np.arange(n) / start) ** -power


def healthy(
    n: int,
    rng: np.random.Generator,
    *,
    kind: str = "white",
    sigma: float = 0.03,
    scale: float = 1.0,
) -> Floats:
    """A healthy noisy loss, shape (n,), positive, of any scale."""
    return scale * power_law(n, rng) * np.exp(noise(kind, n, sigma, rng))
