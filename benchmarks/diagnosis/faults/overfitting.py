"""Validation turns."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.curves import PLAIN
from benchmarks.diagnosis.faults import Mark, fault, leaps, marked
from benchmarks.diagnosis.noise import error_of_mean
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("overfitting", brings=("gap-growth",), wish=Wish(PLAIN, evaluations=(8, 100)))
def overfitting(s: Sketch) -> Mark | None:
    """Validation turns at 20 to 70 % of the run and ends 6 to 80 % above its best.

    Strength: the rise of the log loss in standard errors of five evaluations, at least 5.
    """
    share, turn = s.evaluations / (len(s) - 1), s.rng.uniform(0.2, 0.7)
    low = np.interp(np.minimum(share, turn), share, s.held)
    bend = s.rng.uniform(0.7, 1.5)
    up = np.clip((share - turn) / (1 - turn), 0, None) ** bend
    s.held = low * np.exp(np.log1p(s.rng.uniform(0.06, 0.8)) * up)
    best = int(np.argmin(s.held))
    rise = float(np.log(s.held[-1] / s.held[best]))
    few = min(5, max(1, len(share) // 4))
    strength = rise / max(float(np.sqrt(2)) * error_of_mean(s.flutter, few), 1e-12)
    if rise < 0.05 or strength < 5 or len(share) - best < 4:
        return None
    step = s.step[s.evaluations]
    return marked(step, (best, len(step) - 1), strength=strength, also=leaps(s.held))
