"""``dead-relu`` of the sagemaker profile: DeadRelu of SageMaker Debugger."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trainlens import words
from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED, Looked, finite, shares, told
from trainlens.run import Run

_OF_ACTIVATIONS = re.compile("fraction_of_zero_values", re.IGNORECASE)


@rule(
    "dead-relu",
    profile="sagemaker",
    severity="warning",
    about="model",
    source=f"{DOCUMENTED}: DeadRelu",
)
def dead_relu(
    run: Run, *, threshold_inactivity: float = 1.0, threshold_layer: float = 50.0
) -> Iterator[Finding]:
    """DeadRelu: more than half of the units of a layer are dead.

    SageMaker Debugger calls a ReLU dead that is active for less than 1 % of the inputs, and fires
    where more than `threshold_layer` per cent of those of a layer are. Logs hold the share of
    dead units (zero_fraction/LAYER, dead_relu_fraction; which units those are, the log itself has
    decided), as 0 to 1 or in percent; that is held against `threshold_layer` at every point. Of
    the share of zeros among all activations (fraction_of_zero_values) the activity of the layer
    as a whole is known: below `threshold_inactivity` per cent it counts as dead.

    Shares: no unit matters.

    Settings
    --------
    threshold_inactivity : % active
        Below it a layer counts as dead.
    threshold_layer : % of the units
        Above it a layer is a fault.
    """
    looked = []
    for series in finite(run, "zero-fraction"):
        percent = shares(series)
        if percent is not None:
            whole = _OF_ACTIVATIONS.search(series.metric)
            limit = 100.0 - threshold_inactivity if whole else threshold_layer
            looked.append(Looked(series, percent > limit, percent))
    if not looked:
        yield skip("shares of units that are always zero are not in this log")
        return
    yield told(
        looked,
        lambda name, value: f"{name} is {words.number(value)} %",
        f"In no layer are more than {words.number(threshold_layer)} % of the units dead.",
        {"threshold_layer": threshold_layer, "threshold_inactivity": threshold_inactivity},
    )
