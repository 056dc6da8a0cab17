"""How often intervals from a few runs hold the truth, at a nominal 95 %."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from benchmarks.diagnosis.tables import Table
from trainlens.comparison import aggregate, intervals
from trainlens.run import Floats

NUMBERS = (3, 5, 10)
LOW, HIGH = 0.93, 0.97
SLOWER = 5
"""A bootstrap is asked about so many times fewer pairs."""
_RESAMPLES = 500
Random = np.random.Generator
Ends = tuple[float, float]


@dataclass(frozen=True)
class Source:
    """Where scores come from: the baseline's and the candidate's, with the same mean.

    Parameters
    ----------
    name : str
    draw : callable
        From a generator and a number to scores of mean 0.
    times : float
        Scatter of the candidate as a multiple of the baseline's.
    """

    name: str
    draw: Callable[[Random, int], Floats]
    times: float = 1.0


SOURCES = (
    Source("normal", lambda rng, n: rng.standard_normal(n)),
    Source("t, 5 degrees of freedom", lambda rng, n: rng.standard_t(5, n)),
    Source(
        "skewed (log-normal, 0.5)", lambda rng, n: np.exp(rng.normal(0, 0.5, n)) - np.exp(1 / 8)
    ),
    Source("very skewed (exponential)", lambda rng, n: rng.exponential(1, n) - 1),
    Source("candidate twice as scattered", lambda rng, n: rng.standard_normal(n), 2),
    Source("candidate ten times as scattered", lambda rng, n: rng.standard_normal(n), 10),
    Source("ties (rounded to one deviation)", lambda rng, n: np.round(rng.standard_normal(n))),
)


def satterthwaite(x: Floats, y: Floats, rng: Random) -> Ends:
    """Welch's t with the usual degrees of freedom."""
    n, m = len(x), len(y)
    a, b = x.var(ddof=1) / n, y.var(ddof=1) / m
    dof = (a + b) ** 2 / (a * a / (n - 1) + b * b / (m - 1)) if a + b else n + m - 2
    return _around(y.mean() - x.mean(), math.sqrt(a + b), dof)


def pooled(x: Floats, y: Floats, rng: Random) -> Ends:
    """Student's t."""
    n, m = len(x), len(y)
    spread = ((n - 1) * x.var(ddof=1) + (m - 1) * y.var(ddof=1)) / (n + m - 2)
    return _around(y.mean() - x.mean(), math.sqrt(spread * (1 / n + 1 / m)), n + m - 2)


def percentile(x: Floats, y: Floats, rng: Random) -> Ends:
    """Percentile bootstrap of the difference of means."""
    low, high = np.quantile(_resampled(y, rng).mean(1) - _resampled(x, rng).mean(1), [0.025, 0.975])
    return float(low), float(high)


def bootstrap_t(x: Floats, y: Floats, rng: Random) -> Ends:
    """Bootstrap of the t statistic."""
    a, b = _resampled(x, rng), _resampled(y, rng)
    mean, error = y.mean() - x.mean(), math.sqrt(x.var() / len(x) + y.var() / len(y))
    errors = np.sqrt(a.var(1) / len(x) + b.var(1) / len(y))
    kept = errors > 0
    if not kept.any():
        return float(mean), float(mean)
    t = (b.mean(1) - a.mean(1) - mean)[kept] / errors[kept]
    low, high = np.quantile(t, [0.025, 0.975])
    return float(mean - high * error), float(mean - low * error)


def ours(x: Floats, y: Floats, rng: Random) -> Ends:
    """`trainlens.comparison.intervals.independent`; nothing where it refuses."""
    found = intervals.independent(x, y)
    return (math.nan, math.nan) if found is None else (found.low, found.high)


def _around(mean: float, error: float, dof: float) -> Ends:
    reach = float(stdtrit(dof, 0.975)) * error
    return mean - reach, mean + reach


def _resampled(value: Floats, rng: Random) -> Floats:
    drawn: Floats = value[rng.integers(len(value), size=(_RESAMPLES, len(value)))]
    return drawn


METHODS: Mapping[str, Callable[[Floats, Floats, Random], Ends]] = {
    "Student": pooled,
    "Welch, Satterthwaite": satterthwaite,
    "percentile bootstrap": percentile,
    "bootstrap t": bootstrap_t,
    "trainlens": ours,
}


@dataclass(frozen=True)
class Coverage:
    """Share of intervals that hold the truth, of those that were given."""

    source: str
    n: int
    method: str
    share: float


def coverages(runs: int, seed: int = 0) -> list[Coverage]:
    """Every method on every source and number of runs an arm."""
    found = []
    for source in SOURCES:
        for n in NUMBERS:
            rng = np.random.default_rng([seed, n, SOURCES.index(source)])
            pairs = [(source.draw(rng, n), source.times * source.draw(rng, n)) for _ in range(runs)]
            for name, method in METHODS.items():
                some = pairs[: runs // SLOWER] if "bootstrap" in name else pairs
                ends = np.array([method(x, y, rng) for x, y in some])
                given = ends[~np.isnan(ends[:, 0])]
                # Rounding of the last digit is no miss.
                held = (given[:, 0] <= 1e-12) & (given[:, 1] >= -1e-12)
                found.append(Coverage(source.name, n, name, float(held.mean())))
    return found


def table(rows: Sequence[Coverage]) -> Table:
    """A row a source and number of runs, a column a method."""
    held = {(r.source, r.n, r.method): r.share for r in rows}
    body = [
        (source, str(n), *(cell(held[source, n, method]) for method in METHODS))
        for source, n in dict.fromkeys((r.source, r.n) for r in rows)
    ]
    return ("Scores", "Runs an arm", *METHODS), body


def cell(share: float) -> str:
    """A share, marked where it lies outside of 93 to 97 %."""
    return f"{100 * share:.1f} %" + ("" if LOW <= round(share, 3) <= HIGH else " !")


def improvements(runs: int, seed: int = 0) -> Table:
    """Intervals of the probability of improvement and of the interquartile mean; normal scores."""
    body = []
    for apart in (0.0, 1.0, 2.0, 3.0):
        for n in NUMBERS:
            rng = np.random.default_rng([seed, n, round(apart)])
            truth, held = float(ndtr(apart / math.sqrt(2))), np.zeros(2)
            for _ in range(runs):
                x, y = rng.standard_normal((n, 1)), rng.standard_normal((n, 1)) + apart
                chance = aggregate.probability_of_improvement(y, x)
                low, high = aggregate.improvement_bootstrap(y, x, rng=rng, reps=_RESAMPLES)
                held += low <= truth <= high, truth in intervals.of_improvement(chance, n, n)
            name = f"P(improvement), truth {truth:.2f}"
            body.append((name, str(n), *(cell(share) for share in held / runs)))
    return ("Interval", "Runs an arm", "Percentile bootstrap", "trainlens"), [
        *body,
        *_iqm(4 * runs),
    ]


def _iqm(runs: int) -> list[tuple[str, ...]]:
    body = []
    for n in NUMBERS:
        rng, held = np.random.default_rng(n), np.zeros(2)
        for _ in range(runs):
            x = rng.standard_normal(n)
            low, high = aggregate.stratified_bootstrap(
                x[:, None], aggregate.iqm, rng=rng, reps=_RESAMPLES
            )
            held += low <= 0 <= high, 0 in intervals.of_iqm(x, rng=rng)
        body.append(("Interquartile mean", str(n), *(cell(share) for share in held / runs)))
    return body
