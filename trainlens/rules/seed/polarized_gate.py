"""``polarized-gate`` of the seed profile: a fixed range for every point."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "polarized-gate",
    profile="seed",
    severity="warning",
    source="BiFusion seed (alpha_extreme_low/high = 0.1/0.9)",
)
def polarized_gate(run: Run, *, low: float = 0.1, high: float = 0.9) -> Iterator[Finding]:
    """The mean of a fusion gate left the range of 0.1 to 0.9 at a point.

    Fixed limits on a weight of 0 to 1; every single point counts, also the first ones of a gate
    that opens from 0. The default profile judges stretches.
    """
    found = run.with_role("gate")
    if not found:
        yield skip("no gate (alpha) in this log")
    for series in found:
        yield _judge(series, low, high)


def _judge(series: Series, low: float, high: float) -> Finding:
    curve = series.finite
    if not len(curve):
        return inconclusive(f"cannot tell: no finite value of {series.metric}", series)
    beyond = np.flatnonzero((curve.value < low) | (curve.value > high))
    smallest, largest = float(curve.value.min()), float(curve.value.max())
    span = f"{series.metric} lies between {words.number(smallest)} and {words.number(largest)}"
    evidence = {
        "low": low,
        "high": high,
        "smallest": smallest,
        "largest": largest,
        "points_beyond": len(beyond),
        "points": len(curve),
    }
    if not len(beyond):
        return passed(f"{span}.", series, evidence=evidence)
    return fail(
        f"{span}; {words.plural(len(beyond), 'point')} of {words.step(len(curve))} "
        f"{'lies' if len(beyond) == 1 else 'lie'} outside {words.number(low)} to "
        f"{words.number(high)}.",
        series,
        first_step=int(curve.step[beyond[0]]),
        last_step=int(curve.step[beyond[-1]]),
        evidence=evidence,
        confidence=0.7,
    )
