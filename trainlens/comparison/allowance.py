"""What a change of seed alone does to a curve: how far two runs of one code may lie apart.

The interval of a mean difference says that two curves differ. Two runs of one configuration do so
too: each has its own weights to begin with and its own order of samples. How much that is cannot
be seen from one run each, but the two curves give a hint: seeds matter where the difference
wandered, where the curves were still on the move, and where they had far to go.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.roles import normalise
from trainlens.run import Floats

WANDERED = 5.0
"""Standard deviations of the wandering difference that are allowed."""
MOVED = 1.2
"""How many times as much as a curve still moved late is allowed."""
SPREAD = 0.2
"""Share of the standard deviation of all points of the steadier curve that is allowed."""
AT_MOST = 0.5
"""Share of the higher late mean of two losses beyond which nothing is allowed."""
FEWEST = 5
"""Matched points below which nothing can be learnt, and any difference is allowed."""
_STRETCHES = 8


_RETURN = re.compile(
    r"_(?:ep|episode|episodic|episodes|rollout|eval|evaluation|test|train|mean|avg|average|undiscounted)"
    r"_(?:\w+_)?(?:rew|reward|rewards|return|returns)_|^_(?:reward|return|returns)_(?:mean_|avg_)?$"
)


@dataclass(frozen=True)
class Allowance:
    """How far two runs of one code may lie apart.

    Parameters
    ----------
    value : float
        In the unit of the metric; infinite where the points are too few to tell.
    because : str
        Where it comes from, in words.
    """

    value: float
    because: str


def seed_allowance(baseline: Floats, candidate: Floats, late: slice) -> Allowance:
    """How large a late mean difference a change of seed alone may bring about.

    The largest of

    - `WANDERED` times the wander: the standard deviation of the difference over stretches of an
      eighth of the matched points, the first quarter left out, where every training is erratic;
    - `MOVED` times the movement: by how much the mean of either curve changed from the stretch
      before `late` to the end of `late` (halves of as many points as there are on either side;
      from the second quarter to the last one where `late` is the last half);
    - `SPREAD` times the standard deviation of the steadier curve over all of its points, for runs
      that came to rest long ago, each at a place of its own.

    None depends on the unit or the zero of the metric. Of two losses (positive throughout, one of
    them lower late than in the first quarter) at most `AT_MOST` times the higher late mean: a seed
    hardly ever halves a loss.

    Learnt from thirteen small problems (classes, values, language, policy gradients, adversarial)
    trained in up to thirteen ways with twelve seeds each. Of pairs that differ in their seed alone
    the interval of the difference calls 38 % different, with this allowance it is 0.9 % (2.0 % in
    the worst task, 4.4 % in a bandit by policy gradient). Of true differences, more than five
    standard deviations of a seed, 81 % and 61 % are found. Of 1,785 pairs of submissions of one
    code to MLPerf training 0.5 and 0.6 the interval calls 2.2 %, with this allowance none. A
    smaller study: ``python -m benchmarks.comparison.replicates``.

    Parameters
    ----------
    baseline, candidate : ndarray of shape (n,)
        Matched points in the order of training, finite.
    late : slice
        The points whose mean difference is judged, up to the last: ``slice(n // 2, None)``.

    Returns
    -------
    Allowance

    Raises
    ------
    ValueError
        If the shapes differ, or `late` begins outside the points or does not reach the last.
    """
    n = len(baseline)
    if baseline.shape != candidate.shape:
        raise ValueError(f"shapes differ: {baseline.shape} and {candidate.shape}")
    if n < FEWEST:
        return Allowance(math.inf, f"{words.plural(n, 'matched point')} cannot tell")
    begin, end, stride = late.indices(n)
    if not 0 < begin < n or end != n or stride != 1:
        raise ValueError(f"late is {late}, of {n} points")
    size = float(max(np.abs(baseline).max(), np.abs(candidate).max()))
    if not size:
        return Allowance(0.0, "both are 0 throughout")
    # differences of 1e308 would overflow
    return _allowance(baseline / size, candidate / size, begin, size)


def one_seed_tells_nothing(metric: str) -> str:
    """Why a metric cannot be judged from one run a side, empty where it may be.

    Returns of agents differ between seeds by more than their curves show: of pairs of one code the
    allowance lets 5 % through, and of such a metric several seeds are the least that is asked for
    (Agarwal et al. 2021, arXiv:2108.13264).

    Examples
    --------
    >>> bool(one_seed_tells_nothing("rollout/ep_rew_mean")), one_seed_tells_nothing("loss")
    (True, '')
    """
    if not _RETURN.search(normalise(metric)):
        return ""
    return "returns differ widely between seeds of one code: at least three runs a side would tell"


def _allowance(first: Floats, second: Floats, begin: int, size: float) -> Allowance:
    """For curves whose largest value is 1; `size` brings their unit back."""
    allowed = _largest(
        _wander(second - first) * size,
        max(_movement(curve, begin) for curve in (first, second)) * size,
        min(float(first.std()), float(second.std())) * size,
    )
    positive = min(float(first.min()), float(second.min())) > 0
    if not positive or not (_fell(first, begin) or _fell(second, begin)):
        return allowed
    higher = max(float(first[begin:].mean()), float(second[begin:].mean())) * size
    if allowed.value <= AT_MOST * higher:
        return allowed
    said = f"{words.percent(AT_MOST)} of {words.number(higher)}, the higher late mean"
    return Allowance(AT_MOST * higher, said)


def _fell(curve: Floats, begin: int) -> bool:
    """Whether a curve is lower late than in the first quarter, as a loss is."""
    return float(curve[begin:].mean()) < float(curve[: max(1, begin // 2)].mean())


def _wander(difference: Floats) -> float:
    """Spread of the difference over stretches, the first quarter left out."""
    count = min(_STRETCHES, len(difference))
    stretches = np.array_split(difference, count)[count // 4 :]
    return float(np.std([part.mean() for part in stretches], ddof=1))


def _movement(curve: Floats, begin: int) -> float:
    """Change of the mean from the points before `begin` to the last ones."""
    before = curve[begin // 2 : begin]
    after = curve[begin + (len(curve) - begin) // 2 :]
    return abs(float(after.mean()) - float(before.mean()))


def _largest(wander: float, movement: float, spread: float) -> Allowance:
    """The one that allows most, in words."""
    found = (
        (WANDERED, wander, "by which their difference wandered"),
        (MOVED, movement, "by which a curve itself moved late"),
        (SPREAD, spread, "the standard deviation of a whole curve"),
    )
    factor, size, what = max(found, key=lambda each: each[0] * each[1])
    return Allowance(factor * size, f"{words.number(factor)} times {words.number(size)}, {what}")
