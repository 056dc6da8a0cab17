"""``loss-not-decreasing``: LossNotDecreasing of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED, losses
from trainlens.run import Run, Series


@rule(
    "loss-not-decreasing",
    profile="sagemaker",
    severity="warning",
    source=f"{DOCUMENTED}: LossNotDecreasing",
)
def loss_not_decreasing(
    run: Run,
    *,
    num_steps: int = 10,
    diff_percent: float = 0.1,
    increase_threshold_percent: float = 5.0,
) -> Iterator[Finding]:
    """LossNotDecreasing: in 10 steps the loss did not fall by 0.1 %.

    Reads the main training loss and the main validation loss. Every `num_steps` steps (the first
    logged step at least so far behind the last check) the loss is compared with that of the
    latest step at least `num_steps` back. A check fires where it has not fallen by `diff_percent`;
    checks at which it has risen by more than `increase_threshold_percent` are counted apart,
    since the documentation does not say that smaller rises would be forgiven.

    A percentage of the loss: its unit does not matter, but an offset does, and any noise above
    0.1 % of the loss makes the rule fire on healthy runs. `stagnation` of the default profile
    asks for more than noise.

    Settings
    --------
    num_steps : steps
        Between two losses that are compared.
    diff_percent : %
        By which the loss must fall.
    increase_threshold_percent : %
        Rises above it are counted apart.
    """
    found = losses(run)
    if not found:
        yield skip("no loss in this log")
    for series in found:
        yield _judge(series, num_steps, diff_percent, increase_threshold_percent)


def checks(step: NDArray[np.int64], num_steps: int) -> tuple[list[int], list[int]]:
    """Indices of the points at which the rule looks, and of those that it compares them with.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
        Ascending.
    num_steps : int

    Examples
    --------
    >>> checks(np.arange(9, 40, 3), 10)  # steps 21 and 33, with 9 and 21
    ([4, 8], [0, 4])
    """
    if not len(step):
        return [], []
    far = np.uint64(min(num_steps, np.iinfo(np.int64).max))
    # Unsigned distances from the first step: those of int64 itself may not fit.
    away = step.astype(np.uint64) - step[:1].astype(np.uint64)
    reach = np.minimum(away, np.iinfo(np.uint64).max - far) + far
    following = np.searchsorted(away, reach).tolist()
    at, i = [], 0
    while i < (behind := following[i]) < len(step):
        at.append(behind)
        i = behind
    base = np.searchsorted(away, away[at] - far, "right") - 1
    return at, base.tolist()


def _judge(series: Series, num_steps: int, diff: float, rise: float) -> Finding:
    at, base = checks(series.step, num_steps)
    if not at:
        return inconclusive(
            f"cannot tell: the log covers fewer than {words.step(num_steps)} steps", series,
            evidence={"points": len(series)},
        )  # fmt: skip
    old, new = series.value[base], series.value[at]
    with np.errstate(over="ignore"):
        drop = old - new
        flat = ~((drop > 0) & (drop >= diff / 100 * np.abs(old)))
        rose = -drop > rise / 100 * np.abs(old)
    evidence = {
        "checks": len(at),
        "checks_not_fallen": int(flat.sum()),
        "checks_risen": int(rose.sum()),
        "num_steps": num_steps,
        "diff_percent": diff,
        "increase_threshold_percent": rise,
    }
    if not flat.any():
        return passed(
            f"The {series.split} loss fell by {words.number(diff)} % or more at each of "
            f"{words.plural(len(at), 'check')}.",
            series,
            evidence=evidence,
        )
    hit = np.flatnonzero(flat)
    first, before = at[hit[0]], base[hit[0]]
    risen = f"; at {words.step(int(rose.sum()))} of them it had risen by more than "
    risen += f"{words.number(rise)} %"
    return fail(
        f"{series.metric} was {words.number(float(series.value[before]))} at step "
        f"{words.step(int(series.step[before]))} and {words.number(float(series.value[first]))} "
        f"at step {words.step(int(series.step[first]))}: it had not fallen by "
        f"{words.number(diff)} %. So at {words.step(len(hit))} of {words.plural(len(at), 'check')}"
        f"{risen if rose.any() else ''}.",
        series,
        first_step=int(series.step[first]),
        last_step=int(series.step[at[hit[-1]]]),
        evidence=evidence,
        confidence=0.5,
    )
