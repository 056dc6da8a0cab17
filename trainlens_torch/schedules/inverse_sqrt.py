"""Inverse square root decay."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainlens_torch.schedules.base import Schedule, Where, place_field

__all__ = ["InverseSqrt"]


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    """A line up to 1 over `warmup`, then the inverse square root of progress.

    ``p / warmup``, then ``sqrt(warmup / p)``. It needs no end: a training that is prolonged goes
    on along the same curve, where `warmup` is given in updates.

    Transformers' ``get_inverse_sqrt_schedule(num_warmup_steps=n)`` is ``InverseSqrt(n)``.

    Parameters
    ----------
    warmup : place
        Above 0.

    References
    ----------
    Vaswani et al. 2017, arXiv:1706.03762.

    Examples
    --------
    >>> InverseSqrt(0.25)(0.125), InverseSqrt(0.25)(1.0)
    (0.5, 0.5)
    """

    kind = "inverse-sqrt"

    warmup: Where = place_field()

    def _check(self) -> None:
        if self.warmup == 0:
            self._refuse("warmup", "above 0")

    def factor(self, p: float) -> float:
        """``p / warmup``, then ``sqrt(warmup / p)``."""
        if p < self.warmup:
            return float(p / self.warmup)
        return math.sqrt(self.warmup / p)
