"""Scores of many outcomes: by kind, by rule, over all, with bootstrap intervals over runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.diagnosis.labelled import HEALTHY
from benchmarks.diagnosis.score import Outcome

Interval = tuple[float, float]
_ROUNDS = 400
LEAST_OF_STRATUM = 20
"""Labels below which a stratum is too small to be the worst."""


@dataclass(frozen=True)
class KindScore:
    """How often a kind of fault is found.

    `false` counts its runs with a wrong finding, `told` labels found only by a milder finding,
    `delay` is the median from the beginning of the fault to that of the finding, as a share of
    the run.
    """

    kind: str
    judged: bool
    runs: int
    labels: int
    hits: int
    told: int
    unsure: int
    false: int
    delay: float
    interval: Interval

    @property
    def recall(self) -> float:
        """Share of the labels that were found."""
        return self.hits / self.labels if self.labels else float("nan")


@dataclass(frozen=True)
class RuleScore:
    """How often a rule is right: runs with a hit, runs with a false alarm, labels."""

    rule: str
    right: int
    false: int
    labels: int
    hits: int
    runs: int

    @property
    def precision(self) -> float:
        """Share of the alarmed runs in which it was right; NaN without an alarm."""
        alarms = self.right + self.false
        return self.right / alarms if alarms else float("nan")

    @property
    def recall(self) -> float:
        """Share of the labels that it should find; NaN without any."""
        return self.hits / self.labels if self.labels else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True)
class Overall:
    """The figures that a release is held to."""

    macro_recall: float
    macro_interval: Interval
    kinds: int
    healthy: int
    healthy_warned: int
    healthy_interval: Interval
    per_100k: float
    alarms_per_run: float
    faulty: int
    faulty_wrong: int
    worst: tuple[str, float, int]

    @property
    def healthy_share(self) -> float:
        """Share of healthy runs with a warning."""
        return self.healthy_warned / self.healthy if self.healthy else float("nan")

    @property
    def wrong_share(self) -> float:
        """Share of faulty runs with a wrong finding."""
        return self.faulty_wrong / self.faulty if self.faulty else float("nan")


def by_kind(outcomes: Sequence[Outcome]) -> list[KindScore]:
    """A row a kind of fault."""
    held = _grouped(outcomes)
    return [_kind(kind, some) for kind, some in sorted(held.items()) if kind != HEALTHY]


def _grouped(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    held: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        held[one.kind].append(one)
    return held


def _kind(kind: str, some: list[Outcome]) -> KindScore:
    delays = [d for one in some for d in one.delays]
    return KindScore(
        kind,
        any(one.judged for one in some),
        len(some),
        sum(one.labels for one in some),
        sum(one.hits for one in some),
        sum(one.told for one in some),
        sum(one.unsure and one.hits < one.labels for one in some),
        sum(one.warned for one in some),
        float(np.median(delays)) if delays else float("nan"),
        bootstrap(some, _recall),
    )


def by_rule(outcomes: Sequence[Outcome], accepts: dict[str, tuple[str, ...]]) -> list[RuleScore]:
    """A row a rule that is right about some kind, or raised an alarm.

    Parameters
    ----------
    outcomes : sequence of Outcome
    accepts : mapping of kind to rules
        Rules that are right about each kind.
    """
    right, false = Counter[str](), Counter[str]()
    for one in outcomes:
        right.update(set(one.right))
        false.update(set(one.false))
    rules = {rule for some in accepts.values() for rule in some} | set(right) | set(false)
    rows = []
    for rule in sorted(rules):
        mine = [one for one in outcomes if rule in accepts.get(one.kind, ())]
        labels, hits = sum(o.labels for o in mine), sum(o.hits for o in mine)
        rows.append(RuleScore(rule, right[rule], false[rule], labels, hits, len(mine)))
    return rows


def overall(outcomes: Sequence[Outcome]) -> Overall:
    """The figures over all kinds that a rule exists for."""
    healthy = [one for one in outcomes if one.kind == HEALTHY]
    faulty = [one for one in outcomes if one.kind != HEALTHY]
    judged = [one for one in faulty if one.judged]
    warned = sum(one.warned for one in healthy)
    alarms = sum(len(one.false) for one in healthy)
    points = sum(one.points for one in healthy)
    return Overall(
        macro(judged),
        bootstrap(judged, macro),
        len({one.kind for one in judged}),
        len(healthy),
        warned,
        bootstrap(healthy, _warned),
        alarms / max(points, 1) * 1e5,
        alarms / max(len(healthy), 1),
        len(faulty),
        sum(one.warned for one in faulty),
        worst_stratum(judged),
    )


def macro(outcomes: Sequence[Outcome]) -> float:
    """Mean of the recalls of the kinds."""
    found = [_recall(some) for some in _grouped(outcomes).values()]
    return float(np.mean(found)) if found else float("nan")


def _recall(some: Sequence[Outcome]) -> float:
    labels = sum(one.labels for one in some)
    return sum(one.hits for one in some) / labels if labels else float("nan")


def _warned(some: Sequence[Outcome]) -> float:
    return sum(one.warned for one in some) / len(some) if some else float("nan")


def bootstrap(some: Sequence[Outcome], score: Callable[[Sequence[Outcome]], float]) -> Interval:
    """95 % interval of a score, by drawing runs again within each kind."""
    if not some:
        return float("nan"), float("nan")
    rng = np.random.default_rng(0)
    groups = list(_grouped(some).values())
    found = []
    for _ in range(_ROUNDS):
        drawn = [g[i] for g in groups for i in rng.integers(0, len(g), len(g))]
        found.append(score(drawn))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def strata(outcomes: Sequence[Outcome]) -> list[tuple[str, float, int, int]]:
    """Recall of each value of each family: name, recall, labels, runs with a false alarm."""
    held: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        for family, value in one.families.items():
            if family != "scale":
                held[f"{family} {value}"].append(one)
    rows = [
        (name, _recall(some), sum(o.labels for o in some), sum(o.warned for o in some))
        for name, some in held.items()
    ]
    return sorted(rows, key=lambda row: row[1])


def worst_stratum(outcomes: Sequence[Outcome]) -> tuple[str, float, int]:
    """The stratum of lowest recall among those with enough labels."""
    rows = [r for r in strata(outcomes) if r[2] >= LEAST_OF_STRATUM]
    return rows[0][:3] if rows else ("", float("nan"), 0)


def by_strength(some: Sequence[Outcome], parts: int = 3) -> list[tuple[float, float, float, int]]:
    """Recall of a kind in equal parts by strength: from, to, recall, labels."""
    ordered = sorted(some, key=lambda one: one.strength)
    rows = []
    for place in np.array_split(np.arange(len(ordered)), parts):
        if len(place):
            mine = [ordered[i] for i in place]
            ends = mine[0].strength, mine[-1].strength
            rows.append((*ends, _recall(mine), sum(one.labels for one in mine)))
    return rows
