"""``validation-noise`` of the seed profile: a fixed standard deviation in millimetres."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "validation-noise",
    profile="seed",
    severity="info",
    about="validation",
    source="hand-pose seed (standard deviation of MPJPE from 19.62 to 22.41 mm; below 18 mm aimed "
    "at)",
)
def validation_noise(run: Run, *, limit: float = 18.0) -> Iterator[Finding]:
    """The evaluations of a measure in millimetres have a standard deviation above 18 mm.

    Reads the measures of validation whose unit is mm (MPJPE); the standard deviation is that of
    all evaluations, as in the seed, and so it holds what the model learned in between as well as
    the noise. It means millimetres of joint error and nothing else; the default profile takes
    out the trend and needs no unit.

    Settings
    --------
    limit : mm
        Of the standard deviation.
    """
    found = [s for s in run.with_role("metric", "val") if s.unit == "mm"]
    if not found:
        yield skip("no measure of validation in mm in this log")
    for series in found:
        yield _judge(series, limit)


def _judge(series: Series, limit: float) -> Finding:
    value = series.finite.value
    if len(value) < 2:
        return inconclusive("cannot tell: fewer than 2 evaluations", series)
    unit = float(np.abs(value).max()) or 1.0
    spread = min(float(np.std(value / unit)) * unit, 1e308)
    evidence = {"std": spread, "threshold": limit, "evaluations": len(value)}
    said = f"The standard deviation of {words.plural(len(value), 'evaluation')} is "
    said += words.with_unit(spread, "mm")
    if spread <= limit:
        return passed(f"{said}.", series, evidence=evidence)
    step = series.finite.step
    return fail(
        f"{said}, above {words.with_unit(limit, 'mm')}.",
        series,
        first_step=int(step[0]),
        last_step=int(step[-1]),
        evidence=evidence,
        confidence=0.5,
    )
