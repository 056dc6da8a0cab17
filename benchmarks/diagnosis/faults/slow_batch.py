"""Training gets slower, by its batch times."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sides import steady
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("slow-batch", brings=("throughput-drop",), wish=Wish(longest=50_000))
def slow_batch(s: Sketch) -> Mark:
    """2 to 5 times the usual from a point on, or single batches of 10 to 40 times the usual.

    The single ones cost a tenth of the time and more. Strength: the factor.
    """
    n = len(s)
    value = steady(s, 10.0 ** s.rng.uniform(-2, 1), s.rng.uniform(0.01, 0.2))
    if s.rng.random() < 0.5:
        at, last, times = s.within(0.3, 0.8), n - 1, s.rng.uniform(2, 5)
        value[at:] *= times
    else:
        times = s.rng.uniform(10, 40)
        many = max(1, int(np.ceil(0.1 * n / (times - 1))) + 1)
        places = np.sort(s.rng.choice(np.arange(max(20, n // 10), n), many, replace=False))
        at, last = int(places[0]), int(places[-1])
        value[places] *= times
    s.sides["batch_time"] = s.everywhere(), value
    return marked(s.step, (at, last), strength=times)
