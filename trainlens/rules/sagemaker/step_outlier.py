"""``step-outlier``: StepOutlier of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED
from trainlens.run import Run, Series


@rule(
    "step-outlier",
    profile="sagemaker",
    severity="warning",
    about="speed",
    source=f"{DOCUMENTED} of the profiler: StepOutlier",
)
def step_outlier(run: Run, *, stddev: float = 5.0, n_outliers: int = 10) -> Iterator[Finding]:
    """StepOutlier: more than 10 steps last 5 standard deviations longer or shorter than the mean.

    Reads the time of a step (batch_time, step_time) over the whole log. A step counts that is
    farther than `stddev` standard deviations from the mean; the rule fires where there are more
    than `n_outliers` of them. Outliers widen the standard deviation themselves: of n steps at
    most n / `stddev`² can lie beyond it, so a run of fewer than some 275 steps never fires.

    Standard deviations: no unit matters. `slow-batch` of the default profile compares with the
    neighbours.

    Settings
    --------
    stddev : standard deviations
        Farther from the mean a step is an outlier.
    n_outliers : steps
        More outliers than that are a fault.
    """
    found = [s.finite for s in run.with_role("batch-time") if len(s.finite)]
    if not found:
        yield skip("no batch time in this log")
    for series in found:
        yield _judge(series, stddev, n_outliers)


def _judge(series: Series, stddev: float, ignored: int) -> Finding:
    if len(series) < 2:
        return inconclusive("cannot tell: a single step", series)
    unit = float(np.abs(series.value).max()) or 1.0  # the squares of large values fit no float
    value = series.value / unit
    mean, spread = float(value.mean()), float(value.std())
    far = np.abs(value - mean) > stddev * spread
    if spread <= 1e-12 * abs(mean):  # rounding of the mean
        far[:] = False
    count = int(far.sum())
    limits = {"mean": mean * unit, "std": spread * unit, "stddev": stddev, "n_outliers": ignored}
    if count <= ignored:
        verb = "is" if count == 1 else "are"
        return passed(
            f"{words.plural(count, 'step')} of {words.step(len(series))} {verb} more than "
            f"{words.number(stddev)} standard deviations from the mean; {words.step(ignored)} are "
            "allowed.",
            series,
            evidence={**limits, "points": len(series), "points_beyond": count},
        )
    at = np.flatnonzero(far)
    worst = int(at[np.argmax(np.abs(value[at] - mean))])
    return fail(
        f"{words.step(count)} of {words.step(len(series))} steps are more than "
        f"{words.number(stddev)} standard deviations from the mean of "
        f"{words.with_unit(mean * unit, series.unit)}; the one of step "
        f"{words.step(int(series.step[worst]))} took "
        f"{words.with_unit(float(series.value[worst]), series.unit)}.",
        series,
        first_step=int(series.step[at[0]]),
        last_step=int(series.step[at[-1]]),
        evidence={**limits, "points": len(series), "points_beyond": count},
    )
