"""Gradient norms of another size."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sides import steady, usual_norm
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("gradient-explosion", brings=("loss-spike", "outlier", "divergence"), point=True,
       wish=Wish(least=100))  # fmt: skip
def gradient_explosion(s: Sketch) -> Mark:
    """3 to 10 norms of 30 to 1,000 times the usual, or growth by 30 to 1,000 to the end.

    Strength: the factor.
    """
    norm = steady(s, usual_norm(s), s.rng.uniform(0.05, 0.4))
    norm *= 1 + 3 * np.exp(-s.place / 0.1)
    times = float(10 ** s.rng.uniform(1.5, 3))
    at = s.within(0.2, 0.8, 30)
    if s.rng.random() < 0.3:
        norm[at:] *= np.geomspace(1, times, len(s) - at)
        last = len(s) - 1
        at += int((len(s) - at) * np.log(3) / np.log(times))
    else:
        last = min(len(s) - 1, at + int(s.rng.integers(2, 10)))
        norm[at : last + 1] *= times
    s.sides["grad_norm"] = s.everywhere(), norm
    growth = last == len(s) - 1
    return marked(s.step, (max(0, at - (len(s) // 20) * growth), last), strength=times)
