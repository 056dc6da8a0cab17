"""A validation that says nothing."""

from __future__ import annotations

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("validation-noise", brings=("validation-jump",), least="info",
       wish=Wish(("power law", "exponential"), 100, evaluations=(20, 100), quiet=0.05))  # fmt: skip
def validation_noise(s: Sketch) -> Mark:
    """Evaluations scatter by 20 to 60 %, more than validation improves in half of the run.

    Strength: width of the noise over that of the training loss.
    """
    width = s.rng.uniform(0.2, 0.6)
    s.flutter = width * s.rng.standard_normal(len(s.evaluations))
    step = s.step[s.evaluations]
    return marked(step, (0, len(step) - 1), strength=width / max(s.sigma, 1e-12))
