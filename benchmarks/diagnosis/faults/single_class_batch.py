"""A sampler that is broken."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("single-class-batch", brings=("never-learned", "stagnation", "class-imbalance"),
       wish=Wish(("power law",)))  # fmt: skip
def single_class_batch(s: Sketch) -> Mark:
    """Every batch, or most of them, hold one class; the loss stays at chance where it is every.

    Strength: the share of batches.
    """
    n, part = len(s), float(s.rng.choice([1.0, s.rng.uniform(0.6, 0.9)]))
    many = s.rng.integers(4, 12, n).astype(np.float64)
    many[s.rng.random(n) < part] = 1.0
    if part == 1.0:
        s.shape.level, s.held = np.ones(n), np.ones(len(s.held))
        s.sides["val_accuracy"] = s.evaluations[:0], np.zeros(0)
    s.sides["batch_classes"] = s.everywhere(), many
    return marked(s.step, (0, n - 1), strength=part)
