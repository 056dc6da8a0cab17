"""Cosine decay."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainlens_torch.schedules.base import Schedule

__all__ = ["Cosine"]


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine wave from 1 down to `end`.

    ``end + (1 - end) (1 + cos(pi p)) / 2``; at and beyond the end it stays at `end`, where torch's
    CosineAnnealingLR rises again.

    Torch's ``CosineAnnealingLR(T_max=n, eta_min=m)`` is ``Cosine(end=m / base)`` in a training of
    n updates. Transformers' ``get_cosine_schedule_with_warmup`` is
    ``Chain(LinearWarmup(n), Cosine())``; timm's ``CosineLRScheduler(warmup_t=n,
    warmup_lr_init=a, lr_min=m, warmup_prefix=True)`` is
    ``Chain(LinearWarmup(n, start=a / base), Cosine(end=m / base))`` in a training of
    ``t_initial + n``. (Without ``warmup_prefix`` timm's cosine begins together with the warmup and
    jumps where that ends.)

    Parameters
    ----------
    end : float
        Factor at the end: the floor as a share of the base.

    References
    ----------
    Loshchilov and Hutter 2017, arXiv:1608.03983.

    Examples
    --------
    >>> Cosine()(0.5), Cosine(end=0.1)(1.0)
    (0.5, 0.1)
    """

    kind = "cosine"

    end: float = 0.0

    def factor(self, p: float) -> float:
        """``end + (1 - end) (1 + cos(pi p)) / 2``."""
        return self.end + (1.0 - self.end) * (0.5 + 0.5 * math.cos(math.pi * p))
