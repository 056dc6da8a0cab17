"""Weights that no longer move."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, flat, marked
from benchmarks.diagnosis.sides import LAYERS
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("unchanged-parameters", brings=("frozen-parameters", "never-learned", "stagnation"),
       wish=Wish(("power law",), longest=5000))  # fmt: skip
def unchanged_parameters(s: Sketch) -> Mark:
    """The norms of most layers stop changing to the last bit, or those of all never change.

    The learning rate stays on; where no layer changes, neither does the loss. Strength: the share
    of layers.
    """
    still = int(s.rng.integers(LAYERS // 2 + 1, LAYERS + 1))
    at = 0 if still == LAYERS and s.rng.random() < 0.5 else s.within(0.2, 0.6, 5)
    for place in range(LAYERS):
        moved = 0.3 * s.place + 0.001 * s.rng.standard_normal(len(s))
        value = 10.0 + place + moved
        s.sides[f"weight_norm/layer{place}"] = (
            s.everywhere(), flat(value, at) if place < still else value
        )  # fmt: skip
    if still == LAYERS:
        s.shape.level = flat(s.shape.level, at)
        s.held[s.evaluations >= at] = s.shape.level[-1]
        s.sides["val_accuracy"] = s.evaluations[:0], np.zeros(0)
    s.logs_rate, s.shape.rate = True, np.ones(len(s))
    return marked(s.step, (at, len(s) - 1), strength=still / LAYERS)
