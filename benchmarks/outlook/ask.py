"""Questions to a run whose end is known: cut it, and ask for targets around its true best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.outlook.score import Asked
from benchmarks.outlook.synthetic import Case, Floats, Rng
from trainlens.stats.annealing import Rate
from trainlens.stats.course import Unknowable
from trainlens.stats.noise import second_difference_noise
from trainlens.stats.outlook import outlook, window, windowed

CUTS = (0.3, 0.5, 0.7)
AROUND = (-0.6, -0.2, 0.2, 0.6)
"""Targets, as shares of what the run still gains beyond its true best; below 0 it misses them."""


@dataclass(frozen=True, eq=False)
class Question:
    """A run that is cut, and a target.

    Parameters
    ----------
    case : Case
        The whole run.
    seen : int
        Evaluations so far.
    target : float
    cut : float
    """

    case: Case
    seen: int
    target: float
    cut: float

    @property
    def best(self) -> float:
        """Best window of the whole run."""
        return float(self._windows.min())

    @property
    def last(self) -> float:
        """Its last window."""
        return float(self._windows[-1])

    @property
    def _windows(self) -> Floats:
        return windowed(self.case.value, window(len(self.case.value)))


def questions(case: Case, rng: Rng) -> Iterator[Question]:
    """What is asked of a run: at each cut, targets that it has not reached yet."""
    value, end = case.value, float(case.place[-1])
    size = window(len(value))
    best = float(windowed(value, size).min())
    for cut in CUTS:
        seen = int(np.searchsorted(case.place, cut * end, "right"))
        if seen < size:
            continue
        so_far = float(windowed(value[:seen], size).min())
        gain = max(so_far - best, second_difference_noise(value[-20:]))
        for around in AROUND:
            target = best + gain * (around + 0.2 * rng.standard_normal())
            if so_far > target:
                yield Question(case, seen, target, cut)


Answer = tuple[float, float, float]
"""Probability, and the ends of the 90 % interval."""
Method = Callable[[Question], Answer | None]


def answered(asked: Question, method: Method) -> Asked:
    """A question and what came of it; None of a method is a refusal."""
    told, reached = method(asked), asked.best <= asked.target
    group = f"{asked.case.kind}, {asked.case.schedule}, at {asked.cut:.0%}"
    if told is None:
        return Asked(None, reached, None, group)
    return Asked(told[0], reached, told[1] <= asked.last <= told[2], group)


def ours(asked: Question) -> Answer | None:
    """The forecast of trainlens with the learning rate that was planned."""
    case = asked.case
    return _forecast(asked, case.rate_value, case.warmup)


def constant(asked: Question) -> Answer | None:
    """The same laws, but blind to the learning rate: power laws of the step."""
    return _forecast(asked, np.ones_like(asked.case.rate_value), 0.0)


def _forecast(asked: Question, value: Floats, start: float) -> Answer | None:
    case, n = asked.case, asked.seen
    rate = Rate.of(case.rate_place, value, float(case.place[-1]))
    end = float(case.place[-1])
    try:
        found = outlook(
            case.place[:n], case.value[:n], end, [(1.0, rate)], asked.target, start=start
        )
    except Unknowable:
        return None
    return found.probability, found.low, found.high


def last_value(asked: Question) -> Answer:
    """A random walk from the newest window on, with the steps of the second half so far."""
    value = asked.case.value[: asked.seen]
    size = window(len(asked.case.value))
    level = float(windowed(value, size)[-1])
    ahead = len(asked.case.value) - asked.seen
    steps = np.diff(windowed(value, size)[-max(len(value) // 2, 3) :])
    drift = float(np.mean(steps)) * ahead if len(steps) else 0.0
    spread = float(np.std(steps)) * ahead**0.5 + 1e-12 if len(steps) else 1e-12
    p = _normal((asked.target - level - drift) / spread)
    return p, level + drift - 1.645 * spread, level + drift + 1.645 * spread


def best_so_far(asked: Question) -> Answer:
    """Nothing gets better than it is: what a patience rule believes."""
    value = asked.case.value[: asked.seen]
    seen = windowed(value, window(len(asked.case.value)))
    noise = second_difference_noise(value) if len(value) >= 4 else 0.0
    return 0.01, float(seen[-1]) - 1.645 * noise, float(seen[-1]) + 1.645 * noise


def _normal(z: float) -> float:
    from math import erf, sqrt

    return 0.5 + 0.5 * erf(z / sqrt(2.0))


METHODS: dict[str, Method] = {
    "trainlens": ours,
    "power law, blind to the learning rate": constant,
    "random walk with the last trend": last_value,
    "best so far": best_so_far,
}
