"""A gate that is stuck."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch


@fault("polarized-gate")
def polarized_gate(s: Sketch) -> Mark:
    """The mean of a gate drifts to below 0.07 or above 0.93 and stays there.

    Strength: the share of the run there.
    """
    end, by = s.rng.uniform(0.0, 0.07), s.rng.uniform(0.2, 0.7)
    value = np.clip(0.5 + (end - 0.5) * np.clip(s.place / by, 0, 1), 0, 1)
    value = np.clip(value + s.rng.normal(0, 0.02, len(s)), 0, 1)
    if s.rng.random() < 0.5:
        value = 1 - value
    s.sides[str(s.rng.choice(("alpha_mean", "gate_mean")))] = s.everywhere(), value
    at = int(by * len(s))
    return marked(s.step, (min(at, len(s) - 1), len(s) - 1), strength=1 - by)
