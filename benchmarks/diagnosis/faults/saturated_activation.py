"""Activations at their limits."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sides import LAYERS
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("saturated-activation", brings=("stagnation", "gradient-vanishing"),
       wish=Wish(longest=5000))  # fmt: skip
def saturated_activation(s: Sketch) -> Mark:
    """The share of saturated activations climbs to 85 to 100 % in all but one of the layers.

    Strength: that share.
    """
    end, by = s.rng.uniform(0.85, 1.0), s.rng.uniform(0.1, 0.4)
    for place in range(LAYERS):
        top = end if place else 0.05
        value = 0.02 + (top - 0.02) * np.clip(s.place / by, 0, 1)
        noisy = np.clip(value + s.rng.normal(0, 0.01, len(s)), 0, 1)
        s.sides[f"saturated_fraction/layer{place}"] = s.everywhere(), noisy
    return marked(s.step, (int(by * len(s)), len(s) - 1), strength=end)
