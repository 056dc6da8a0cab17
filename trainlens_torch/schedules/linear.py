"""A line."""

from __future__ import annotations

from dataclasses import dataclass

from trainlens_torch.schedules.base import Schedule

__all__ = ["Linear"]


@dataclass(frozen=True)
class Linear(Schedule):
    """A line from `start` to `end`.

    ``start + (end - start) p``.

    Torch's ``LinearLR(start_factor=a, end_factor=b, total_iters=n)`` is
    ``Chain((Linear(a, b), n), Constant(b))``; transformers' ``get_linear_schedule_with_warmup`` is
    ``Chain(LinearWarmup(n), Linear())``.

    Parameters
    ----------
    start, end : float
        Factors at the beginning and at the end.

    Examples
    --------
    >>> Linear()(0.25), Linear(0.5, 1.0)(0.5)
    (0.75, 0.75)
    """

    kind = "linear"

    start: float = 1.0
    end: float = 0.0

    def factor(self, p: float) -> float:
        """``start + (end - start) p``."""
        return self.start + (self.end - self.start) * p
