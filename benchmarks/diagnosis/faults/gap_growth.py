"""Validation flattens while training goes on."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.noise import error_of_mean
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault(
    "gap-growth",
    least="info",
    wish=Wish(("power law", "exponential"), least=100, evaluations=(16, 100)),
)
def gap_growth(s: Sketch) -> Mark | None:
    """Validation stays from 20 to 40 % of the run on while training falls by 10 % and more.

    Strength: what training falls since half of the run, in standard errors of both, at least 6.
    """
    share, turn = s.evaluations / (len(s) - 1), s.rng.uniform(0.2, 0.4)
    s.held = np.interp(np.minimum(share, turn), share, s.held)
    level = s.shape.level
    widened = float((level[len(s) // 2] - level[-1]) / s.held[-1])
    error = float(np.sqrt(12)) * np.hypot(
        error_of_mean(s.flutter, len(share) // 2), s.error(len(s) // 2) * level[-1] / s.held[-1]
    )
    strength = widened / max(error, 1e-12)
    fallen = float(np.log(np.interp(turn, s.place, level) / level[-1]))
    if widened < 0.07 or strength < 6 or fallen < 0.1:
        return None
    step = s.step[s.evaluations]
    return marked(step, (int(np.argmax(share >= turn)), len(step) - 1), strength=strength)
