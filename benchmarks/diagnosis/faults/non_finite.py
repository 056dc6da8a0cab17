"""NaN or infinity in a loss."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch


@fault("non-finite", brings=("divergence", "loss-spike", "gradient-explosion"), point=True)
def non_finite(s: Sketch) -> Mark:
    """The training or validation loss is NaN or infinite: a few points, or all to the end.

    Strength: share of the points.
    """
    value = float(s.rng.choice([np.nan, np.nan, np.inf]))
    held = len(s.evaluations) >= 8 and s.rng.random() < 0.3
    wobble = s.flutter if held else s.wobble
    at = int(s.rng.integers(3, len(wobble) - 3))
    end = int(min(len(wobble), at + s.rng.choice([1, 3, len(wobble)])))
    wobble[at:end] = value
    step = s.step[s.evaluations] if held else s.step
    return marked(step, (at, end - 1), strength=(end - at) / len(wobble))
