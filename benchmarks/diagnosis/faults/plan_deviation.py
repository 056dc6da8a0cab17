"""A learning rate that leaves its plan."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("plan-deviation",
       brings=("lr-jump", "premature-lr-decay", "stagnation"), point=True,
       wish=Wish(("power law",), least=100))  # fmt: skip
def plan_deviation(s: Sketch) -> Mark:
    """The header plans a cosine; from some step on the logged rate is 0.1 to 0.6 times the plan.

    Strength: that factor.
    """
    total = int(s.step[-1])
    at, times = s.within(0.2, 0.7, 5), s.rng.uniform(0.1, 0.6)
    rate = (1 + np.cos(np.pi * s.step / total)) / 2
    rate[at:] *= times
    s.logs_rate, s.shape.rate, s.peak = True, rate, 1e-3
    plan = {"kind": "cosine", "base": s.peak, "total_steps": total}
    s.config["schedules"] = {"lr": plan}
    return marked(s.step, (at, len(s) - 1), strength=times)
