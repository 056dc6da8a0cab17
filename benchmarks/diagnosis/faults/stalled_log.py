"""A long silence."""

from __future__ import annotations

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("stalled-log", brings=("throughput-drop", "slow-batch"), least="info", wish=Wish(least=100))
def stalled_log(s: Sketch) -> Mark:
    """Nothing is logged for 20 to 100 % of the time that all the rest took, 2 hours at least.

    Strength: that share.
    """
    at, share = s.within(0.2, 0.8), s.rng.uniform(0.2, 1.0)
    s.pause = at, share
    return marked(s.step, (max(0, at - 1), at), strength=share)
