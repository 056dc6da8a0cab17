"""Running the rules over labelled runs, in several processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from benchmarks.diagnosis.labelled import HEALTHY, Labelled
from benchmarks.diagnosis.score import Outcome, outcome
from benchmarks.diagnosis.sketch import LONGEST
from benchmarks.diagnosis.synthetic import kinds, make
from trainlens.rules import all_rules, diagnose

DEVELOPMENT, SEALED = 0, 1_000_000
"""First seed of each."""


@dataclass(frozen=True)
class Spec:
    """A synthetic run, to be made where it is judged."""

    kind: str
    seed: int
    sealed: bool = False
    longest: int = LONGEST

    def make(self) -> Labelled:
        """The run."""
        return make(self.kind, self.seed, sealed=self.sealed, longest=self.longest)


def specs(
    healthy: int, each: int, *, sealed: bool = False, longest: int = LONGEST, first: int = 0
) -> list[Spec]:
    """So many healthy runs, and so many of each kind of fault."""
    begin = (SEALED if sealed else DEVELOPMENT) + first
    return [
        Spec(kind, begin + place, sealed, longest)
        for kind in kinds()
        for place in range(healthy if kind == HEALTHY else each)
    ]


def judged(case: Labelled, profile: str = "default") -> Outcome:
    """Outcome of one run."""
    return outcome(case, diagnose(case.run, profile=profile).results, all_rules(profile))


def _of_spec(given: tuple[Spec, str]) -> Outcome:
    spec, profile = given
    return judged(spec.make(), profile)


def judge(
    wanted: Iterable[Spec], profile: str = "default", workers: int | None = None
) -> Iterator[Outcome]:
    """Outcomes of many runs, in the order of the specs.

    Parameters
    ----------
    wanted : iterable of Spec
    profile : str
    workers : int, optional
        Processes; as many as cores if not given.
    """
    tasks = [(spec, profile) for spec in wanted]
    count = workers or os.cpu_count() or 1
    if count == 1:
        yield from map(_of_spec, tasks)
        return
    with ProcessPoolExecutor(count) as pool:
        yield from pool.map(_of_spec, tasks, chunksize=8)
