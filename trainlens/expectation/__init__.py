"""What a run is expected to show, for a person and for a machine.

An `Expectation` is a statement about a series: ``mean(val/mpjpe) < 80 mm``. Prescriptions come
with expectations of the next run, and people write theirs into a file; both are the same class,
read by `parse` and `load`, and held against a run by `measure`.
"""

from trainlens.expectation.files import load
from trainlens.expectation.grammar import Malformed, parse
from trainlens.expectation.measure import Measured, measure
from trainlens.expectation.statement import AXES, OPERATORS, STATS, Expectation

__all__ = [
    "AXES",
    "OPERATORS",
    "STATS",
    "Expectation",
    "Malformed",
    "Measured",
    "load",
    "measure",
    "parse",
]
