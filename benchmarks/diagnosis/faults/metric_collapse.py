"""A measure of quality that falls to nothing."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sides import accuracy
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("metric collapse", accepts=("validation-jump",), brings=("overfitting", "never-learned"),
       point=True, wish=Wish(least=100, evaluations=(12, 100)))  # fmt: skip
def metric_collapse(s: Sketch) -> Mark:
    """The validation accuracy falls to about 0 and stays there.

    Strength: the accuracy before.
    """
    accuracy(s)
    at, value = s.sides["val_accuracy"]
    place = int(s.rng.integers(6, len(value) - 3))
    before = float(np.median(value[place - 5 : place]))
    value[place:] = s.rng.uniform(0.0, 0.02, len(value) - place)
    return marked(s.step[at], (place, len(value) - 1), strength=before)
