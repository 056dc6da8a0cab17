"""``low-coverage`` of the seed profile: a fixed limit."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.seed._limits import judge
from trainlens.run import Run


@rule(
    "low-coverage",
    profile="seed",
    severity="warning",
    about="data",
    source="BiFusion seed (valid_ratio_low = 0.3)",
)
def low_coverage(run: Run, *, threshold: float = 0.3) -> Iterator[Finding]:
    """The share of valid inputs fell below 0.3 at a point.

    A fixed limit on a share of 0 to 1; every single point counts, so that one poor batch is
    enough. The default profile judges the run by its own level and by stretches.

    Settings
    --------
    threshold : share of the inputs
        Below it a point is a fault.
    """
    found = run.with_role("coverage")
    if not found:
        yield skip("no coverage (valid_ratio) in this log")
    for series in found:
        yield judge(series, low=threshold)
