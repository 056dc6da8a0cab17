"""A schedule that ends too early."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("premature-lr-decay", brings=("stagnation", "plan-deviation"),
       wish=Wish(("power law",), least=100, quiet=0.05))  # fmt: skip
def premature_lr_decay(s: Sketch) -> Mark | None:
    """A cosine or linear decay to nothing by 25 to 50 % of the run; the loss stays since.

    Strength: what the loss misses of its twin's fall, in standard errors of a line, at least 5.
    """
    s.logs_rate = True
    end, twin = s.rng.uniform(0.25, 0.5), s.shape.level
    t = np.clip(s.place / end, 0, 1)
    low = s.rng.choice([0.0, 1e-3, 0.01])
    s.shape.rate = low + (1 - low) * (
        (1 + np.cos(np.pi * t)) / 2 if s.rng.random() < 0.6 else 1 - t
    )
    spent = np.cumsum(s.shape.rate) / s.shape.rate.sum() * end
    s.shape.level = np.interp(spent, s.place, twin)
    at = int(np.argmax(s.shape.rate < 0.1))
    missed = float(np.log(s.shape.level[-1] / twin[-1]))
    strength = missed / max(s.slope_error(len(s) - at), 1e-12)
    if missed < 0.03 or strength < 5:
        return None
    return marked(s.step, (at, len(s) - 1), strength=strength)
