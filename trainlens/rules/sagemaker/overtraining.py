"""``overtraining``: Overtraining of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED
from trainlens.run import Run, Series


@rule(
    "overtraining",
    profile="sagemaker",
    severity="warning",
    about="validation",
    source=f"{DOCUMENTED}: Overtraining",
)
def overtraining(
    run: Run, *, patience_train: int = 5, patience_validation: int = 10, delta: float = 0.01
) -> Iterator[Finding]:
    """Overtraining: training goes on although the loss has stopped to improve by 0.01.

    Reads the main training loss and the main validation loss. A value is a new optimum where it
    lies more than `delta` below the last one. Fires where `patience_train` logged training
    losses, or `patience_validation` evaluations, bring no new optimum. A step of the rule is a
    logged point: SageMaker Debugger saves losses every 500 steps, so on a log of every step it
    is far more impatient than there.

    `delta` carries the unit of the loss: below a loss of 0.01 nothing is ever an improvement,
    above 100 any noise is. The default profile has `stagnation` and `overfitting`.

    Settings
    --------
    patience_train : points
        Of the training loss without a new optimum.
    patience_validation : evaluations
        Without a new optimum.
    delta : unit of the loss
        By which a value must be lower to be a new optimum.
    """
    asked = [
        (s.finite, patience)
        for s, patience in (
            (run.main("loss", "train"), patience_train),
            (run.main("loss", "val"), patience_validation),
        )
        if s is not None and len(s.finite)
    ]
    if not asked:
        yield skip("no training or validation loss in this log")
    for curve, patience in asked:
        yield _judge(curve, patience, delta)


def waited(value: list[float], patience: int, delta: float) -> tuple[int, int]:
    """Index of the last optimum, and of the point at which patience ends; -1 where it does not.

    Examples
    --------
    >>> waited([1.0, 0.5, 0.495, 0.495, 0.495], 3, 0.01), waited([3.0, 2.0, 1.0], 2, 0.01)
    ((1, 4), (2, -1))
    """
    best, bar = 0, value[0] - delta
    for i, v in enumerate(value):
        if v < bar:
            best, bar = i, v - delta
        elif i - best >= patience:
            return best, i
    return best, -1


def _judge(curve: Series, patience: int, delta: float) -> Finding:
    best, end = waited(curve.value.tolist(), patience, delta)
    evidence = {
        "best": float(curve.value[best]),
        "best_step": int(curve.step[best]),
        "patience": patience,
        "delta": delta,
        "points": len(curve),
    }
    if end < 0:
        if len(curve) <= patience:
            return inconclusive(
                f"cannot tell: {words.plural(len(curve), 'point')} of the {curve.split} loss; "
                f"more than {words.step(patience)} are needed",
                curve,
                evidence=evidence,
            )
        return passed(
            f"The {curve.split} loss improved by more than {words.number(delta)} within every "
            f"{words.plural(patience, 'point')}.",
            curve,
            evidence=evidence,
        )
    return fail(
        f"The {curve.split} {curve.metric} of {words.number(evidence['best'])} at step "
        f"{words.step(int(curve.step[best]))} was not improved by more than {words.number(delta)} "
        f"in the next {words.plural(patience, 'point')}, up to step "
        f"{words.step(int(curve.step[end]))}.",
        curve,
        first_step=int(curve.step[best]),
        last_step=int(curve.step[end]),
        evidence=evidence,
        confidence=0.5,
    )
