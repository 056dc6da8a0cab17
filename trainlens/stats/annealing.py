"""Loss curves under a learning rate that changes: a family of laws, and what data say of them.

A curve is ``level + A (((u + s) / (1 + s))^-a - 1) / a + B (r^q - r_now^q) + D (u - 1)``. `u` is
the area under the learning rate so far, 1 now: progress that a small rate makes slowly. `r` is the
rate itself, as share of its peak and felt with a delay: what it costs in noise of the weights, and
gives back when it falls. `D` is the rise of a curve that overfits. So the drop that a decay brings
is part of the law, as in Tissue (2024, arXiv:2408.11029) and Luo (2025, arXiv:2503.12811), with
half their constants: a run has some dozens of evaluations. Exponents stand on a grid, the rest is
linear with priors, so that all laws are fitted at once and none has to converge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_GRID = 1024
"""Points on which a learning rate is integrated."""

_EXPONENTS = (0.02, 0.25, 0.5, 0.8, 1.3, 2.5)
_OFFSETS = (0.0, 0.1, 1.0)
_FELT = ((0.02, 0.5), (0.02, 1.0), (0.08, 1.0))
"""Delays, as shares of the run, with which a rate is felt, and powers."""
_BELIEFS = ((0.05, 0.01), (0.3, 0.01), (0.05, 0.4), (0.3, 0.4))
"""How large the gain of a falling rate and a rise may be, in ranges of the curve, unseen."""
_LEVEL, _FALL = 10.0, 5.0
"""The same of the level now and of the fall: not held back at all."""

SHAPES = len(_EXPONENTS) * len(_OFFSETS) * len(_FELT)
LAWS = SHAPES * len(_BELIEFS)
LEVEL, FALL, GAIN, RISE = range(4)
"""The constants of a law."""


@dataclass(frozen=True, eq=False)
class Rate:
    """A learning rate from the beginning of a run to its planned end.

    Parameters
    ----------
    place, value : ndarray of shape (g,)
        Evenly spaced places, the first 0; values as share of the highest one.
    area : ndarray of shape (g,)
        Integral of the values up to each place, as share of the run.
    felt : tuple of ndarray of shape (g,)
        The values with the delays and powers of the laws.
    """

    place: Floats
    value: Floats
    area: Floats
    felt: tuple[Floats, ...]

    @classmethod
    def of(cls, place: Floats, value: Floats, end: float) -> Rate:
        """A rate from its points, with straight lines between them.

        Parameters
        ----------
        place, value : ndarray of shape (k,), k >= 1
            Places ascending; finite. Without any value above 0 the rate counts as constant.
        end : float
            Planned end, above 0.
        """
        grid = np.linspace(0.0, end, _GRID)
        y = np.maximum(np.interp(grid, place, value), 0.0)
        peak = float(y.max())
        y = y / peak if peak > 0 else np.ones_like(y)
        steps = (y[1:] + y[:-1]) / 2 / (_GRID - 1)
        felt = tuple(_delayed(y, delay) ** power for delay, power in _FELT)
        return cls(grid, y, np.concatenate([[0.0], np.cumsum(steps)]), felt)


def _delayed(value: Floats, delay: float) -> Floats:
    """An exponential mean over `delay` of the whole run."""
    kernel = np.exp(-np.arange(_GRID) / (delay * _GRID))
    kernel = kernel[kernel > 1e-3]
    padded = np.concatenate([np.full(len(kernel) - 1, value[0]), value])
    # The last digits of a sum must not make a rate negative that has come down to 0.
    return np.maximum(np.convolve(padded, kernel / kernel.sum(), "valid"), 0.0)


def features(rate: Rate, place: Floats, now: float) -> Floats:
    """What each law says at some places, up to its constants.

    Parameters
    ----------
    rate : Rate
    place : ndarray of shape (n,)
    now : float
        Place at which all but the level is 0.

    Returns
    -------
    ndarray of shape (SHAPES, n, 4)
        Level, fall, gain, rise.
    """
    floor = 1e-9 * float(rate.area[-1])
    here = max(float(np.interp(now, rate.place, rate.area)), floor)
    u = np.maximum(np.interp(place, rate.place, rate.area) / here, 1e-3)
    peak = max(float(rate.value[rate.place <= now].max()), 1e-12)
    out = np.empty((len(_EXPONENTS), len(_OFFSETS), len(_FELT), len(place), 4))
    out[..., LEVEL], out[..., RISE] = 1.0, u - 1.0
    for i, a in enumerate(_EXPONENTS):
        for j, s in enumerate(_OFFSETS):
            out[i, j, ..., FALL] = (((u + s) / (1 + s)) ** -a - 1.0) / a
    for k, (felt, (_, power)) in enumerate(zip(rate.felt, _FELT, strict=True)):
        at = np.interp(place, rate.place, felt) - np.interp(now, rate.place, felt)
        out[:, :, k, :, GAIN] = at / peak**power
    return out.reshape(SHAPES, len(place), 4)


@dataclass(frozen=True, eq=False)
class Posterior:
    """What observations say of the laws.

    Parameters
    ----------
    weight : ndarray of shape (LAWS,)
        How likely each is; sums to 1. Law `i` has the features ``i % SHAPES``.
    mean : ndarray of shape (LAWS, 4)
        Its constants.
    root : ndarray of shape (LAWS, 4, 4)
        A square root of their covariance.
    """

    weight: Floats
    mean: Floats
    root: Floats

    def fitted(self, columns: Floats) -> Floats:
        """Mean of the laws at the places of some `features`, shape (n,)."""
        each = (self.weight[:, None] * self.mean).reshape(len(_BELIEFS), SHAPES, 4)
        return np.asarray(np.einsum("mnk,mk->n", columns, each.sum(axis=0)))

    def moments(self, columns: Floats) -> tuple[float, float]:
        """Mean and variance at a single place, of features of shape (SHAPES, 4)."""
        c = np.tile(columns, (len(_BELIEFS), 1))
        means = np.einsum("mk,mk->m", c, self.mean)
        inner = np.square(np.einsum("mk,mkj->mj", c, self.root)).sum(axis=1)
        middle = float(self.weight @ means)
        return middle, float(self.weight @ (inner + np.square(means - middle)))

    def drawn(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], Floats]:
        """Draws of the features and of the constants, shapes (count,) and (count, 4).

        Falls, gains and rises are not below 0: draws that are give way to others.
        """
        tries = 3 * count
        law = np.searchsorted(self.weight.cumsum(), rng.random(tries) * (1 - 1e-9))
        law = np.minimum(law, LAWS - 1)
        normal = rng.standard_normal((tries, 4))
        constants = self.mean[law] + np.einsum("nij,nj->ni", self.root[law], normal)
        good = (constants[:, FALL:] >= 0).all(axis=1)
        kept = np.argsort(~good, kind="stable")[:count]
        constants[:, FALL:] = np.maximum(constants[:, FALL:], 0.0)
        return law[kept] % SHAPES, constants[kept]


def posterior(columns: Floats, y: Floats, spread: Floats, rho: float) -> Posterior:
    """Bayesian regression of each law, and the weight that its evidence gives it.

    Parameters
    ----------
    columns : ndarray of shape (SHAPES, n, 4)
        See `features`.
    y : ndarray of shape (n,)
        Of a range of about 1.
    spread : ndarray of shape (n,)
        Standard deviation of each value around the law, above 0.
    rho : float
        Autocorrelation of neighbours, in [0, 1).
    """
    target = _whitened((y / spread)[None, :, None], rho)[0, :, 0]
    x = _whitened(columns / spread[None, :, None], rho)
    xt, beliefs = x.transpose(0, 2, 1), len(_BELIEFS)
    precision = np.tile(xt @ x, (beliefs, 1, 1))
    right = np.tile(xt @ target, (beliefs, 1))
    gain, rise = np.repeat(_BELIEFS, len(columns), axis=0).T
    for k, width in enumerate((_LEVEL, _FALL, gain, rise)):
        precision[:, k, k] += 1.0 / np.square(width)
    lower = np.linalg.inv(np.linalg.cholesky(precision))
    half = np.einsum("mij,mj->mi", lower, right)
    mean = np.einsum("mji,mj->mi", lower, half)
    evidence = 0.5 * np.square(half).sum(axis=1) - np.log(gain * rise)
    evidence += np.log(np.einsum("mii->mi", lower)).sum(axis=1)
    weight = np.exp(evidence - evidence.max())
    return Posterior(weight / weight.sum(), mean, lower.transpose(0, 2, 1))


def _whitened(x: Floats, rho: float) -> Floats:
    """Rows whose AR(1) noise is white, of unit variance where it was so before."""
    if not rho:
        return x
    out = x.copy()
    out[:, 1:] = (x[:, 1:] - rho * x[:, :-1]) / np.sqrt(1 - rho**2)
    return out
