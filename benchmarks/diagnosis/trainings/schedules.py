"""Factors of the learning rate by step."""

from __future__ import annotations

import math
from collections.abc import Callable

Rate = Callable[[int], float]


def constant(step: int) -> float:
    """No schedule."""
    return 1.0


def cosine(steps: int, warmup: int = 0) -> Rate:
    """Half a cosine to 0 after a linear warmup."""

    def rate(step: int) -> float:
        if step < warmup:
            return step / warmup
        part = min(1.0, (step - warmup) / max(1, steps - warmup))
        return 0.5 * (1 + math.cos(math.pi * part))

    return rate


def steps_down(at: tuple[int, ...], gamma: float = 0.1) -> Rate:
    """Times `gamma` at each of some steps."""
    return lambda step: float(gamma ** sum(step > a for a in at))


def jump(at: int, factor: float, before: Rate = constant) -> Rate:
    """Times a factor from a step on."""
    return lambda step: before(step) * (factor if step >= at else 1.0)
