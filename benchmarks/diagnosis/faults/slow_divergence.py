"""The training loss creeps up."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.curves import PLAIN
from benchmarks.diagnosis.faults import Mark, fault, flat, leaps, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault(
    "slow divergence",
    accepts=("divergence",),
    brings=("stagnation", "overfitting", "gap-growth", "outlier", "loss-spike"),
    wish=Wish(PLAIN, quiet=0.1),
)
def slow_divergence(s: Sketch) -> Mark | None:
    """35 to 60 % above its lowest level at the end of the last 30 %.

    Strength: the rise of the log loss in standard errors of a twentieth of the run, at least 6.
    """
    at = int(0.7 * len(s))
    s.shape.level = flat(s.shape.level, at)
    rise = float(np.log(s.rng.uniform(1.35, 1.6)))
    strength = rise / max(s.error(len(s) // 20), 1e-12)
    if strength < 6:
        return None
    s.wobble[at:] += np.linspace(0, rise, len(s) - at)
    late = s.evaluations >= at
    s.held[late] = s.held[~late][-1] if (~late).any() else s.held[late]
    s.held[late] *= np.exp((s.evaluations[late] - at) / (len(s) - at) * rise)
    return marked(s.step, (at, len(s) - 1), strength=strength, also=leaps(s.held))
