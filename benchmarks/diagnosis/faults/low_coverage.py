"""Few valid inputs."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch


@fault("low-coverage")
def low_coverage(s: Sketch) -> Mark:
    """The share of valid inputs is 5 to 25 % for 15 to 100 % of the run.

    Strength: the share of the run.
    """
    n = len(s)
    share = np.full(n, s.rng.uniform(0.6, 0.95))
    long = int(n * s.rng.choice([1.0, s.rng.uniform(0.15, 0.5)])) + 5
    at = int(s.rng.uniform(0, max(0, n - long)))
    share[at : at + long] = s.rng.uniform(0.05, 0.25)
    value = np.clip(share + s.rng.normal(0, 0.04, n), 0, 1)
    s.sides[str(s.rng.choice(("valid_ratio", "coverage")))] = s.everywhere(), value
    return marked(s.step, (at, min(n, at + long) - 1), strength=long / n)
