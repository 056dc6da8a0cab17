"""One point at a time: what `SpikeSignal.update` works out, in plain numbers.

A live log brings its points one by one, and thirty operations on arrays of one number take ten
times as long as on the numbers. Every step is the one of the arrays, in the same order, so that
the results are the same to the last bit; logarithms are left to numpy, whose last bit is its own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from trainlens.detect.base import Floats


class Point(NamedTuple):
    """One point of a `Signal`."""

    position: int
    y: float
    fast: float
    base: float
    limit: float
    sigma: float
    z: float
    spike: bool
    outlier: bool


def larger(a: float, b: float) -> float:
    """The larger of two numbers, as `numpy.fmax`: NaN is passed over."""
    return b if a != a or b > a else a


def resolution(gap: float, base: float, log: bool) -> float:
    """The step between rounded values in the analysis scale, 0 where it is not known."""
    if not (math.isfinite(base) and math.isfinite(gap)):
        return 0.0
    if not log:
        return gap
    level = float(np.exp(base))
    found = float(np.log1p(gap / level)) if level else math.inf
    return found if math.isfinite(found) else 0.0


def standardised(error: float, sigma: float) -> float:
    """Errors in standard deviations; of no noise at all, infinite or 0."""
    if sigma > 0:
        return error / sigma
    return math.inf if error > 0 else 0.0


def whitened(off: float, before: float, rho: float) -> float:
    """What the neighbour before does not tell of a deviation."""
    if not rho > 0.3:
        return off
    return off - rho * (before if math.isfinite(before) else float(np.nan_to_num(before)))


def chances(index: int, asked: Floats) -> float:
    """What is asked of a rise by its place; `asked` knows it of the first places."""
    if index < len(asked):
        return float(asked[index])
    return float(min(np.log10(1 + index / 100), 2) + 25 / max(index - 5, 1))
