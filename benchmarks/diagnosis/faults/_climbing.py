"""A share of units that climbs in the layers of a model; the first of them is spared."""

from __future__ import annotations

import numpy as np

from benchmarks.diagnosis.faults import Mark, marked
from benchmarks.diagnosis.sides import LAYERS
from benchmarks.diagnosis.sketch import Sketch


def climbs(s: Sketch, name: str, *, start: float, spared: float, least: float) -> Mark:
    """Let a share climb from `start` to at least `least` by a tenth to 40 % of the run.

    Parameters
    ----------
    s : Sketch
    name : str
        Of the series, one for each layer.
    start, spared, least : float in [0, 1]
        The share at the start, at the end in the layer that is spared, at least in the others.
    """
    end, by = s.rng.uniform(least, 1.0), s.rng.uniform(0.1, 0.4)
    for place in range(LAYERS):
        top = end if place else spared
        value = start + (top - start) * np.clip(s.place / by, 0, 1)
        noisy = np.clip(value + s.rng.normal(0, 0.01, len(s)), 0, 1)
        s.sides[f"{name}/layer{place}"] = s.everywhere(), noisy
    return marked(s.step, (int(by * len(s)), len(s) - 1), strength=end)
