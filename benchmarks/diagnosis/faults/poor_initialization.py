"""Signals that die or explode with depth from the start."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sides import LAYERS, steady
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("poor-initialization", brings=("gradient-vanishing", "gradient-explosion"),
       wish=Wish(longest=5000))  # fmt: skip
def poor_initialization(s: Sketch) -> Mark:
    """The spread of activations changes 5 to 10 times from layer to layer, less so later on.

    Strength: the ratio of the last layer to the first, as decades.
    """
    each = s.rng.uniform(0.7, 1.0) * (1 if s.rng.random() < 0.3 else -1)
    for place in range(LAYERS):
        healed = np.clip(1 - 0.5 * s.place, 0, 1)
        value = steady(s, 1.0, 0.05) * 10.0 ** (each * place * healed)
        s.sides[f"activation_std/layer{place}"] = s.everywhere(), value
    return marked(s.step, (0, len(s) - 1), strength=abs(each) * (LAYERS - 1))
