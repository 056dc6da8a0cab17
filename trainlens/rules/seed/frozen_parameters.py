"""``frozen-parameters`` of the seed profile: no gradient at all at a point."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.layers import gradient_norm
from trainlens.rules.base import Finding, fail, passed, rule, skip
from trainlens.run import Run


@rule(
    "frozen-parameters",
    profile="seed",
    severity="error",
    about="model",
    source="quad-modal seed (params with grad: 0, or total grad norm: 0)",
)
def frozen_parameters(run: Run) -> Iterator[Finding]:
    """No parameter has a gradient, or the total gradient norm is 0, at a point.

    Reads the number of parameters that get a gradient (params_with_grad) and the gradient norm of
    the model. A single point is enough: a step of no gradient, as loss scaling skips it, or a norm
    that is logged after the gradients were cleared, is a fault here. Zero is zero in every unit;
    but a log that rounds to two digits shows it where there is none.
    """
    norm = gradient_norm(run)
    found = [*run.with_role("params-with-grad"), *([norm] if norm is not None else [])]
    found = [s for s in found if len(s.finite)]
    if not found:
        yield skip("neither gradient norms nor counts of parameters with a gradient in this log")
    for series in found:
        curve = series.finite
        at = np.flatnonzero(curve.value == 0)
        evidence = {"zeros": len(at), "points": len(curve)}
        if not len(at):
            yield passed(f"{series.metric} is never 0.", series, evidence=evidence)
            continue
        yield fail(
            f"{series.metric} is 0 at {words.step(len(at))} of {words.plural(len(curve), 'point')},"
            f" first at step {words.step(int(curve.step[at[0]]))}.",
            series,
            first_step=int(curve.step[at[0]]),
            last_step=int(curve.step[at[-1]]),
            evidence=evidence,
            confidence=0.7,
        )
