"""The three tiers: synthetic runs, faults in real noise, and real trainings with real faults."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.diagnosis import faults, real
from benchmarks.diagnosis.judge import judge, judged, specs
from benchmarks.diagnosis.labelled import Labelled
from benchmarks.diagnosis.score import Outcome


@dataclass(frozen=True)
class Size:
    """How many runs: healthy, of each kind of fault, stretches of each real background."""

    healthy: int = 1000
    each: int = 60
    stretches: int = 20


FULL, QUICK = Size(), Size(200, 12, 4)


@dataclass(frozen=True)
class Measured:
    """Outcomes of a tier, or why there are none."""

    title: str
    outcomes: tuple[Outcome, ...] = ()
    skipped: str = ""
    accepts: dict[str, tuple[str, ...]] = field(default_factory=dict)


def tier_a(size: Size, *, sealed: bool = False, profile: str = "default") -> Measured:
    """Synthetic runs of every kind."""
    wanted = specs(size.healthy, size.each, sealed=sealed)
    title = "Synthetic, sealed" if sealed else "Synthetic"
    accepts = {kind: one.accepts for kind, one in faults.kinds().items()}
    return Measured(title, tuple(judge(wanted, profile)), accepts=accepts)


def tier_b(size: Size, *, sealed: bool = False) -> Measured:
    """Faults in the noise of real logs."""
    title = "In real noise"
    cases = list(real.cases(size.stretches, seed=1000 if sealed else 0))
    if not cases:
        return Measured(title, skipped=f"no real logs: {real.FOLDER} is not there")
    return _of_cases(title, cases)


def tier_c() -> Measured:
    """Tiny trainings with injected faults, and their healthy twins."""
    title = "Real trainings"
    cases = load_tier_c()
    if not cases:
        return Measured(title, skipped="no recorded trainings yet")
    return _of_cases(title, cases)


def load_tier_c() -> list[Labelled]:
    """The recorded trainings with their labels; none where they have not been recorded.

    They come from ``benchmarks.diagnosis.tier_c``, a module or package with a function
    ``load() -> list[Labelled]``.
    """
    name = "benchmarks.diagnosis.tier_c"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return []
    cases: list[Labelled] = module.load()
    return cases


def _of_cases(title: str, cases: list[Labelled]) -> Measured:
    accepts = {case.kind: case.accepted for case in cases}
    return Measured(title, tuple(_outcomes(cases)), accepts=accepts)


def _outcomes(cases: list[Labelled]) -> Iterator[Outcome]:
    for case in cases:
        yield judged(case)
