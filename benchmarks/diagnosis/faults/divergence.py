"""The training loss blows up."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault(
    "divergence",
    brings=("loss-spike", "outlier", "stagnation", "overfitting", "validation-jump", "gap-growth"),
    wish=Wish(crossing=True),
)
def divergence(s: Sketch) -> Mark:
    """Exponential growth to the end, or a leap to a level that stays.

    Strength: the rise of the log loss, at least 1 and 6 widths of the noise.
    """
    at = s.within(0.3, 0.85, 15)
    high = s.rng.uniform(1.0 + 6 * s.sigma, 3.0 + 6 * s.sigma)
    sudden = s.rng.random() < 0.4
    s.wobble[at:] += high if sudden else np.linspace(0, high, len(s) - at)
    if s.rng.random() < 0.5:
        late = s.evaluations >= at
        s.flutter[late] += (s.evaluations[late] - at) / (len(s) - at) * high
    return marked(s.step, (at, len(s) - 1), strength=high)
