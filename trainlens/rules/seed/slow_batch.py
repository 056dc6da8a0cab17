"""``slow-batch`` of the seed profile: a fixed limit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


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
        yield _judge(series, threshold)


def _judge(series: Series, threshold: float) -> Finding:
    curve = series.finite
    if not len(curve):
        return inconclusive(f"cannot tell: no finite value of {series.metric}", series)
    beyond = np.flatnonzero(curve.value > threshold)
    worst = int(np.argmax(curve.value))
    value = words.with_unit(float(curve.value[worst]), series.role.unit)
    evidence = {
        "threshold": threshold,
        "worst": float(curve.value[worst]),
        "points_beyond": len(beyond),
        "points": len(curve),
    }
    said = f"{series.metric} reaches {value} at step {words.step(int(curve.step[worst]))}"
    if not len(beyond):
        return passed(f"{said}, no point is above {words.number(threshold)}.", series,
                      evidence=evidence)  # fmt: skip
    return fail(
        f"{said}; {words.plural(len(beyond), 'point')} of {words.step(len(curve))} "
        f"{'is' if len(beyond) == 1 else 'are'} above {words.number(threshold)}.",
        series,
        first_step=int(curve.step[beyond[0]]),
        last_step=int(curve.step[beyond[-1]]),
        evidence=evidence,
        confidence=0.7,
    )
