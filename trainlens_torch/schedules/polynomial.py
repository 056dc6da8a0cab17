"""Polynomial decay."""

from __future__ import annotations

from dataclasses import dataclass

from trainlens_torch.schedules.base import Schedule

__all__ = ["Polynomial"]


@dataclass(frozen=True)
class Polynomial(Schedule):
    """A power of what is left of the training.

    ``end + (1 - end) (1 - p)^power``.

    Torch's ``PolynomialLR(total_iters=n, power=q)`` is ``Polynomial(q)`` in a training of n
    updates; transformers' ``get_polynomial_decay_schedule_with_warmup(lr_end=m, power=q)`` is
    ``Chain(LinearWarmup(n), Polynomial(q, end=m / base))``; timm's ``PolyLRScheduler(power=q,
    lr_min=m)`` is ``Polynomial(q, end=m / base)``.

    Parameters
    ----------
    power : float
        Not below 0; 1 is a line, 0.9 is usual in segmentation.
    end : float
        Factor at the end.

    References
    ----------
    Chen et al. 2017, arXiv:1606.00915.

    Examples
    --------
    >>> Polynomial(2)(0.5), Polynomial(2, end=0.1)(1.0)
    (0.25, 0.1)
    """

    kind = "polynomial"

    power: float = 1.0
    end: float = 0.0

    def _check(self) -> None:
        if self.power < 0:
            self._refuse("power", "0 or more")

    def factor(self, p: float) -> float:
        """``end + (1 - end) (1 - p)^power``."""
        return float(self.end + (1.0 - self.end) * (1.0 - p) ** self.power)
