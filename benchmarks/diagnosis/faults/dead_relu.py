"""Units that are always zero."""

from __future__ import annotations

from benchmarks.diagnosis.faults import Mark, fault
from benchmarks.diagnosis.faults._climbing import climbs
from benchmarks.diagnosis.sketch import Sketch, Wish


@fault("dead-relu", brings=("stagnation", "gradient-vanishing"), wish=Wish(longest=5000))
def dead_relu(s: Sketch) -> Mark:
    """The share of zero activations climbs to 90 to 100 % in all but one of the layers.

    Strength: that share.
    """
    return climbs(s, "zero_fraction", start=0.45, spared=0.5, least=0.9)
