"""A learning rate that leaps."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("lr-jump", point=True,
       brings=("loss-spike", "outlier", "divergence", "stagnation", "gradient-explosion",
               "validation-jump", "overfitting", "gap-growth", "plan-deviation"),
       wish=Wish(("power law", "cosine", "linear"), least=100))  # fmt: skip
def lr_jump(s: Sketch) -> Mark:
    """5 to 100 times the learning rate from some step on; the loss goes up with it.

    Strength: the factor.
    """
    s.logs_rate = True
    at, times = s.within(0.25, 0.7, 10), float(10 ** s.rng.uniform(0.7, 2))
    rate = np.maximum(s.shape.rate, 1e-3)
    times *= float(max(1.0, rate.max() / rate[at]))
    rate[at:] *= times
    s.shape.rate = rate
    high = max(s.rng.uniform(0.15, 0.6), 5 * s.sigma)
    s.wobble[at:] += high * np.exp(-(np.arange(len(s) - at)) / (0.2 * len(s)))
    return marked(s.step, (at, len(s) - 1), strength=times)
