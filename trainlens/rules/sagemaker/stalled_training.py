"""``stalled-training``: StalledTrainingRule of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED
from trainlens.run import Run, Series


@rule(
    "stalled-training",
    profile="sagemaker",
    severity="warning",
    about="log",
    source=f"{DOCUMENTED}: StalledTrainingRule",
)
def stalled_training(run: Run, *, threshold: float = 1800.0) -> Iterator[Finding]:
    """StalledTrainingRule: nothing was written for 30 minutes.

    Reads the times of all records but those of the machine. Fires where two that follow each
    other are more than `threshold` seconds apart. An evaluation that takes an hour, a run that
    waits in a queue between two attempts, and an epoch that is logged once an hour fire, too;
    `stalled-log` of the default profile asks for the usual interval of the log.

    Seconds, whatever the run: the interval of logging decides whether the rule means anything.

    Settings
    --------
    threshold : s
        Between two records: above it is a fault.
    """
    held = [s for s in run.training_series if s.wall_time.strides != (0,)]
    known = [(s, np.flatnonzero(np.isfinite(s.wall_time))) for s in held]
    known = [(s, at) for s, at in known if len(at)]
    if not known:
        yield skip("no times in this log")
        return
    yield _judge(known, threshold)


def _judge(known: Sequence[tuple[Series, NDArray[np.intp]]], threshold: float) -> Finding:
    time = np.concatenate([s.wall_time[at] for s, at in known])
    step = np.concatenate([s.step[at] for s, at in known])
    order = np.argsort(time, kind="stable")
    time, step = time[order], step[order]
    with np.errstate(over="ignore"):
        gap = np.minimum(np.diff(time), 1e308)
    if not len(gap):
        return inconclusive("cannot tell: a single record", known[0][0])
    long = np.flatnonzero(gap > threshold)
    worst = int(np.argmax(gap))
    evidence = {
        "gaps": len(long),
        "longest_seconds": float(gap[worst]),
        "threshold": threshold,
        "records": len(time),
    }
    said = f"{words.duration(float(gap[worst]))} between two records"
    if not len(long):
        return passed(f"At most {said}.", known[0][0], evidence=evidence)
    first, last = sorted((int(step[long[0]]), int(step[long[-1] + 1])))
    more = f"; {words.plural(len(long), 'gap')} above {words.duration(threshold)}"
    return fail(
        f"Nothing was written for {words.duration(float(gap[long[0]]))} after step "
        f"{words.step(int(step[long[0]]))}{more if len(long) > 1 else ''}.",
        known[0][0],
        first_step=first,
        last_step=last,
        evidence=evidence,
    )
