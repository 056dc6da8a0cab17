"""``never-learned`` of the seed profile: the same three digits for 20 epochs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "never-learned",
    profile="seed",
    severity="error",
    source="quad-modal seed (loss of 3.43 at epochs 1, 5, 10 and 20; a fall is expected by then)",
)
def never_learned(run: Run, *, epochs: int = 20, digits: int = 3) -> Iterator[Finding]:
    """The loss is the same to three digits from the first epoch on, for 20 epochs.

    Reads the training loss, its mean over each epoch; where the log has no epochs, every point
    counts as one and the whole log is looked at. A fault where the values of the first `epochs`
    epochs all lie within one unit of the last of `digits` digits: 3.43 to 3.44, 0.0512 to 0.0513.

    Relative, so the unit of the loss does not matter; but an offset does (a loss that falls from
    1000.9 to 1000.1 has not changed), and a run that needs 30 epochs is called dead after 20. The
    default profile measures against the noise.

    Settings
    --------
    epochs : epochs
        At the beginning that are looked at.
    digits : digits
        To which the loss must stay the same.
    """
    series = run.main("loss", "train") or run.main("loss")
    if series is None:
        yield skip("no loss in this log")
        return
    step, value, told = _by_epoch(series.finite, epochs)
    if len(value) < epochs:
        yield inconclusive(
            f"cannot tell: {words.plural(len(value), told)} so far; {words.step(epochs)} are "
            "needed",
            series,
            evidence={"epochs": len(value), "epochs_needed": epochs},
        )
        return
    yield _judge(series, step, value, told, digits)


def _by_epoch(curve: Series, epochs: int) -> tuple[NDArray[np.int64], NDArray[np.float64], str]:
    """Last step and mean of each of the first epochs, or all points where epochs are unknown."""
    known = np.isfinite(curve.epoch)
    if not known.any():
        return curve.step, curve.value, "point"
    curve = curve.take(np.flatnonzero(known))
    edge = np.flatnonzero(np.diff(np.floor(curve.epoch)) != 0) + 1
    start = np.concatenate([[0], edge])[:epochs]
    behind = np.append(edge, len(curve))[:epochs]
    # A quarter, so that no sum of large values overflows.
    sums = np.add.reduceat(curve.value[: behind[-1]] / (4.0 * behind[-1]), start)
    with np.errstate(over="ignore"):
        mean = np.clip(sums / (behind - start) * (4.0 * behind[-1]), -1e308, 1e308)
    return curve.step[behind - 1], mean, "epoch"


def _judge(
    series: Series, step: NDArray[np.int64], value: NDArray[np.float64], told: str, digits: int
) -> Finding:
    low, high = float(value.min()), float(value.max())
    size = max(abs(low), abs(high))
    unit = 10.0 ** max(math.floor(math.log10(size)) - digits + 1, -323) if size else 0.0
    with np.errstate(over="ignore"):
        spread = float(np.minimum(np.float64(high) - np.float64(low), 1e308))
    evidence = {"lowest": low, "highest": high, "unit": unit, "epochs": len(value)}
    said = f"{words.plural(len(value), told)} from {words.number(low)} to {words.number(high)}"
    if size == 0.0:
        return inconclusive("the loss is 0: nothing is minimised here", series, evidence=evidence)
    if spread >= unit:
        return passed(f"The loss changes: {said}.", series, evidence=evidence)
    return fail(
        f"The loss is {words.number(float(value[0]), digits)} from the first {told} on and the "
        f"same to {words.step(digits)} digits for {words.plural(len(value), told)}.",
        series,
        first_step=int(series.finite.step[0]),
        last_step=int(step[-1]),
        evidence=evidence,
        confidence=0.7,
    )
