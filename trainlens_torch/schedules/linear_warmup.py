"""Linear warmup."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainlens_torch.schedules.base import Schedule, Where, place_field

__all__ = ["LinearWarmup"]


@dataclass(frozen=True)
class LinearWarmup(Schedule):
    """A line from `start` up to 1 over `warmup`, then 1.

    ``start + (1 - start) p / warmup``.

    In a `Chain` it ends by itself: ``Chain(LinearWarmup("500ba"), Cosine())``. Update k, counted
    from 0, gets k / 500 of the way; the first one that gets all of it is update 500. Transformers'
    ``get_constant_schedule_with_warmup`` is ``LinearWarmup(n)``.

    Parameters
    ----------
    warmup : place
        Length of the line: ``0.1``, ``"500ba"``, ``"10ep"``; 0 for none.
    start : float
        Factor at the beginning: 0.02 for 1e-5 of a base of 5e-4.

    References
    ----------
    Goyal et al. 2017, arXiv:1706.02677.

    Examples
    --------
    >>> LinearWarmup(0.2)(0.1), LinearWarmup(0.2, start=0.5)(0.1), LinearWarmup(0.2)(0.7)
    (0.5, 0.75, 1.0)
    """

    kind = "linear-warmup"

    warmup: Where = place_field("1dur")
    start: float = 0.0

    def factor(self, p: float) -> float:
        """``start + (1 - start) p / warmup``, then ``1``."""
        if p >= self.warmup:
            return 1.0
        return float(self.start + (1.0 - self.start) * (p / self.warmup))

    def stretch(self) -> tuple[Where, LinearWarmup]:
        """Ends with its warmup."""
        return self.warmup, replace(self, warmup="1dur")
