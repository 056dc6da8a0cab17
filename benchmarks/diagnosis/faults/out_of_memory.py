"""Memory that ran out."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("out-of-memory", brings=("memory-pressure", "slow-batch", "throughput-drop"),
       wish=Wish(least=100))  # fmt: skip
def out_of_memory(s: Sketch) -> Mark:
    """A counter of out-of-memory errors that rises two to six times.

    Strength: how often.
    """
    times = int(s.rng.integers(2, 7))
    at = np.sort(s.rng.choice(np.arange(10, len(s)), times, replace=False))
    count = np.zeros(len(s))
    count[at] = 1.0
    s.sides[str(s.rng.choice(("num_ooms", "oom_count")))] = s.everywhere(), np.cumsum(count)
    return marked(s.step, (int(at[0]), int(at[-1])), strength=times)
