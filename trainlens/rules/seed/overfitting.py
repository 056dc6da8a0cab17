"""``overfitting`` of the seed profile: a fixed gap in millimetres."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "overfitting",
    profile="seed",
    severity="warning",
    about="validation",
    source="hand-pose seed (gap of +57.5 mm at step 3000, 45 mm expected after treatment)",
)
def overfitting(run: Run, *, gap: float = 45.0) -> Iterator[Finding]:
    """Validation minus training exceeds 45 at an evaluation.

    The hand-pose system called a gap of 57.5 mm of MPJPE overfitting and expected 45 mm after
    treatment. The limit carries the unit of the measure: it means millimetres of joint error and
    nothing else. For a loss, or another unit, set `gap`.

    A wide gap alone does not show that validation gets worse: the default profile judges that,
    and names the gap separately (``gap-growth``).

    Settings
    --------
    gap : unit of the measure
        Above it an evaluation is overfitted.
    """
    measures = [*run.with_role("metric", "val"), *run.with_role("loss", "val")]
    judged = [(s, run.series[s.metric, "train"]) for s in measures
              if (s.metric, "train") in run.series and s.role.direction == "min"]  # fmt: skip
    if not judged:
        yield skip("no measure that is logged for both training and validation")
    for val, train in judged:
        yield _judge(val, train, gap)


def _judge(val: Series, train: Series, limit: float) -> Finding:
    v, t = val.finite, train.finite
    step, at, other = np.intersect1d(v.step, t.step, assume_unique=True, return_indices=True)
    if not len(step):
        return skip("training and validation share no step", val)
    with np.errstate(over="ignore"):
        gap = np.clip(v.value[at] - t.value[other], -1e308, 1e308)
    wide = np.flatnonzero(gap > limit)
    worst = int(np.argmax(gap))
    evidence = {"largest_gap": float(gap[worst]), "threshold": limit, "evaluations": len(step)}
    size = words.with_unit(float(gap[worst]), val.role.unit)
    said = (
        f"{val.metric}: validation minus training is {size} at step {words.step(int(step[worst]))}"
    )
    if not len(wide):
        return passed(f"{said}, the most in this log.", val, evidence=evidence)
    return fail(
        f"{said}, above {words.with_unit(limit, val.role.unit)}.",
        val,
        first_step=int(step[wide[0]]),
        last_step=int(step[wide[-1]]),
        evidence=evidence,
        confidence=0.5,
    )
