"""``vanishing-gradient``: VanishingGradient of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens import words
from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED, Looked, norms, told
from trainlens.run import Run


@rule(
    "vanishing-gradient",
    profile="sagemaker",
    severity="warning",
    about="optimizer",
    source=f"{DOCUMENTED}: VanishingGradient",
)
def vanishing_gradient(run: Run, *, threshold: float = 1e-7) -> Iterator[Finding]:
    """VanishingGradient: a gradient is below 1e-7.

    SageMaker Debugger takes the mean of the absolute gradients of each tensor. Logs hold norms,
    of the model or of layers (grad_norm, grad_norm/LAYER), which are never below that mean: this
    rule fires where such a norm is below `threshold` at a logged point, which is later than
    there (a layer of n parameters has a mean of at most its norm over the root of n). A layer
    that is frozen has a norm of 0 and fires, too.

    `threshold` carries the unit of the gradient: multiply the loss by a constant, and the
    verdict may change. `gradient-vanishing` of the default profile compares with the run itself.

    Settings
    --------
    threshold : unit of the gradient
        Below it a norm is a fault.
    """
    found = norms(run, "gradient-norm")
    if not found:
        yield skip("no gradient norm in this log")
        return
    looked = [Looked(s, s.value < threshold) for s in found]
    yield told(
        looked,
        lambda name, value: f"{name} is {words.number(value)}, below {words.number(threshold)},",
        f"No gradient norm is below {words.number(threshold)}.",
        {"threshold": threshold},
    )
