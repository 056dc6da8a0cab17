"""Learning stops."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.curves import PLAIN
from benchmarks.diagnosis.faults import Mark, fault, flat, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("stagnation", wish=Wish(PLAIN, least=100, quiet=0.1))
def stagnation(s: Sketch) -> Mark | None:
    """The loss falls, and stays from 35 to 55 % of the run on while its twin would have gone on.

    Strength: what it misses of the twin's fall, in standard errors of a line, at least 6.
    """
    at = s.within(0.35, 0.55)
    twin = s.shape.level
    missed = float(np.log(twin[at] / twin[-1]))
    earlier = float(np.log(twin[at // 2] / twin[at]))
    strength = min(missed, earlier) / max(s.slope_error(len(s) - at), 1e-12)
    if missed < 0.03 or strength < 6:
        return None
    s.shape.level = flat(twin, at)
    late = s.evaluations >= at
    if late.any():
        s.held[late] = s.held[np.argmax(late)]
    return marked(s.step, (at, len(s) - 1), strength=strength)
