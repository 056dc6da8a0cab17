"""Updates of the wrong size."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sides import LAYERS, steady
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("update-ratio", brings=("never-learned", "stagnation"),
       wish=Wish(("power law",), longest=5000))  # fmt: skip
def update_ratio(s: Sketch) -> Mark | None:
    """Updates of half the weights and more, or of under a 1e-7th of them, in every layer.

    Under the small ones nothing is learned. Strength: the ratio.
    """
    ratio = float(s.rng.choice([s.rng.uniform(0.5, 3.0), 10 ** s.rng.uniform(-9, -7)]))
    if ratio < 1e-6:
        if s.slope_error(len(s)) > 0.01:
            return None  # in such noise nobody sees that nothing is learned
        s.shape.level, s.held = np.ones(len(s)), np.ones(len(s.held))
        s.sides["val_accuracy"] = s.evaluations[:0], np.zeros(0)
    for place in range(LAYERS):
        s.sides[f"update_ratio/layer{place}"] = s.everywhere(), steady(s, ratio, 0.3)
    s.logs_rate = True
    return marked(s.step, (0, len(s) - 1), strength=ratio)
