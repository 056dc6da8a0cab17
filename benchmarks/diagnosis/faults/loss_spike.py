"""Sudden rises of the training loss that come back."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, fault, marked
from benchmarks.diagnosis.noise import HEAVY
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault(
    "loss-spike", brings=("outlier",), point=True,
    wish=Wish(least=100, longest=10**6, crossing=True),
)  # fmt: skip
def loss_spike(s: Sketch) -> Mark:
    """One to three rises of 3 to 15 points, some of which decay.

    Strength: height of the log loss in widths of the noise, at least 6 (10 for heavy tails).
    """
    spans: list[tuple[int, int]] = []
    least = (10 if s.families["noise"] in HEAVY else 6) * s.sigma
    high = s.rng.uniform(max(0.4, least), max(1.6, 1.4 * least))
    for _ in range(int(s.rng.integers(1, 4)) if len(s) > 400 else 1):
        length = int(s.rng.integers(3, 16))
        at = int(s.rng.integers(30, len(s) - length - 5))
        if any(abs(at - other) < 80 for other, _ in spans):
            continue
        fade = np.linspace(1, 0.5, length) if s.rng.random() < 0.4 else np.ones(length)
        s.wobble[at : at + length] += high * fade
        spans.append((at, at + length - 1))
    return marked(s.step, *spans, strength=high / max(s.sigma, 1e-12))
