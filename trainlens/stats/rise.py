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

    A window is a tenth of the evaluations, 2 to 5 of them while there are fewer than 50. The best
    of many windows is lucky; by how much, is taken off. The last one is a median.

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
    if n < 15:
        sigma, dof = _noise_of_few(y, y[at + k // 2 + 1 :])
        one = sigma / float(np.sqrt(k))
        luck = 0.5 * one * float(np.sqrt(2 * np.log(max(2.0, n / k))))
        error = one * float(np.sqrt(1.0 + (1.57 if n >= 10 else 1.0)))
    else:
        sigma, rho, dof = _noise(y, at + k // 2)
        luck, error = _chance(n, k, sigma, rho)
    value = current - float(earlier[at]) - luck
    significant = value > 0 and (value > t_quantile(z, dof) * error or _stands_apart(y))
    middle = int(index[min(at + k // 2, n - 1)])
    return Rise(
        float(earlier[at]), current, float(value), float(error), middle, k, significant, dof
    )


def _chance(n: int, k: int, sigma: float, rho: float) -> tuple[float, float]:
    """Mean and standard deviation of current minus best where nothing happens.

    In standard errors of one window, both fitted by eye to 3,000 simulated AR(1) series each of
    rho 0 to 0.95 and 15 to 1,000 points: the mean within 0.15, the deviation within 0.15 from 60
    points on (with fewer and a high rho it is as low as 0.7). The 95 and 99.5 % quantiles are
    those of a normal distribution.
    """
    memory = (1 + rho) / (1 - rho)
    # Of an AR(1) mean of k points, exactly.
    spread = (memory - 2 * rho * (1 - rho**k) / (k * (1 - rho) ** 2)) / k
    one = sigma * float(np.sqrt(spread))
    wide = k + 0.38 * (memory - 1)  # points that are the same luck
    luck = max(0.0, 0.93 * float(np.log(n / wide)) * (1 - 0.6 / wide))
    # 3 % more luck: the noise is the smallest of several estimates.
    return 1.03 * luck * one, (1.2 + 0.15 * (1 - rho) ** 2) * one


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
    """Noise of a point, its autocorrelation, and degrees of freedom, of 15 points or more.

    What is left of the curve around a smooth shape, from three looks of which the one that allows
    the smallest rise counts: the whole curve, as far as it lies near its best; only what came
    since, where a cliff early on bends no shape; and, where nearly every evaluation since is worse
    than the one before, what is left around any curve that only rises.
    """
    since = y[best:]
    looks = [_whole(y, best)]
    if len(since) >= 15:
        looks.append(_left(since, _around(since, _arm(len(since)))))
    climb = y[int(np.argmin(y)) :]
    ups, steps = int((np.diff(climb) > 0).sum()), len(climb) - 1
    if steps >= 7 and ups - 0.6 * steps > 2.3 * np.sqrt(0.24 * steps):
        looks.append(_left(climb, climb - _rising(climb)))
    k = _window(len(y))

    def smallest(look: tuple[float, float, float]) -> float:
        luck, error = _chance(len(y), k, look[0], look[1])
        return luck + t_quantile(3.0, look[2]) * error

    return min(looks, key=smallest)


def _whole(y: Floats, best: int) -> tuple[float, float, float]:
    first = _near(y, best)
    y, best = y[first:], max(best - first, 0)
    return _left(y, _around(y, _shape(len(y), best)))


def _around(y: Floats, shape: Floats) -> Floats:
    centred = y - y.mean()
    return np.asarray(centred - shape @ np.linalg.lstsq(shape, centred, rcond=None)[0])


def _left(y: Floats, rest: Floats) -> tuple[float, float, float]:
    """As `_noise`, from what a shape has left of the curve.

    The shape takes slow noise out as well. By how much variance and autocorrelation come out too
    small was found by simulation, so that the test's size is 3 to 7 % at a nominal 5 % for AR(1)
    noise of 0 to 0.9 and 60 to 3,000 points, of 0 to 0.5 from 30 points on: with fewer, more
    autocorrelation cannot be known.
    """
    n = len(y)
    r = lag1_autocorrelation(rest)
    lost = min(max(180 / n, 2.0), 5.0) + min(9 + 1300 / n, 36.0) * max(r, 0.0)
    rho = min(max(r + lost / n, 0.0), 0.95)
    if n >= 500 and r > 0.3:
        rho = _of_two_lags(rest, rho)
    memory = (1 + rho) / (1 - rho)
    # Values of few digits repeat: where most differences are 0, the others must count.
    steps = second_difference_noise(y) or float(np.sqrt(np.mean(np.diff(y, 2) ** 2) / 6.0))
    scale = robust_scale(rest) / float(np.sqrt(max(1 - 5 * memory / n, 0.12)))
    return float(max(0.9 * steps, scale)), rho, max(3.0, (n - 2) / memory)


def _rising(y: Floats) -> Floats:
    """The closest curve that never falls (pool adjacent violators)."""
    level: list[float] = []
    size: list[int] = []
    for value in y.tolist():
        count = 1
        while level and level[-1] >= value:
            value = value * count + level[-1] * size[-1]
            count += size.pop()
            value /= count
            level.pop()
        level.append(value)
        size.append(count)
    return np.repeat(np.array(level), size)


def _arm(n: int) -> Floats:
    """A rise that may bend either way."""
    t = np.arange(n) / n
    return np.stack([np.ones(n), t, np.sqrt(t), t**2], axis=1)


def _near(y: Floats, best: int) -> int:
    """First point from which on a curve stays within twice the range that it has since its best.

    At least 15 points are left.
    """
    low = float(_levels(y, 3).min())
    away = np.flatnonzero(y[:best] - low > 2 * max(float(y[best:].max()) - low, 0.0))
    return min(int(away[-1]) + 1 if len(away) else 0, len(y) - 15)


def _of_two_lags(rest: Floats, rho: float) -> float:
    """Autocorrelation of the AR(1) noise whose means are as uncertain as those of this one.

    Means of blocks, and slow noise under white noise, decay more slowly than their lag 1 says:
    the ratio of the first two lags is the rate.
    """
    away = rest - rest.mean()
    power = float(away @ away)
    second = float(away[2:] @ away[:-2]) / power if power > 0 else 0.0
    rate = min(max((second + (4 + 15 * max(second, 0.0)) / len(rest)) / rho, 0.0), 0.97)
    memory = 1 + 2 * rho / (1 - rate)
    return (memory - 1) / (memory + 1)


def _noise_of_few(y: Floats, later: Floats) -> tuple[float, float]:
    """Noise and degrees of freedom of under 15 points: too few for an autocorrelation.

    The mean square of all second differences, or the spread since the best where that is
    smaller in spite of its fewer degrees of freedom: a curve that jumped once and stays there.
    """
    bent = float(np.sqrt(np.mean(np.diff(y, 2) ** 2) / 6.0)), float(len(y) - 2)
    if len(later) < 3:
        return bent
    level = float(np.std(later, ddof=1)), float(len(later) - 1)
    return min(bent, level, key=lambda s: s[0] * t_quantile(3.0, s[1]))


def _shape(n: int, best: int) -> Floats:
    """A falling arm, curved in log time, and a rising one, curved, that meet at the best."""
    t = np.arange(1, n + 1, dtype=np.float64)
    fall = np.log(np.minimum(t, best + 1.0) / (best + 1.0))
    up = np.maximum(t - best - 1.0, 0.0) / n
    return np.stack([np.ones(n), fall, fall**2, up, np.sqrt(up)], axis=1)
