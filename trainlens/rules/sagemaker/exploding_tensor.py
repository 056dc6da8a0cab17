"""``exploding-tensor``: ExplodingTensor of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.sagemaker._steps import DOCUMENTED, Looked, told
from trainlens.run import Run

_LEFT_OUT = ("system", "epoch", "progress", "gpu-usage", "memory-limit")


@rule(
    "exploding-tensor",
    profile="sagemaker",
    severity="error",
    about="numbers",
    source=f"{DOCUMENTED}: ExplodingTensor",
)
def exploding_tensor(run: Run, *, only_nan: bool = False) -> Iterator[Finding]:
    """ExplodingTensor: a value is NaN or infinite.

    Reads every series but counters and readings of the machine, every logged point of it, also
    those of attempts that were started over. Infinities count unless `only_nan`. A single point
    is enough, and a metric that is NaN because it was not computed at that step fires as well:
    `non-finite` of the default profile tells these apart. No unit matters.

    Settings
    --------
    only_nan : true or false
        Whether infinities are left out.
    """
    held = [s for s in run.series.values() if len(s) and s.role.name not in _LEFT_OUT]
    if not held:
        yield skip("no loss, gradient norm or metric in this log")
        return
    looked = [Looked(s, np.isnan(s.value) if only_nan else ~np.isfinite(s.value)) for s in held]
    points = sum(len(s) for s in held)
    kind = "NaN" if only_nan else "NaN or infinite"
    yield told(
        looked,
        lambda name, value: f"{name} is {words.number(value)}",
        f"None of {words.plural(points, 'value')} in {words.plural(len(held), 'series', 'series')} "
        f"is {kind}.",
        {},
    )
