"""Loss levels that a model without any knowledge has."""

from __future__ import annotations

import math

from trainlens.stats.blocks import Floats, condense
from trainlens.stats.gains import gain
from trainlens.stats.noise import median

# Class counts, vocabularies and contrastive batch sizes that models are trained with.
PLAUSIBLE = (
    *range(2, 13), 15, 16, 20, 26, 32, 37, 40, 47, 50, 62, 64, 80, 91, 100, 101, 102, 120, 128,
    196, 200, 256, 365, 397, 400, 512, 600, 700, 1000, 1024, 1203, 2048, 4096, 8192, 10450, 16384,
    21841, 30522, 32000, 32768, 49408, 50257, 50304, 51865, 65536, 100277, 128256, 151936,
)  # fmt: skip


def guessing_among(level: float, tolerance: float = 0.02) -> int:
    """Number C of classes of which ln C is a loss of this level within `tolerance`, else 0.

    Only counts that are in use: some C fits every level above 2.5.
    """
    if not 0.5 < level < 13:
        return 0
    near = min(PLAUSIBLE, key=lambda c: abs(math.log(c) - level))
    # Larger counts lie so close to each other that only a close match tells anything.
    allowed = min(tolerance, 0.02 if near <= 12 else 0.004)
    return near if abs(level - math.log(near)) <= allowed * math.log(near) else 0


def stuck_at_chance(x: Floats, y: Floats, value: Floats) -> int:
    """Number C of classes, where a loss only ever fell from a random start to ln C, else 0.

    A randomly initialised model begins a little above ln C and soon learns to say nothing: a drop
    of a few percent onto exactly that level, flat for three quarters of the run, is no learning.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Place within the run, and scale-free level.
    value : ndarray of shape (n,)
        The loss itself.
    """
    start = len(y) // 4
    if start < 3:
        return 0
    level = median(value[start:])
    classes = guessing_among(level, 0.004)
    if not classes or float(y[0]) - math.log(level) > 0.15:
        return 0
    cx, cy = condense(x, y)
    later = gain(cx, cy, float(x[start]), float(x[-1]), least=8)
    flat = later is not None and max(later.upper(), -later.lower()) < 0.01
    return classes if flat else 0
