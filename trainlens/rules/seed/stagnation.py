"""``stagnation`` of the seed profile: a fixed variance, and a fixed patience."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "stagnation",
    profile="seed",
    severity="warning",
    source="DECODE seed (variance < 0.001 over 20 without a fall; 30 epochs without improvement), "
    "Diffold seed (variance < 0.001)",
)
def stagnation(
    run: Run, *, window: int = 20, variance: float = 0.001, patience: int = 30
) -> Iterator[Finding]:
    """The variance of the loss is below 0.001, or 30 evaluations brought nothing better.

    Two fixed rules. The variance of the last `window` points of the training loss lies below
    `variance` while they do not fall; or the last `patience` evaluations (points of the validation
    loss, else epochs of the training loss) brought no new best.

    A variance carries the unit of the loss squared: below a loss of about 1 the first rule calls
    nearly every calm run stagnant, above 30 hardly any. The default profile has neither limit.

    Settings
    --------
    window : points
        At the end over which the variance is taken.
    variance : loss squared
        Below it the loss is flat.
    patience : evaluations, else epochs
        Without a new best.
    """
    train = run.main("loss", "train") or run.main("loss")
    if train is None:
        yield skip("no loss in this log")
        return
    curve = train.finite
    if len(curve) < window:
        yield inconclusive(
            f"cannot tell: {words.plural(len(curve), 'point')} so far; {window} are needed",
            train,
            evidence={"points": len(curve), "points_needed": window},
        )
        return
    yield _calm(curve, window, variance)
    yield from _patience(run, curve, patience)


def _calm(curve: Series, window: int, variance: float) -> Finding:
    last = curve.value[-window:]
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.var(last))
        away = np.arange(window) - (window - 1) / 2
        slope = float(away @ (last - last[0]) / (away @ away))
    spread = spread if np.isfinite(spread) else float(np.finfo(np.float64).max)
    evidence = {"variance": spread, "threshold": variance, "window": window}
    said = f"The variance of the last {window} points is {words.number(spread)}"
    if spread < variance and not slope < 0:
        return fail(
            f"{said}, below {words.number(variance)}, and they do not fall.",
            curve,
            first_step=int(curve.step[-window]),
            last_step=int(curve.step[-1]),
            evidence=evidence,
            confidence=0.5,
        )
    return passed(f"{said}{'; they fall' if slope < 0 else ''}.", curve, evidence=evidence)


def _patience(run: Run, train: Series, patience: int) -> Iterator[Finding]:
    val = run.main("loss", "val")
    curve = val.finite if val is not None else train
    if not len(curve):
        return
    if val is None:
        known = np.flatnonzero(np.isfinite(curve.epoch))
        if not len(known):
            return
        curve = curve.take(known)
    best = int(np.argmin(curve.value))
    since = len(curve) - 1 - best
    if val is None:
        since = int(curve.epoch[-1] - curve.epoch[best])
    if since >= patience:
        yield fail(
            f"No better {curve.split} {curve.metric} than {words.number(float(curve.value[best]))} "
            f"of step {words.step(int(curve.step[best]))} in {words.step(since)} "
            f"{'evaluations' if val is not None else 'epochs'}.",
            curve,
            first_step=int(curve.step[best]),
            last_step=int(curve.step[-1]),
            evidence={"since_best": since, "patience": patience},
            confidence=0.5,
        )
