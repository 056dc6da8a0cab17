"""``slow-batch`` of the seed profile: a fixed limit."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.seed._limits import judge
from trainlens.run import Run


@rule(
    "slow-batch", profile="seed", severity="warning", source="Diffold seed (batch time over 300 s)"
)
def slow_batch(run: Run, *, threshold: float = 300.0) -> Iterator[Finding]:
    """A batch took longer than 300 seconds.

    A fixed limit in seconds: it means nothing for logs in milliseconds, and a model whose
    batches usually take longer is always slow. The default profile judges the run by its own
    level and by stretches.
    """
    found = run.with_role("batch-time")
    if not found:
        yield skip("no batch time in this log")
    for series in found:
        yield judge(series, high=threshold)
