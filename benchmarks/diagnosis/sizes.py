"""How often the statistical tests cry wolf: at a nominal 5 %, under noise with a memory.

Each test that a rule decides with is asked about series in which nothing happens, at the normal
deviate 1.645 (one side) or 1.96 (two sides), and should say yes in 3 to 7 % of them whatever the
autocorrelation. 60 points are the fewest that can tell a correlation of 0.9 from a trend: they are
worth three independent ones. What searches a series for the most striking place (spikes, jumps,
shifts, divergence) has no such level; how often it cries wolf is counted in tier A.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.diagnosis.noise import Floats, Random, ar1
from trainlens.stats.climb import climb
from trainlens.stats.gains import bent, gain, t_quantile
from trainlens.stats.learned import learning
from trainlens.stats.noise import lag1_autocorrelation, mean_error, median, robust_scale
from trainlens.stats.rise import rise
from trainlens.stats.shift import difference_error
from trainlens.stats.spread import brown_forsythe

RHOS = (0.0, 0.5, 0.9)
LENGTHS = (60, 300, 3000)
ONE_SIDED, TWO_SIDED = 1.645, 1.96
LOW, HIGH = 0.03, 0.07
RUNS = 5000
"""Series a test and cell: of a rate of 5 %, 0.3 % are chance."""
FALL = 0.05
"""What a bound of a drop is asked about: along a line, in units of the level."""


@dataclass(frozen=True)
class Size:
    """Share of uneventful series of which a test says that something happened."""

    test: str
    rho: float
    points: int
    rate: float
    runs: int

    @property
    def right(self) -> bool:
        """Within 3 to 7 %."""
        return LOW <= self.rate <= HIGH


def falls(y: Floats) -> bool:
    """`gain`: its lower bound lies above zero."""
    found = gain(_place(y), y, 0.0, 1.0)
    return found is not None and found.lower(ONE_SIDED) > 0


def rises(y: Floats) -> bool:
    """`gain`: its upper bound lies below zero."""
    found = gain(_place(y), y, 0.0, 1.0)
    return found is not None and found.upper(ONE_SIDED) < 0


def covers(y: Floats) -> bool:
    """`gain`: its two-sided interval misses zero."""
    found = gain(_place(y), y, 0.0, 1.0)
    return found is not None and (found.lower(TWO_SIDED) > 0 or found.upper(TWO_SIDED) < 0)


def bends(y: Floats) -> bool:
    """`bent`: the lower bound of a gain lies above zero, a parabola being taken off its error."""
    x = _place(y)
    found = gain(x, y, 0.0, 1.0)
    return found is not None and bent(x, y, 0.0, 1.0, found).lower(ONE_SIDED) > 0


def worse_than_best(y: Floats) -> bool:
    """`rise`: the end lies above the best, the winner's curse taken off."""
    found = rise(y, ONE_SIDED)
    return found is not None and (
        found.value > t_quantile(ONE_SIDED, found.dof) * found.error
    )  # `significant` asks more of few points


def climbs(y: Floats) -> bool:
    """`climb`: the upper bound of the fall over the last 40 % lies below zero."""
    found = climb(y, 6 * len(y) // 10)
    return found is not None and found.upper(ONE_SIDED) < 0


def learned(y: Floats) -> bool:
    """`learning`: the largest drop left possible (95 %) is smaller than the one that is there."""
    x = _place(y)
    found = learning(x, y - FALL * x)
    return found is not None and found.reach < FALL


def mean_moved(y: Floats) -> bool:
    """`mean_error`: an interval of the mean misses zero."""
    error, dof = mean_error(y)
    return bool(abs(float(y.mean())) > t_quantile(TWO_SIDED, dof) * error)


def halves_differ(y: Floats) -> bool:
    """`difference_error`: an interval of the difference between two halves misses zero."""
    half = len(y) // 2
    levels = median(y[:half]), median(y[half:])
    rest = np.concatenate([y[:half] - levels[0], y[half:] - levels[1]])
    error, dof = difference_error(rest, robust_scale(rest), half, len(y) - half)
    return abs(levels[1] - levels[0]) > t_quantile(TWO_SIDED, dof) * error


def scatters_alike(y: Floats) -> bool:
    """`brown_forsythe`: two halves scatter differently, by their innovations."""
    left = y[1:] - min(max(lag1_autocorrelation(y), 0.0), 0.95) * y[:-1]
    half = len(left) // 2
    found = brown_forsythe(left[:half], left[half:])
    return found is not None and abs(found.t) > t_quantile(TWO_SIDED, found.dof)


def _place(y: Floats) -> Floats:
    return np.linspace(0.0, 1.0, len(y))


TESTS: dict[str, Callable[[Floats], bool]] = {
    "gain, falls": falls, "gain, rises": rises, "gain, two sides": covers,
    "gain, bend taken off": bends, "rise": worse_than_best, "climb at the end": climbs,
    "learning, reach": learned, "mean": mean_moved, "level, two halves": halves_differ,
    "scatter, two halves": scatters_alike,
}  # fmt: skip


def sizes(runs: int = RUNS, seed: int = 0, sigma: float = 0.03) -> list[Size]:
    """Size of every test for every autocorrelation and length."""
    rows = []
    for rho in RHOS:
        for points in LENGTHS:
            rng = np.random.default_rng([seed, int(10 * rho), points])
            drawn = [sigma * _noise(points, rho, rng) for _ in range(runs)]
            for name, test in TESTS.items():
                rate = sum(map(test, drawn)) / runs
                rows.append(Size(name, rho, points, rate, runs))
    return rows


def _noise(n: int, rho: float, rng: Random) -> Floats:
    return ar1(n, rho, rng) if rho else rng.standard_normal(n)
