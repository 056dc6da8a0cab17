"""A gradient that is gone."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.curves import PLAIN
from benchmarks.diagnosis.faults import Mark, fault, flat, marked
from benchmarks.diagnosis.sides import steady, usual_norm
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("gradient-vanishing", brings=("stagnation", "never-learned", "frozen-parameters"),
       wish=Wish(PLAIN, least=100, quiet=0.05))  # fmt: skip
def gradient_vanishing(s: Sketch) -> Mark:
    """The norm decays to a 1e-4th to a 1e-7th within a tenth of the run; the loss stays there.

    Strength: decades of the decay.
    """
    at, decades = s.within(0.2, 0.5), s.rng.uniform(4, 7)
    norm = steady(s, usual_norm(s), s.rng.uniform(0.05, 0.4))
    fall = np.clip((np.arange(len(s)) - at) / max(1.0, 0.1 * len(s)), 0, 1)
    s.sides["grad_norm"] = s.everywhere(), norm * 10.0 ** (-decades * fall)
    s.shape.level = np.maximum(flat(s.shape.level, at), 0.2)
    return marked(s.step, (at, len(s) - 1), strength=decades)
