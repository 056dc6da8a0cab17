"""``premature-lr-decay`` of the seed profile: falls of the rate within 50 epochs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "premature-lr-decay",
    profile="seed",
    severity="warning",
    about="optimizer",
    source="DECODE seed (a plateau schedule of patience 10 and factor 0.5 decayed too early; "
    "patience 50, factor 0.7, and a fall of 0.8 after 30 epochs, in its place)",
)
def premature_lr_decay(run: Run, *, patience: int = 50, factor: float = 0.8) -> Iterator[Finding]:
    """The learning rate was cut after fewer than 50 epochs at a level.

    Reads the learning rate and the epoch of each of its points. A cut is a fall to `factor` of
    the value or less between two points, from a level that was constant before; a rate that
    glides down, as cosine does, is never cut. A fault where the level had lasted fewer than
    `patience` epochs since the rate last rose or was cut.

    A ratio of rates has no unit, but `patience` counts epochs, whatever the size of one: step
    schedules that are cut at epochs 30 and 60 are faults here. The default profile asks whether
    the loss was still falling.

    Settings
    --------
    patience : epochs
        That a level must last.
    factor : times
        A fall to it or below is a cut.
    """
    series = run.main("learning-rate")
    if series is None:
        yield skip("no learning rate in this log")
        return
    curve = series.finite
    curve = curve.take(np.flatnonzero(np.isfinite(curve.epoch)))
    if not len(curve) and len(series.finite):
        yield skip("no epochs in this log: how long a rate lasted is not known", series)
        return
    if len(curve) < 3:
        yield inconclusive(
            f"cannot tell: {words.plural(len(curve), 'point')} of {series.metric} with an epoch",
            series,
        )
        return
    yield _judge(series, curve, patience, factor)


def _judge(series: Series, curve: Series, patience: int, factor: float) -> Finding:
    rate, place = curve.value, np.arange(1, len(curve))
    cut = (rate[1:] <= factor * (1 + 1e-9) * rate[:-1]) & (rate[:-1] > 0)
    moved = rate[1:] != rate[:-1]
    cut[1:] &= ~moved[:-1]
    cut[0] = False  # of one point nobody knows that it was a level
    change = np.where(moved, place, 0)
    since = np.concatenate([[0], np.maximum.accumulate(change)[:-1]])
    lasted = curve.epoch[1:] - curve.epoch[since]
    cuts = np.flatnonzero(cut)
    early = cuts[lasted[cuts] < patience]
    evidence = {"cuts": len(cuts), "early_cuts": len(early), "patience": patience,
                "factor": factor}  # fmt: skip
    if not len(early):
        said = "The learning rate was never cut."
        if len(cuts):
            said = f"None of {words.plural(len(cuts), 'cut')} of the learning rate came within "
            said += f"{words.step(patience)} epochs."
        return passed(said, series, evidence=evidence)
    i = int(early[0])
    evidence["lasted"] = float(lasted[i])
    more = f"; so {words.step(len(early))} times" if len(early) > 1 else ""
    return fail(
        f"The learning rate was cut from {words.number(float(rate[i]))} to "
        f"{words.number(float(rate[i + 1]))} at step {words.step(int(curve.step[i + 1]))}, after "
        f"{words.number(float(lasted[i]), 3)} epochs at that level; fewer than "
        f"{words.step(patience)}{more}.",
        series,
        first_step=int(curve.step[i + 1]),
        last_step=int(curve.step[early[-1] + 1]),
        evidence=evidence,
        confidence=0.6,
    )
