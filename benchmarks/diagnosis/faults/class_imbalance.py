"""One class that crowds out the others."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch


@fault("class-imbalance", brings=("single-class-batch",))
def class_imbalance(s: Sketch) -> Mark:
    """One of four classes holds 93 to 99 % of the samples, by their shares or by the largest.

    Strength: that share.
    """
    share, n = s.rng.uniform(0.93, 0.99), len(s)
    first = np.clip(share + s.rng.normal(0, 0.005, n), 0, 1)
    if s.rng.random() < 0.4:
        s.sides["majority_share"] = s.everywhere(), first
        return marked(s.step, (0, n - 1), strength=share)
    for place in range(4):
        value = first if place == 2 else (1 - first) / 3
        s.sides[f"class_share/{place}"] = s.everywhere(), value
    return marked(s.step, (0, n - 1), strength=share)
