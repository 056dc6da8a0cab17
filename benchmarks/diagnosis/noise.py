"""Families of noise, each of unit standard deviation, and what noise costs a mean.

Development runs draw from `OPEN`, sealed ones from `OPEN` and `SEALED`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Random = np.random.Generator
Family = Callable[[int, int, Random], Floats]
"""From points, points an epoch and a generator to noise of shape (n,)."""


def ar1(n: int, rho: float, rng: Random, raw: Floats | None = None) -> Floats:
    """A stationary AR(1) process of unit variance, shape (n,); `raw` are its n + 200 shocks."""
    from scipy.signal import lfilter

    shocks = rng.standard_normal(n + 200) if raw is None else raw
    return np.asarray(lfilter([np.sqrt(1 - rho**2)], [1.0, -rho], shocks)[200:], np.float64)


def white(n: int, _: int, rng: Random) -> Floats:
    """Normal."""
    return rng.standard_normal(n)


def ar5(n: int, _: int, rng: Random) -> Floats:
    """AR(1), 0.5."""
    return ar1(n, 0.5, rng)


def ar9(n: int, _: int, rng: Random) -> Floats:
    """AR(1), 0.9."""
    return ar1(n, 0.9, rng)


def t4(n: int, _: int, rng: Random) -> Floats:
    """Student t with 4 degrees of freedom."""
    return np.asarray(rng.standard_t(4, n) / np.sqrt(2.0))


def t3(n: int, _: int, rng: Random) -> Floats:
    """Student t with 3 degrees of freedom."""
    return np.asarray(rng.standard_t(3, n) / np.sqrt(3.0))


def gamma(n: int, _: int, rng: Random) -> Floats:
    """Gamma of shape 2, skewed to the upper side."""
    return np.asarray((rng.gamma(2.0, 1.0, n) - 2.0) / np.sqrt(2.0))


def lognormal(n: int, _: int, rng: Random) -> Floats:
    """Lognormal of width 0.6, skewed more."""
    width = 0.6**2
    mean, sd = np.exp(width / 2), np.sqrt((np.exp(width) - 1) * np.exp(width))
    return np.asarray((np.exp(0.6 * rng.standard_normal(n)) - mean) / sd)


def shrinking(n: int, _: int, rng: Random) -> Floats:
    """Normal, shrinking to a third along the run."""
    return rng.standard_normal(n) * np.linspace(1.0, 1 / 3, n)


def growing(n: int, _: int, rng: Random) -> Floats:
    """Normal, growing threefold along the run."""
    return rng.standard_normal(n) * np.linspace(1 / 3, 1.0, n)


def moving(n: int, _: int, rng: Random) -> Floats:
    """Moving average of 5 shocks, as logs of smoothed losses have it."""
    raw = rng.standard_normal(n + 4)
    return np.asarray(np.convolve(raw, np.ones(5), "valid") / np.sqrt(5.0))


def two_parts(n: int, _: int, rng: Random) -> Floats:
    """A slow and a fast part: AR(1) 0.95 and normal."""
    return np.asarray(np.sqrt(0.5) * (ar1(n, 0.95, rng) + rng.standard_normal(n)))


def sawtooth(n: int, epoch: int, rng: Random) -> Floats:
    """Rises within each epoch and falls back: the same order of batches every time."""
    place = (np.arange(n) % epoch) / epoch
    return 1.5 * (2 * place - 1) + rng.standard_normal(n) * 0.5


def epoch_means(n: int, epoch: int, rng: Random) -> Floats:
    """Mean since the beginning of the epoch, as progress bars show it."""
    raw, at = rng.standard_normal(n), np.arange(n) % epoch
    total = np.cumsum(raw)
    first = np.arange(n) - at
    before = np.where(first > 0, total[np.maximum(first - 1, 0)], 0.0)
    return (total - before) / (at + 1)


def bursts(n: int, _: int, rng: Random) -> Floats:
    """Calm and restless times in turn: the logarithm of the width is AR(1) 0.98."""
    return rng.standard_normal(n) * np.exp(0.5 * ar1(n, 0.98, rng)) * 0.78


def laplace(n: int, _: int, rng: Random) -> Floats:
    """Laplace."""
    return rng.laplace(0.0, np.sqrt(0.5), n)


def skewed_ar(n: int, _: int, rng: Random) -> Floats:
    """AR(1) 0.7 driven by gamma shocks: autocorrelated and skewed."""
    return ar1(n, 0.7, rng, (rng.gamma(2.0, 1.0, n + 200) - 2.0) / np.sqrt(2.0))


def t4_ar(n: int, _: int, rng: Random) -> Floats:
    """AR(1) 0.5 driven by t4 shocks."""
    return ar1(n, 0.5, rng, rng.standard_t(4, n + 200) / np.sqrt(2.0))


def mixture(n: int, _: int, rng: Random) -> Floats:
    """Batches of two sources, one in five of them harder by two standard deviations."""
    hard = rng.random(n) < 0.2
    return np.asarray((rng.standard_normal(n) + np.where(hard, 2.0, -0.5)) / np.sqrt(2.0))


def alternating(n: int, _: int, rng: Random) -> Floats:
    """AR(1) of -0.5."""
    return ar1(n, -0.5, rng)


OPEN: dict[str, Family] = {
    "white": white, "ar5": ar5, "ar9": ar9, "t4": t4, "t3": t3, "gamma": gamma,
    "lognormal": lognormal, "shrinking": shrinking, "growing": growing, "moving": moving,
    "two-parts": two_parts, "sawtooth": sawtooth, "epoch-means": epoch_means,
}  # fmt: skip
SEALED: dict[str, Family] = {
    "bursts": bursts, "laplace": laplace, "skewed-ar": skewed_ar, "t4-ar": t4_ar,
    "mixture": mixture, "alternating": alternating,
}  # fmt: skip


def skewed_t4_ar(n: int, _: int, rng: Random) -> Floats:
    """AR(1) 0.5 driven by shocks with a t4 tail above and half of one below."""
    raw = rng.standard_t(4, n + 200)
    raw = np.where(raw > 0, raw, 0.5 * raw) - 0.25
    return ar1(n, 0.5, rng, raw / 1.1)


FOR_SPIKES: dict[str, Family] = OPEN | {"skewed-t4-ar": skewed_t4_ar}
"""What spikes are put into, stratum by stratum."""

HEAVY = (
    "skewed-t4-ar",
    "t3",
    "t4",
    "lognormal",
    "gamma",
    "bursts",
    "skewed-ar",
    "t4-ar",
    "laplace",
)
"""Those of which single points lie far out."""


def error_of_mean(noise: Floats, points: int) -> float:
    """Standard error of a mean of `points` neighbours of this noise, by batch means.

    Parameters
    ----------
    noise : ndarray of shape (n,)
    points : int
        Beyond a tenth of n, extrapolated as for batches of that length.
    """
    n = len(noise)
    batch = int(np.clip(points, 1, max(1, n // 10)))
    whole = noise[: n // batch * batch].reshape(-1, batch).mean(axis=1)
    spread = float(whole.std(ddof=1)) if len(whole) > 1 else float(noise.std())
    return spread * float(np.sqrt(batch / max(points, batch)))
