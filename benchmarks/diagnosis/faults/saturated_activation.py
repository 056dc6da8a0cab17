"""Activations at their limits."""

from __future__ import annotations

from benchmarks.diagnosis.faults import Mark, fault
from benchmarks.diagnosis.faults._climbing import climbs
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("saturated-activation", brings=("stagnation", "gradient-vanishing"),
       wish=Wish(longest=5000))  # fmt: skip
def saturated_activation(s: Sketch) -> Mark:
    """The share of saturated activations climbs to 85 to 100 % in all but one of the layers.

    Strength: that share.
    """
    return climbs(s, "saturated_fraction", start=0.02, spared=0.05, least=0.85)
