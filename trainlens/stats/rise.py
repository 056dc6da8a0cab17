"""Whether a validation curve has risen from its best, beyond chance and the winner's curse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.stats.blocks import Floats, condense
from trainlens.stats.gains import t_quantile
from trainlens.stats.noise import (
    lag1_autocorrelation,
    median,
    robust_scale,
    second_difference_noise,
)

LEAST = 4
"""Fewer evaluations than this cannot show a rise."""


@dataclass(frozen=True)
class Rise:
    """How far a curve ends above its best.

    Parameters
    ----------
    best, current : float
        Level of the best window and of the last one; scale-free.
    value : float
        Rise from best to current, with the luck of the best window taken off.
    error : float
        Its standard error.
    first : int
        Index of the middle of the best window.
    window : int
        Points of a window.
    significant : bool
        Beyond 3 standard errors, allowing for how few points the error comes from.
    dof : float
        Degrees of freedom of `error`.
    """

    best: float
    current: float
    value: float
    error: float
    first: int
    window: int
    significant: bool
    dof: float

    @property
    def smallest(self) -> float:
        """Smallest rise that these data could have shown."""
        return t_quantile(3.0, self.dof) * self.error


def rise(y: Floats, z: float = 3.0) -> Rise | None:
    """Compare the last window of a curve with the best earlier one.

    A window is a tenth of the evaluations, 2 to 5 of them while there are fewer than 50. The
    best of m windows is lucky by about half of ``sigma / sqrt(k) * sqrt(2 ln m)``, which is
    taken off.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Scale-free level, lower being better, one an evaluation.
    z : float
        Normal deviate that a significant rise exceeds.

    Returns
    -------
    Rise, or None with fewer than 4 points
    """
    index, y = condense(np.arange(len(y), dtype=np.float64), y, 1000)
    n = len(y)
    if n < LEAST:
        return None
    k = _window(n)
    level = _levels(y, k)
    earlier = level[: n - 2 * k + 1] if n >= 2 * k + 1 else level[:1]
    at = int(np.argmin(earlier))
    # The calmer of the last values: one bad evaluation at the very end is a jump, not a rise.
    current = float(np.min(y[-k:])) if n < 10 else median(y[-k:])
    sigma, inflation, dof = _noise(y, at + k // 2)
    one = sigma * float(np.sqrt(min(1.0, inflation / k)))
    luck = 0.5 * one * float(np.sqrt(2 * np.log(max(2.0, n / k))))
    value = current - float(earlier[at]) - luck
    error = one * float(np.sqrt(1.0 + (1.57 if n >= 10 else 1.0)))
    significant = value > 0 and (value > t_quantile(z, dof) * error or _stands_apart(y))
    middle = int(index[min(at + k // 2, n - 1)])
    return Rise(
        float(earlier[at]), current, float(value), float(error), middle, k, significant, dof
    )


def _stands_apart(y: Floats) -> bool:
    """Whether the last few of few evaluations all lie far above all others since the best.

    A steep climb at the end of under 15 points looks like noise to any estimate of it; but of
    eight exchangeable values the last three are the highest in one case of 56 only, and seldom by
    a fifth of the level.
    """
    since = y[int(np.argmin(y)) :]
    if len(y) >= 15 or len(since) < 8:
        return False
    return any(since[-r:].min() > since[:-r].max() + 0.2 for r in range(3, len(since) - 3))


def _window(n: int) -> int:
    if n < 6:
        return 1
    if n < 10:
        return 2
    return 3 if n < 20 else max(5, n // 10)


def _levels(y: Floats, k: int) -> Floats:
    total: Floats = np.concatenate([[0.0], np.cumsum(y - y[-1])])
    return np.asarray((total[k:] - total[:-k]) / k + y[-1])


def _noise(y: Floats, best: int) -> tuple[float, float, float]:
    """Noise of a point, how autocorrelation widens the error of a mean, degrees of freedom."""
    n = len(y)
    if n < 15:
        return _noise_of_few(y, y[best + 1 :])
    shape, centred = _shape(n, best), y - y.mean()
    rest: Floats = centred - shape @ np.linalg.lstsq(shape, centred, rcond=None)[0]
    rho = min(max(lag1_autocorrelation(rest) + 3 / n, 0.0), 0.95)
    # Values of few digits repeat: where most differences are 0, the others must count.
    steps = second_difference_noise(y) or float(np.sqrt(np.mean(np.diff(y, 2) ** 2) / 6.0))
    inflation = (1 + rho) / (1 - rho)
    return float(max(steps, robust_scale(rest))), inflation, max(2.0, (n - 2) / inflation)


def _noise_of_few(y: Floats, later: Floats) -> tuple[float, float, float]:
    """Of under 15 points: too few for a median of differences or an autocorrelation.

    The mean square of all second differences, or the spread since the best where that is
    smaller in spite of its fewer degrees of freedom: a curve that jumped once and stays there.
    """
    bent = float(np.sqrt(np.mean(np.diff(y, 2) ** 2) / 6.0)), 1.0, float(len(y) - 2)
    if len(later) < 3:
        return bent
    level = float(np.std(later, ddof=1)), 1.0, float(len(later) - 1)
    return min(bent, level, key=lambda s: s[0] * t_quantile(3.0, s[2]))


def _shape(n: int, best: int) -> Floats:
    """A falling arm, curved in log time, and a rising one, curved, that meet at the best."""
    t = np.arange(1, n + 1, dtype=np.float64)
    fall = np.log(np.minimum(t, best + 1.0) / (best + 1.0))
    up = np.maximum(t - best - 1.0, 0.0) / n
    return np.stack([np.ones(n), fall, fall**2, up, np.sqrt(up)], axis=1)
