"""Units that are always zero."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sides import LAYERS
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("dead-relu", brings=("stagnation", "gradient-vanishing"), wish=Wish(longest=5000))
def dead_relu(s: Sketch) -> Mark:
    """The share of zero activations climbs to 90 to 100 % in all but one of the layers.

    Strength: that share.
    """
    end, by = s.rng.uniform(0.9, 1.0), s.rng.uniform(0.1, 0.4)
    for place in range(LAYERS):
        top = end if place else 0.5
        value = 0.45 + (top - 0.45) * np.clip(s.place / by, 0, 1)
        noisy = np.clip(value + s.rng.normal(0, 0.01, len(s)), 0, 1)
        s.sides[f"zero_fraction/layer{place}"] = s.everywhere(), noisy
    return marked(s.step, (int(by * len(s)), len(s) - 1), strength=end)
