"""A fixed limit on single points, shared by the checks of the seed profile."""

from __future__ import annotations

import math

import numpy as np

from trainlens import words
from trainlens.detect.machine import own_axis
from trainlens.rules.base import Finding, fail, inconclusive, passed
from trainlens.run import Series


def judge(series: Series, *, low: float = -math.inf, high: float = math.inf) -> Finding:
    """Whether any single point of a series lies below `low` or above `high`."""
    curve = series.finite
    if not len(curve):
        return inconclusive(f"cannot tell: no finite value of {series.metric}", series)
    excess = np.maximum(low - curve.value, curve.value - high)
    beyond = np.flatnonzero(excess > 0)
    worst = int(np.argmax(excess))
    value = words.with_unit(float(curve.value[worst]), series.unit)
    own = own_axis(series)
    said = f"{series.metric} reaches {value} at {'reading' if own else 'step'} "
    said += words.step(int(curve.step[worst]))
    evidence = {
        **{name: x for name, x in (("low", low), ("high", high)) if math.isfinite(x)},
        "worst": float(curve.value[worst]),
        "points_beyond": len(beyond),
        "points": len(curve),
    }
    limit = _limit(low, high)
    if not len(beyond):
        return passed(f"{said}, no point is {limit}.", series, evidence=evidence)
    return fail(
        f"{said}; {words.plural(len(beyond), 'point')} of {words.step(len(curve))} "
        f"{'is' if len(beyond) == 1 else 'are'} {limit}.",
        series,
        first_step=None if own else int(curve.step[beyond[0]]),
        last_step=None if own else int(curve.step[beyond[-1]]),
        evidence=evidence,
        confidence=0.7,
    )


def _limit(low: float, high: float) -> str:
    if math.isinf(high):
        return f"below {words.number(low)}"
    if math.isinf(low):
        return f"above {words.number(high)}"
    return f"outside {words.number(low)} to {words.number(high)}"
