"""Intervals that hold with three to ten runs an arm, where a bootstrap is too narrow.

How often each holds the truth at a nominal 95 % is measured by ``python -m benchmarks.comparison``
and stands in ``docs/comparison.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from trainlens.comparison.aggregate import Floats, stratified_bootstrap, trimmed_mean
from trainlens.comparison.model import Interval
from trainlens.stats.smallest import smallest

LEVEL = 0.95
_MOST = 100_000
_REPS = 4000
_EXACT = 7
"""Scores up to which all resamples are looked at: 1,716 of seven. No chance is left then."""
_FEW = 5
"""Scores below which resamples are too much alike to say anything."""


@dataclass(frozen=True)
class Shift:
    """The difference of two means.

    Parameters
    ----------
    mean, error : float
        Difference, second minus first, and its standard error.
    dof : float
        Degrees of freedom of the error.
    low, high, p : float
        95 % interval, and two-sided p-value of no difference.
    needed : int or None
        Runs an arm at which such a difference has p = 0.05; None where it is reached, or where no
        number below 100,000 is enough.
    """

    mean: float
    error: float
    dof: float
    low: float
    high: float
    p: float
    needed: int | None = None

    @property
    def interval(self) -> Interval:
        """The two ends."""
        return Interval(self.low, self.high)


def independent(x: Floats, y: Floats) -> Shift | None:
    """Difference of the means of two samples that may scatter differently.

    Welch's t. With as many values on both sides its degrees of freedom are Welch's own of 1947
    (doi:10.1093/biomet/34.1-2.28), at most n + m - 2: those of Satterthwaite, which are usual and
    are taken for unequal numbers, make intervals too wide where three runs stand against three
    (96.7 % of normal scores, 97.5 % of exponential ones). A sample of equal values does not say
    that its source never varies: the variance of both together is taken for it then.

    Parameters
    ----------
    x, y : ndarray of shape (n,), (m,)
        Finite, at least two each.

    Returns
    -------
    Shift, or None where neither varies but their means differ: nothing to judge it by
    """
    n, m = len(x), len(y)
    size = _size(x, y)
    x, y = x / size, y / size
    a, b = variance(x), variance(y)
    mean = float(y.mean() - x.mean())
    if not (a or b):
        return None if mean else Shift(0.0, 0.0, n + m - 2.0, 0.0, 0.0, 1.0)
    pooled = ((n - 1) * a + (m - 1) * b) / (n + m - 2)
    if not (a and b):
        a = b = pooled
    found = _shift(mean, *_welch(a, b, n, m))
    return _times(_settled(found, lambda k: _welch(a, b, k, k)), size)


def paired(x: Floats, y: Floats) -> Shift | None:
    """Mean of the differences of pairs: Student's t.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Finite, n at least two; values at the same place belong together.

    Returns
    -------
    Shift, or None where all differences are the same and not 0: nothing to judge it by
    """
    size = _size(x, y)
    away = y / size - x / size
    n, mean, spread = len(away), float(away.mean()), variance(away)
    if not spread:
        return None if mean else Shift(0.0, 0.0, n - 1.0, 0.0, 0.0, 1.0)
    found = _shift(mean, math.sqrt(spread / n), n - 1.0)
    return _times(_settled(found, lambda k: (math.sqrt(spread / k), k - 1.0)), size)


def _welch(a: float, b: float, n: int, m: int) -> tuple[float, float]:
    """Standard error and degrees of freedom of a difference of means."""
    a, b = a / n, b / m
    both = (a + b) ** 2
    if n == m:
        dof = both / (a * a / (n + 1) + b * b / (m + 1)) - 2
    else:
        dof = both / (a * a / (n - 1) + b * b / (m - 1))
    return math.sqrt(a + b), min(max(dof, min(n, m) - 1.0), n + m - 2.0)


def _shift(mean: float, error: float, dof: float) -> Shift:
    from scipy.special import stdtr, stdtrit

    reach = float(stdtrit(dof, (1 + LEVEL) / 2)) * error
    p = 2 * float(stdtr(dof, -abs(mean) / error))
    return Shift(mean, error, dof, mean - reach, mean + reach, p)


def _settled(found: Shift, error_of: Callable[[int], tuple[float, float]]) -> Shift:
    """The shift with the number an arm at which such a mean has p = 0.05, where it does not."""
    if found.p <= 1 - LEVEL:
        return found

    def enough(k: int) -> bool:
        return _shift(found.mean, *error_of(k)).p <= 1 - LEVEL

    return replace(found, needed=smallest(enough, 2, 4, _MOST))


def _size(*some: Floats) -> float:
    """What to divide by, so that no square overflows: the largest finite value."""
    sizes = (np.abs(one[np.isfinite(one)]) for one in some)
    return max(float(one.max(initial=0.0)) for one in sizes) or 1.0


def variance(value: Floats) -> float:
    """Variance (n - 1) of values of size 1 at most; 0 where they differ by rounding alone."""
    spread = float(np.var(value, ddof=1))
    return spread if spread > 1e-28 else 0.0


def _times(one: Shift, size: float) -> Shift:
    with np.errstate(over="ignore"):
        mean, error, low, high = (
            float(np.float64(v) * size) for v in (one.mean, one.error, one.low, one.high)
        )
    return replace(one, mean=mean, error=error, low=low, high=high)


def of_iqm(value: Floats, *, rng: np.random.Generator) -> Interval:
    """95 % interval of the interquartile mean of a few scores.

    From five scores on a bootstrap whose quantiles are moved out as far as Student's t and the
    factor n / (n - 1) of the variance tell (Hesterberg 2015, "expanded percentile",
    doi:10.1080/00031305.2015.1089789); below, Student's t with the variance of all scores.

    Parameters
    ----------
    value : ndarray of shape (n,)
        Infinite ones, of runs that failed, are all on one side.
    rng : numpy.random.Generator
        Asked with eight scores and more.

    Returns
    -------
    Interval, infinite with a single score, and with an infinite one among less than five
    """
    from scipy.special import ndtr, stdtrit

    n = len(value)
    if n < 2 or (n < _FEW and not np.isfinite(value).all()):
        return Interval(-math.inf, math.inf)
    size = _size(value)
    scaled = value / size
    t = float(stdtrit(n - 1, (1 + LEVEL) / 2))
    if n < _FEW:
        middle, reach = float(trimmed_mean(scaled)), t * math.sqrt(variance(scaled) / n)
        return Interval((middle - reach) * size, (middle + reach) * size)
    beyond = float(ndtr(-t * math.sqrt(n / (n - 1))))
    if n <= _EXACT:
        low, high = _exact_ends(scaled, beyond)
    else:
        low, high = stratified_bootstrap(
            scaled[:, None], _flat_iqm, rng=rng, reps=_REPS, level=1 - 2 * beyond
        ).tolist()
    return Interval(low * size, high * size)


def _flat_iqm(scores: Floats) -> Floats:
    return trimmed_mean(scores[..., 0])


@cache
def _resamples(n: int) -> tuple[NDArray[np.intp], Floats]:
    """All resamples of n values but for their order, shape (k, n), and the probability of each."""
    index = np.array(list(combinations_with_replacement(range(n), n)))
    counts = (index[:, :, None] == np.arange(n)).sum(1)
    ways = math.factorial(n) / np.array(
        [math.prod(map(math.factorial, c)) for c in counts.tolist()]
    )
    return index, ways / float(n) ** n


def _exact_ends(value: Floats, beyond: float) -> tuple[float, float]:
    """Quantiles of the interquartile mean over all resamples."""
    index, chance = _resamples(len(value))
    found = trimmed_mean(value[index])
    order = np.argsort(found)
    below = np.cumsum(chance[order])
    places = np.searchsorted(below, [beyond, 1 - beyond]).clip(max=len(found) - 1)
    low, high = found[order][places].tolist()
    return low, high


def of_improvement(probability: float, n: int, m: int) -> Interval:
    """95 % interval of the probability that one run beats another.

    Newcombe 2006, method 5 (doi:10.1002/sim.2324): all probabilities from which the measured one
    is no further away than 1.96 of the standard errors that they would have. It does not
    shrink to nothing where all runs of one arm beat all of the other, as a bootstrap does.

    Parameters
    ----------
    probability : float in [0, 1]
        Mann and Whitney's U over n m.
    n, m : int
        Runs of both arms.

    Returns
    -------
    Interval within [0, 1]

    Examples
    --------
    >>> of_improvement(1.0, 3, 3)  # doctest: +ELLIPSIS
    Interval(low=0.5010..., high=1.0)
    """
    z2 = 1.959963984540054**2
    more = (n + m) / 2 - 1

    def near(true: float) -> bool:
        spread = true * (1 - true) * (1 + more * ((1 - true) / (2 - true) + true / (1 + true)))
        return (probability - true) ** 2 <= z2 * spread / (n * m)

    def end(outside: float) -> float:
        inside = probability
        for _ in range(50):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if near(middle) else (inside, middle)
        return inside

    return Interval(end(0.0), end(1.0))
