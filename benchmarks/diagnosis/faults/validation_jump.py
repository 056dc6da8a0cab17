"""A validation that is suddenly much worse."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("validation-jump", brings=("overfitting", "gap-growth"), point=True,
       wish=Wish(least=100, evaluations=(12, 100)))  # fmt: skip
def validation_jump(s: Sketch) -> Mark | None:
    """One to three evaluations, or all the rest, worse by 25 % and more.

    Strength: height of the log loss in widths of the noise, at least 10; and more than validation
    fell over the ten evaluations before, so that nobody takes it for the curve.
    """
    n = len(s.held)
    width = max(float(s.flutter.std()), 1e-12)
    at = int(s.rng.integers(6, n - 3))
    high = max(s.rng.uniform(0.22, 0.7), s.rng.uniform(10, 14) * width)
    if abs(float(np.log(s.held[at - 5] / s.held[at]))) > 0.5 * high:
        return None
    end = n if s.rng.random() < 0.25 else at + int(s.rng.integers(1, 4))
    s.flutter[at:end] += high
    step = s.step[s.evaluations]
    return marked(step, (at, min(end, n) - 1), strength=high / width)
