"""``slow-batch`` of the seed profile: a fixed limit."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.seed._limits import judge
from trainlens.run import Run

_IN = {"ms": 1e3}


@rule(
    "slow-batch",
    profile="seed",
    severity="warning",
    about="speed",
    source="Diffold seed (batch time over 300 s)",
)
def slow_batch(run: Run, *, threshold: float = 300.0) -> Iterator[Finding]:
    """A batch took longer than 300 seconds.

    A fixed limit in seconds; batch times whose name or log says ms are taken as such, those
    without a unit as seconds. A model whose batches usually take longer is always slow. The
    default profile judges the run by its own level and by stretches.

    Settings
    --------
    threshold : s
        Above it a batch is slow.
    """
    found = run.with_role("batch-time")
    if not found:
        yield skip("no batch time in this log")
    for series in found:
        yield judge(series, high=threshold * _IN.get(series.unit, 1.0))
