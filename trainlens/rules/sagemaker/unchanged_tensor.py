"""``unchanged-tensor``: UnchangedTensor of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.rules.base import Finding, inconclusive, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED, Looked, finite, told
from trainlens.run import Run


@rule(
    "unchanged-tensor",
    profile="sagemaker",
    severity="warning",
    about="model",
    source=f"{DOCUMENTED}: UnchangedTensor (numpy.allclose)",
)
def unchanged_tensor(
    run: Run, *, num_steps: int = 3, rtol: float = 1e-5, atol: float = 1e-8
) -> Iterator[Finding]:
    """UnchangedTensor: a loss, a gradient or a weight is the same at 3 steps in a row.

    Reads losses, gradient norms, weight norms and standard deviations of weights. Fires where a
    value and the `num_steps` - 1 logged ones before it are close as numpy.allclose has it: no
    farther apart than `atol` + `rtol` times the earlier one. A norm may stay while the weights
    move (SageMaker Debugger compares every element), and three losses printed with three digits
    are easily the same.

    `rtol` has no unit, `atol` has that of the value: below 1e-8 nothing ever changes.
    `unchanged-parameters` of the default profile looks at weights to the last bit.

    Settings
    --------
    num_steps : points
        In a row that must be the same.
    rtol : share of the value
        That is no change.
    atol : unit of the value
        That is no change.
    """
    found = finite(run, "loss", "gradient-norm", "weight-norm", "weight-std")
    if not found:
        yield skip("no loss, and no norm of gradients or weights in this log")
        return
    known = [s for s in found if len(s) >= num_steps]
    if not known:
        yield inconclusive(
            f"cannot tell: {words.plural(max(map(len, found)), 'point')}; "
            f"{words.step(num_steps)} are needed",
            found[0],
        )
        return
    looked = [Looked(s, unchanged(s.value, num_steps, rtol, atol)) for s in known]
    yield told(
        looked,
        lambda name, value: (
            f"{name} is {words.number(value)}, as at the "
            f"{words.plural(num_steps - 1, 'point')} before,"
        ),
        f"Each of {words.plural(len(looked), 'series', 'series')} changes within every "
        f"{words.plural(num_steps, 'point')}.",
        {"num_steps": num_steps, "rtol": rtol, "atol": atol},
    )


def unchanged(
    value: NDArray[np.float64], num_steps: int, rtol: float, atol: float
) -> NDArray[np.bool_]:
    """Whether each value is close to each of the `num_steps` - 1 before it.

    Examples
    --------
    >>> unchanged(np.array([2.0, 1.0, 1.0, 1.000001]), 3, 1e-5, 1e-8)
    array([False, False, False,  True])
    """
    same = np.ones(len(value), bool)
    same[: num_steps - 1] = False
    with np.errstate(over="ignore"):
        for back in range(1, num_steps):
            late, early = value[back:], value[:-back]
            same[back:] &= np.abs(late - early) <= atol + rtol * np.abs(early)
            if not same.any():
                break
    return same
