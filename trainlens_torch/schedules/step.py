"""Decay in steps."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from trainlens_torch.schedules.base import NEAR, Schedule, Where, place_field

__all__ = ["Step"]


@dataclass(frozen=True)
class Step(Schedule):
    """A factor `gamma` at each of some places.

    ``gamma^k``, k being how many places of `at` are reached.

    Torch's ``MultiStepLR(milestones=[30, 60], gamma=g)``, stepped once an epoch, is
    ``Step(["30ep", "60ep"], g)``; ``StepLR(step_size=30, gamma=g)`` in a training of 90 epochs is
    ``Step([f"{epoch}ep" for epoch in range(30, 90, 30)], g)``. A milestone that stands there twice
    counts twice, as with torch. Timm's ``StepLRScheduler(decay_t=30, decay_rate=g)`` is the same;
    its ``MultiStepLRScheduler`` takes each step one epoch before the milestone.

    Parameters
    ----------
    at : sequence of places
        At least one; ascending. Integers are updates.
    gamma : float
        Not below 0.

    References
    ----------
    He et al. 2016, arXiv:1512.03385.

    Examples
    --------
    >>> [Step([0.5, 0.75])(p) for p in (0.49, 0.5, 0.75)]
    [1.0, 0.1, 0.010000000000000002]
    >>> Step(range(300, 900, 300)).at
    (Place(value=300.0, unit='ba'), Place(value=600.0, unit='ba'))
    """

    kind = "step"

    at: Where = place_field(many=True)
    gamma: float = 0.1

    def _check(self) -> None:
        if self.gamma < 0:
            self._refuse("gamma", "0 or more")
        _ = self._factors

    def factor(self, p: float) -> float:
        """``gamma^k``."""
        return self._factors[bisect_right(self.at, p + NEAR)]

    @cached_property
    def _factors(self) -> tuple[float, ...]:
        try:
            return tuple(self.gamma**k for k in range(len(self.at) + 1))
        except OverflowError:
            count = len(self.at)
            raise ValueError(f"gamma {self.gamma!r} overflows within {count} steps") from None
