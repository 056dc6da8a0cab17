"""How often two single runs of one code are called different, at a nominal 5 %.

Both curves have the same trend and their own noise with a memory: whoever says that they differ is
wrong. What a change of seed does to a real training is more than that: see ``replicates``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter
from scipy.special import stdtr

from benchmarks.diagnosis.tables import Table
from trainlens.comparison.axis import Placed
from trainlens.comparison.pairs import Pair
from trainlens.run import Floats
from trainlens.stats.contrast import mean_contrast

RHOS = (0.0, 0.3, 0.6, 0.9)
LENGTHS = (8, 12, 20, 50, 200, 1000)
LEVEL, MOST = 0.05, 0.07
_BURN = 200
_RESAMPLES = 400


@dataclass(frozen=True)
class Noise:
    """What two curves of one code look like.

    Parameters
    ----------
    name : str
    tails : float
        Degrees of freedom of the innovations; infinite for normal ones.
    times : float
        Noise of the candidate as a multiple of the baseline's.
    drift : float
        Share of the variance of each curve that wanders as slowly as a tenth of the training.
    """

    name: str
    tails: float = math.inf
    times: float = 1.0
    drift: float = 0.0


KINDS = (
    Noise("normal"),
    Noise("heavy tails (t, 4 degrees of freedom)", tails=4),
    Noise("candidate three times as noisy", times=3),
    Noise("half of the variance wanders slowly", drift=0.5),
)


def ar1(rng: np.random.Generator, shape: tuple[int, int], rho: float, tails: float) -> Floats:
    """Series of an AR(1) process with variance 1 (of normal innovations), a row each."""
    wide = (shape[0], shape[1] + _BURN)
    new = rng.standard_normal(wide) if math.isinf(tails) else rng.standard_t(tails, wide)
    series: Floats = lfilter([math.sqrt(1 - rho * rho)], [1.0, -rho], new, axis=1)
    return series[:, _BURN:]


def curves(rng: np.random.Generator, kind: Noise, rho: float, n: int, runs: int) -> Floats:
    """Pairs of curves, shape (2, runs, n), with one falling trend."""
    trend = 2.0 + 20.0 * np.exp(-5 * np.linspace(0, 1, n))
    made = []
    for times in (1.0, kind.times):
        fast = ar1(rng, (runs, n), rho, kind.tails)
        slow = ar1(rng, (runs, n), math.exp(-10 / n), kind.tails) if kind.drift else 0.0
        noise = math.sqrt(1 - kind.drift) * fast + math.sqrt(kind.drift) * slow
        made.append(trend + times * noise)
    return np.array(made)


def paired_t(difference: Floats, rng: np.random.Generator) -> bool:
    """Student's t on matched points, as if each were an experiment of its own."""
    n = len(difference)
    error = float(difference.std(ddof=1)) / math.sqrt(n)
    return 2 * float(stdtr(n - 1, -abs(float(difference.mean())) / error)) <= LEVEL


def block_bootstrap(difference: Floats, rng: np.random.Generator) -> bool:
    """Percentiles of the mean over resampled blocks of n^(1/3) neighbours (Künsch 1989)."""
    n = len(difference)
    block = max(1, round(n ** (1 / 3)))
    sums = np.cumsum(np.concatenate([[0.0], difference]))
    means = (sums[block:] - sums[:-block]) / block
    count = math.ceil(n / block)
    drawn = means[rng.integers(len(means), size=(_RESAMPLES, count))].mean(1)
    low, high = np.quantile(drawn, [LEVEL / 2, 1 - LEVEL / 2])
    return not low <= 0 <= high


def one_look(difference: Floats, rng: np.random.Generator) -> bool:
    """`trainlens.stats.contrast`: effective number of points, all of them."""
    found = mean_contrast(difference)
    return found is not None and found.p <= LEVEL


def two_looks(difference: Floats, rng: np.random.Generator) -> bool:
    """What ``trainlens compare`` asks: all points and their last half, each at half the level."""
    at = np.arange(len(difference), dtype=np.float64)
    step = np.arange(len(difference))
    pair = Pair(Placed(at, np.zeros(len(at)), step), Placed(at, difference, step))
    looks = [look.p for look in pair.looks() if look is not None]
    return bool(looks) and len(looks) * min(looks) <= LEVEL


METHODS: dict[str, Callable[[Floats, np.random.Generator], bool]] = {
    "paired t-test": paired_t,
    "block bootstrap": block_bootstrap,
    "trainlens, all points": one_look,
    "trainlens compare": two_looks,
}


@dataclass(frozen=True)
class Size:
    """Share of pairs of one code that a method calls different."""

    kind: str
    method: str
    rho: float
    n: int
    rate: float


def sizes(runs: int, kinds: Sequence[Noise] = KINDS, seed: int = 0) -> list[Size]:
    """Every method on every kind of noise, correlation and length."""
    return list(_sizes(runs, kinds, seed))


def _sizes(runs: int, kinds: Sequence[Noise], seed: int) -> Iterator[Size]:
    for kind in kinds:
        for rho in RHOS:
            for n in LENGTHS:
                rng = np.random.default_rng([seed, n, round(100 * rho), KINDS.index(kind)])
                first, second = curves(rng, kind, rho, n, runs)
                for name, method in METHODS.items():
                    called = sum(method(b - a, rng) for a, b in zip(first, second, strict=True))
                    yield Size(kind.name, name, rho, n, called / runs)


def table(rows: Sequence[Size]) -> Table:
    """A row a method and length with normal noise, a column a correlation."""
    held = {(r.method, r.n, r.rho): r.rate for r in rows if r.kind == KINDS[0].name}
    body = [
        (name, f"{n:,}", *(_cell(held[name, n, rho]) for rho in RHOS))
        for name in METHODS
        for n in LENGTHS
    ]
    return ("Method", "Matched points", *(f"AR {rho:g}" for rho in RHOS)), body


def worst(rows: Sequence[Size]) -> Table:
    """The highest share of each method over all lengths and correlations, a row a kind."""
    body = []
    for kind in dict.fromkeys(r.kind for r in rows):
        cells = [max(r.rate for r in rows if (r.kind, r.method) == (kind, m)) for m in METHODS]
        body.append((kind, *(_cell(c) for c in cells)))
    return ("Highest of all lengths and correlations", *METHODS), body


def _cell(rate: float) -> str:
    return f"{rate:.3f}" + (" !" if rate > MOST else "")
