"""``validation-jump`` of the seed profile: a fixed change from one evaluation to the next."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "validation-jump",
    profile="seed",
    severity="warning",
    about="validation",
    source="hand-pose seed (MPJPE from 82.61 to 105.23 mm at step 12000, +27.4 %, was called "
    "abnormal); the limit of 20 % is a round number below that",
)
def validation_jump(run: Run, *, share: float = 0.2) -> Iterator[Finding]:
    """An evaluation is more than 20 % worse than the one before.

    Reads the main validation loss and the measures of validation that have a direction. A share
    of the value before: its unit does not matter, but an offset does, and so does how noisy the
    measure is. The evaluations of that very seed scatter by 22 mm, so that a step of 22.6 mm was
    no news; the default profile measures a jump in the noise of the run.

    Settings
    --------
    share : share of the evaluation before
        By which the next one must be worse.
    """
    loss = run.main("loss", "val")
    measures = [s for s in run.with_role("metric", "val") if s.role.direction]
    found = [s for s in (loss, *measures) if s is not None]
    if not found:
        yield skip("no validation loss or metric with a direction in this log")
    for series in found:
        yield _judge(series, share)


def _judge(series: Series, share: float) -> Finding:
    curve = series.finite
    if len(curve) < 2:
        return inconclusive("cannot tell: fewer than 2 evaluations", series)
    worse = -1.0 if series.role.direction == "max" else 1.0
    before, after = curve.value[:-1], curve.value[1:]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        change = np.clip(worse * (after - before) / np.abs(before), -1e308, 1e308)
    change[before == 0] = 0.0
    top = int(np.argmax(change))
    jumps = np.flatnonzero(change > share)
    evidence = {
        "before": float(before[top]),
        "value": float(after[top]),
        "share": worse * float(change[top]),
        "threshold": share,
        "jumps": len(jumps),
        "evaluations": len(curve),
    }
    step = words.step(int(curve.step[top + 1]))
    said = (
        f"{series.metric} went from {words.number(float(before[top]))} to "
        f"{words.with_unit(float(after[top]), series.unit)} "
        f"({words.percent(worse * float(change[top]), signed=True)}) at step {step}"
    )
    if not len(jumps):
        return passed(
            f"No evaluation is more than {words.percent(share)} worse than the one before.",
            series,
            evidence=evidence,
        )
    more = f", the largest of {words.step(len(jumps))} such jumps" if len(jumps) > 1 else ""
    return fail(
        f"{said}{more}: more than {words.percent(share)} worse than the evaluation before.",
        series,
        first_step=int(curve.step[jumps[0] + 1]),
        last_step=int(curve.step[jumps[-1] + 1]),
        evidence=evidence,
        confidence=0.5,
    )
