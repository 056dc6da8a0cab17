"""A ramp between two constant stretches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from trainlens_torch.place import Place
from trainlens_torch.schedules._places import added
from trainlens_torch.schedules.base import NEAR, Schedule, Where, place_field

__all__ = ["Ramp"]


@dataclass(frozen=True)
class Ramp(Schedule):
    """`start` up to a place, then a line to `end`, then `end`: for weights of losses and gates.

    ``start + (end - start) (p - warmup_end_progress) / ramp_duration_progress``, held at both
    sides. Without a duration it is a switch.

    In a `Chain` it ends by itself, with its line.

    Parameters
    ----------
    warmup_end_progress : place
        Where the line begins.
    ramp_duration_progress : place
        Length of the line.
    start, end : float
        Factors before and behind it.

    Examples
    --------
    >>> [round(Ramp()(p), 12) for p in (0.0, 0.1, 0.15, 0.2, 1.0)]
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """

    kind = "ramp"

    warmup_end_progress: Where = place_field(0.1)
    ramp_duration_progress: Where = place_field(0.1)
    start: float = 0.0
    end: float = 1.0

    def factor(self, p: float) -> float:
        """``start + (end - start) u``, u being the share of the line that is done."""
        if p >= self._last:
            return self.end
        u = (p - self.warmup_end_progress) / self._length if self._length > 0.0 else 0.0
        return self.start + (self.end - self.start) * u if u > 0.0 else self.start

    def stretch(self) -> tuple[Where, Ramp] | None:
        """Ends with its line, where one unit tells both places."""
        first, second = self.warmup_end_progress, self.ramp_duration_progress
        whole = added(first, second)
        if not whole:
            return None
        share = _amount(first) / _amount(whole)
        part = replace(self, warmup_end_progress=share, ramp_duration_progress=1.0 - share)
        return whole, part

    @cached_property
    def _length(self) -> float:
        first = self.warmup_end_progress
        return float(first + self.ramp_duration_progress) - float(first)

    @cached_property
    def _last(self) -> float:
        """Where the end is reached; a switch is reached whatever the rounding of its place."""
        last = float(self.warmup_end_progress + self.ramp_duration_progress)
        return last if self._length > 0.0 else last - NEAR


def _amount(where: Where) -> float:
    return where.value if isinstance(where, Place) else float(where)
