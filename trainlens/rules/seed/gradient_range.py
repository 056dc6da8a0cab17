"""``gradient-range`` of the seed profile: where gradient norms usually lie."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens.detect.layers import gradient_norm
from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.seed._limits import judge
from trainlens.run import Run


@rule(
    "gradient-range",
    profile="seed",
    severity="info",
    about="optimizer",
    source="quad-modal seed (a gradient norm of 1 to 10 is normal)",
)
def gradient_range(run: Run, *, low: float = 1.0, high: float = 10.0) -> Iterator[Finding]:
    """The gradient norm is outside of 1 to 10 at a point.

    A note, no alarm: the seed calls norms of 1 to 10 a sign of success. The range carries the
    unit of the norm, which grows with the number of parameters and with the scale of the loss:
    most healthy models lie outside of it.

    Settings
    --------
    low : unit of the norm
        Below it a norm is outside.
    high : unit of the norm
        Above it a norm is outside.
    """
    series = gradient_norm(run)
    if series is None:
        yield skip("no gradient norm in this log")
        return
    yield judge(series, low=low, high=high)
