"""A log of two attempts."""

from __future__ import annotations

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch


@fault("step-rewind", least="info")
def step_rewind(s: Sketch) -> Mark:
    """The run is resumed from an earlier step, some of them from the beginning.

    Strength: the share of the run that is done twice.
    """
    cut = s.within(0.4, 0.9, 5)
    back = int(cut * s.rng.choice([0.0, s.rng.uniform(0.1, 0.9)]))
    s.resumes = cut, back
    return marked(s.step, (back, cut), strength=(cut - back) / len(s))
