"""``all-zero``: AllZero of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens import words
from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED, Looked, finite, norms, shares, told
from trainlens.run import Run


@rule(
    "all-zero",
    profile="sagemaker",
    severity="warning",
    about="model",
    source=f"{DOCUMENTED}: AllZero",
)
def all_zero(run: Run, *, threshold: float = 100.0) -> Iterator[Finding]:
    """AllZero: all values of a tensor are zero.

    Logs tell it of gradients and weights by a norm of exactly 0 (grad_norm, grad_norm/LAYER,
    weight_norm/LAYER), and of activations by the share of zeros (fraction_of_zero_values,
    zero_fraction/LAYER). Fires at a single point: a norm of 0, or a share of at least `threshold`
    per cent. A frozen layer has a gradient of 0, and biases start at 0: both fire.

    Zero is zero in every unit.

    Settings
    --------
    threshold : %
        Of zeros, from which on a point is a fault.
    """
    looked = [Looked(s, s.value == 0) for s in norms(run, "gradient-norm", "weight-norm")]
    for series in finite(run, "zero-fraction"):
        percent = shares(series)
        if percent is not None:
            # 0.99 * 100 and its like are not exact.
            looked.append(Looked(series, percent >= threshold * (1 - 1e-12), percent))
    if not looked:
        yield skip("neither norms of gradients or weights nor shares of zeros in this log")
        return
    yield told(
        looked,
        lambda name, value: f"{name} is {words.number(value)}{' %' if value else ''}",
        f"None of {words.plural(len(looked), 'tensor')} is all zero at any point.",
        {"threshold": threshold},
    )
