"""Parameters that nothing trains."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("frozen-parameters", brings=("never-learned", "gradient-vanishing", "stagnation"),
       wish=Wish(("power law",), quiet=0.05))  # fmt: skip
def frozen_parameters(s: Sketch) -> Mark:
    """No parameter has a gradient, or its norm is exactly 0; the loss stays where it began.

    Strength: 1.
    """
    n = len(s)
    s.shape.level, s.held = np.ones(n), np.ones(len(s.held))
    s.logs_rate = True
    s.shape.rate = np.ones(n)
    s.sides["val_accuracy"] = s.evaluations[:0], np.zeros(0)
    if s.rng.random() < 0.5:
        s.sides["params_with_grad"] = s.everywhere(), np.zeros(n)
        s.sides["params_total"] = s.everywhere(), np.full(n, 120.0)
    else:
        s.sides["grad_norm"] = s.everywhere(), np.zeros(n)
    return marked(s.step, (0, n - 1), strength=1.0)
