"""Full speed from the first step on."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sides import steady, usual_norm
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("missing-warmup", brings=("loss-spike", "outlier", "gradient-explosion", "divergence"),
       wish=Wish(("cosine", "linear", "power law"), least=300, quiet=0.05))  # fmt: skip
def missing_warmup(s: Sketch) -> Mark:
    """The learning rate starts at its peak; the loss doubles or more in the first 4 %, then falls.

    The gradient norm, logged in half of the cases, is 20 to 200 times its later size there.
    Strength: the factor of the loss.
    """
    s.logs_rate = True
    n = len(s)
    s.shape.rate = np.maximum.accumulate(s.shape.rate[::-1])[::-1]
    times, long = s.rng.uniform(2.0, 5.0), max(8, int(0.04 * n))
    x = np.arange(n) / long
    s.wobble += np.log(times) * np.where(x < 1, np.sin(np.pi * np.clip(x, 0, 1)), 0.0)
    s.shape.level[:long] = 1.0
    s.shape.level[long:] = np.minimum(1.0, s.shape.level[long:])
    if s.rng.random() < 0.5:
        norm = steady(s, usual_norm(s), 0.3)
        norm[:long] *= s.rng.uniform(20, 200)
        s.sides["grad_norm"] = s.everywhere(), norm
    return marked(s.step, (0, long), strength=times)
