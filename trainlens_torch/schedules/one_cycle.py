"""One cycle: up, and far down."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainlens_torch.schedules.base import Schedule, Where, place_field

__all__ = ["OneCycle"]

_SHAPES = ("cosine", "linear")


@dataclass(frozen=True)
class OneCycle(Schedule):
    """From `start` up to 1 over `warmup`, then down to `end`.

    Up: ``start + (1 - start) f(p / warmup)``; down: ``1 + (end - 1) f((p - warmup) /
    (1 - warmup))``, with f(u) ``(1 - cos(pi u)) / 2`` (cosine) or ``u`` (linear). The base value is
    the highest one.

    The defaults are those of torch, whose ``OneCycleLR(max_lr, total_steps=n, pct_start=s,
    div_factor=d, final_div_factor=f)`` reaches its end with the last of n updates: it is
    ``OneCycle(warmup=(s * n - 1) / (n - 1), start=1 / d, end=1 / (d * f))`` with a base of max_lr
    in a training of n - 1. Its momentum, which runs from ``max_momentum`` down to
    ``base_momentum`` and back, is the same with ``start = end = max_momentum / base_momentum`` and
    a base of base_momentum.

    Parameters
    ----------
    warmup : place
        Length of the way up.
    start, end : float
        Factors at the beginning and at the end.
    shape : str
        ``cosine`` or ``linear``.

    References
    ----------
    Smith and Topin 2018, arXiv:1708.07120.

    Examples
    --------
    >>> one = OneCycle(0.25, start=0.1, end=0.001, shape="linear")
    >>> one(0.0), one(0.25), one(1.0)
    (0.1, 1.0, 0.001)
    """

    kind = "one-cycle"

    warmup: Where = place_field(0.3)
    start: float = 0.04
    end: float = 4e-6
    shape: str = "cosine"

    def _check(self) -> None:
        if self.shape not in _SHAPES:
            self._refuse("shape", "one of " + ", ".join(_SHAPES))

    def factor(self, p: float) -> float:
        """``start + (1 - start) f(u)`` up, ``1 + (end - 1) f(u)`` down."""
        warmup = self.warmup
        if p < warmup:
            return float(self.start + (1.0 - self.start) * (1.0 - self._left(p / warmup)))
        u = (p - warmup) / (1.0 - warmup) if p < 1.0 else 1.0
        return self.end + (1.0 - self.end) * self._left(u)

    def _left(self, u: float) -> float:
        return 1.0 - u if self.shape == "linear" else 0.5 + 0.5 * math.cos(math.pi * u)
