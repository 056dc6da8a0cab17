"""Training gets slower, by its throughput."""

from __future__ import annotations

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sides import steady
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("throughput-drop", brings=("slow-batch",), wish=Wish(longest=50_000))
def throughput_drop(s: Sketch) -> Mark:
    """The throughput falls to 20 to 60 % for the rest of the run.

    Strength: the factor.
    """
    value = steady(s, 10.0 ** s.rng.uniform(1, 6), s.rng.uniform(0.01, 0.1))
    at, times = s.within(0.25, 0.75), s.rng.uniform(1 / 0.6, 5)
    value[at:] /= times
    name = str(s.rng.choice(("tokens_per_second", "samples_per_second", "throughput")))
    s.sides[name] = s.everywhere(), value
    if s.rng.random() < 0.3:
        slower = steady(s, 0.3, 0.05)
        slower[at:] *= times
        s.sides["batch_time"] = s.everywhere(), slower
    return marked(s.step, (at, len(s) - 1), strength=times)
