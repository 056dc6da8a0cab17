"""Nothing is learned."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("never-learned", brings=("stagnation",), wish=Wish(("power law",), quiet=0.1))
def never_learned(s: Sketch) -> Mark | None:
    """Flat from the first step on, at any level, or at ln C of some classes.

    Strength: 2 % in standard errors of a line over the whole run, at least 2.
    """
    strength = 0.02 / max(s.slope_error(len(s)), 1e-12)
    if strength < 2:
        return None
    s.shape.level = np.ones(len(s))
    s.held = np.full(len(s.evaluations), s.rng.uniform(1.0, 1.05))
    if s.rng.random() < 0.4:
        many = int(s.rng.choice([2, 4, 10, 31, 100, 1000]))
        s.scale = float(np.log(many))
        if len(s.evaluations) and s.rng.random() < 0.5:
            guess = 1 / many + s.rng.normal(0, 0.05 / many, len(s.evaluations))
            s.sides["val_accuracy"] = s.evaluations, np.clip(guess, 0, 1)
    s.sides.setdefault("val_accuracy", (s.evaluations[:0], np.zeros(0)))
    return marked(s.step, (0, len(s) - 1), strength=strength)
