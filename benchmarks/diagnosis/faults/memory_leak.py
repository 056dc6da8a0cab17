"""Memory that only grows."""

from __future__ import annotations

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("memory-leak", accepts=("memory-pressure",), brings=("out-of-memory",),
       wish=Wish(least=100))  # fmt: skip
def memory_leak(s: Sketch) -> Mark:
    """Memory of the device grows steadily, by 50 to 200 % over the run.

    Strength: the growth.
    """
    grown = s.rng.uniform(0.5, 2.0)
    value = s.rng.uniform(4, 30) * (1 + grown * s.place)
    value = value * (1 + 0.005 * s.rng.standard_normal(len(s)))
    s.sides[str(s.rng.choice(("gpu_memory_gb", "memory_allocated")))] = s.everywhere(), value
    return marked(s.step, (0, len(s) - 1), strength=grown)
