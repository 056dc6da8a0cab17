"""``polarized-gate`` of the seed profile: a fixed range for every point."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.seed._limits import judge
from trainlens.run import Run


@rule(
    "polarized-gate",
    profile="seed",
    severity="warning",
    about="model",
    source="BiFusion seed (alpha_extreme_low/high = 0.1/0.9)",
)
def polarized_gate(run: Run, *, low: float = 0.1, high: float = 0.9) -> Iterator[Finding]:
    """The mean of a fusion gate left the range of 0.1 to 0.9 at a point.

    Fixed limits on a weight of 0 to 1; every single point counts, also the first ones of a gate
    that opens from 0. The default profile judges stretches.

    Settings
    --------
    low : weight, 0 to 1
        Below it a point is a fault.
    high : weight, 0 to 1
        Above it a point is a fault.
    """
    found = run.with_role("gate")
    if not found:
        yield skip("no gate (alpha) in this log")
    for series in found:
        yield judge(series, low=low, high=high)
