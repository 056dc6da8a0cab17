"""Factors between places, or lines through them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trainlens_torch.schedules.base import NEAR, Schedule, Where, place_field, real

__all__ = ["Piecewise"]

_BETWEEN = ("constant", "linear")


@dataclass(frozen=True)
class Piecewise(Schedule):
    """Any values at any places.

    ``constant``: ``factors[k]``, k being how many places of `at` are reached, so that there is one
    factor more than places. ``linear``: lines through the points (at, factor), held at both sides;
    of two points at one place the later one holds from there on.

    Parameters
    ----------
    at : sequence of places
        At least one; ascending. Integers are updates: write 1.0 for the end of the training.
    factors : sequence of float
    between : str
        ``constant`` or ``linear``.

    Examples
    --------
    >>> Piecewise([0.5], [1.0, 0.3])(0.5)
    0.3
    >>> Piecewise([0.0, 1.0], [1, 3], between="linear")(0.25)
    1.5
    """

    kind = "piecewise"

    at: Where = place_field(many=True)
    factors: Sequence[float] = ()
    between: str = "constant"

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", self._taken(_reals, "factors"))
        super().__post_init__()

    def _check(self) -> None:
        if self.between not in _BETWEEN:
            self._refuse("between", "one of " + ", ".join(_BETWEEN))
        more = self.between == "constant"
        if len(self.factors) != len(self.at) + more:
            raise ValueError(
                f"Piecewise with {self.between} values between {len(self.at)} places needs "
                f"{len(self.at) + more} factors, not {len(self.factors)}"
            )

    def factor(self, p: float) -> float:
        """``factors[k]``, or the line between the places k - 1 and k."""
        k = bisect_right(self.at, p + NEAR)
        if self.between == "constant":
            return self.factors[k]
        begin, value, slope = self._lines[k]
        return value + slope * (p - begin) if p > begin else value

    @cached_property
    def _lines(self) -> tuple[tuple[float, float, float], ...]:
        """Beginning, value there and slope of each line, the first and last being level."""
        at, factors = self.at, self.factors
        lines = [(at[0], factors[0], 0.0)]
        for i, begin in enumerate(at):
            after = at[i + 1] if i + 1 < len(at) else begin
            steep = after - begin <= NEAR  # nothing lies in between
            rise = 0.0 if steep else (factors[i + 1] - factors[i]) / (after - begin)
            lines.append((begin, factors[i], rise))
        return tuple(lines)


def _reals(values: Any) -> tuple[float, ...]:
    if isinstance(values, str):
        raise TypeError(f"numbers are needed, not {values!r}")
    return tuple(real(one) for one in values)
