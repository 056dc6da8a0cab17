"""``overfit``: Overfit of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED
from trainlens.run import Run, Series
from trainlens.stats.stretches import stretches


@rule(
    "overfit",
    profile="sagemaker",
    severity="warning",
    about="validation",
    source=f"{DOCUMENTED}: Overfit",
)
def overfit(
    run: Run, *, start_step: int = 0, patience: int = 1, ratio_threshold: float = 0.1
) -> Iterator[Finding]:
    """Overfit: the validation loss exceeds the training loss by more than 10 %.

    Reads the main validation loss and the training loss of the same step, or the latest one
    before it. Fires where (validation - training) / training is above `ratio_threshold` at
    `patience` evaluations in a row, from `start_step` on. Evaluations at which the training loss
    is not above 0 have no ratio and are left out.

    A ratio: the unit does not matter, but both losses must be the same measure. Dropout, label
    smoothing or a running average of the training loss are enough for a gap of 10 % without any
    overfitting, and a gap that does not grow harms nobody: the default profile asks whether
    validation became worse.

    Settings
    --------
    start_step : steps
        From which on evaluations count.
    patience : evaluations
        In a row that must exceed the limit.
    ratio_threshold : gap over training loss
        The limit.
    """
    val, train = run.main("loss", "val"), run.main("loss", "train")
    if val is None or train is None or not len(train.finite):
        yield skip("no training loss beside a validation loss in this log")
        return
    yield _judge(val.finite, train.finite, start_step, patience, ratio_threshold)


def _judge(val: Series, train: Series, start: int, patience: int, threshold: float) -> Finding:
    before = np.searchsorted(train.step, val.step, "right") - 1
    at = np.flatnonzero((before >= 0) & (val.step >= start))
    base = train.value[before[at]]
    at, base = at[base > 0], base[base > 0]
    if len(at) < patience:
        return inconclusive(
            f"cannot tell: {words.plural(len(at), 'evaluation')} with a training loss above 0; "
            f"{words.step(patience)} are needed",
            val,
            evidence={"evaluations": len(at), "patience": patience},
        )
    with np.errstate(over="ignore"):
        ratio = np.clip((val.value[at] - base) / base, -1e308, 1e308)
    beyond = ratio > threshold
    evidence = {
        "largest_ratio": float(ratio.max()),
        "ratio_threshold": threshold,
        "patience": patience,
        "evaluations": len(at),
        "evaluations_beyond": int(beyond.sum()),
    }
    long = [(a, b) for a, b in stretches(beyond) if b - a >= patience]
    if not long:
        top = float(ratio.max())
        most = f"at most {words.percent(top)} above" if top > 0 else "never above"
        return passed(
            f"The validation loss is {most} the training loss in "
            f"{words.plural(len(at), 'evaluation')}.",
            val,
            evidence=evidence,
        )
    first = long[0][0] + patience - 1
    step = int(val.step[at[first]])
    return fail(
        f"{val.metric} is {words.number(float(val.value[at[first]]))} at step {words.step(step)}, "
        f"{words.percent(float(ratio[first]))} above the training loss of "
        f"{words.number(float(base[first]))}; so at {words.step(int(beyond.sum()))} of "
        f"{words.plural(len(at), 'evaluation')}.",
        val,
        first_step=step,
        last_step=int(val.step[at[long[-1][1] - 1]]),
        evidence=evidence,
        confidence=0.5,
    )
