"""Any function of progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from trainlens_torch.schedules._table import Points, TooWild, tabulated
from trainlens_torch.schedules.base import Schedule, real

__all__ = ["Custom"]

_ERROR, _MOST = 1e-4, 2000
_DIGITS = 12


@dataclass(frozen=True, eq=False)
class Custom(Schedule):
    """Any pure function of progress.

    A log, a checkpoint and a comparison know it by a table: lines between at most 2,000 points,
    which follow the function within 1e-4 of its range; jumps are found to the last digit. So two
    functions are equal here where their tables are. What is narrower than 1/2048 of the training
    may be missed by the table; the values that are applied are always those of the function.

    Parameters
    ----------
    function : callable
        Takes a float in [0, 1], gives a finite number; the same one whenever it is asked. To be
        pickled it must be a function of a module, not a lambda.
    name : str
        For people.

    Raises
    ------
    TypeError, ValueError
        The function gives something that is no number, or not finite, or changes so often that
        2,000 points do not follow it.

    Examples
    --------
    >>> square = Custom(lambda p: (1 - p) ** 2, name="square")
    >>> square(0.5), square == Custom(lambda p: 1 - 2 * p + p * p)
    (0.25, True)
    """

    kind = "custom"

    function: Callable[[float], float] = field()
    name: str = "custom"

    def _check(self) -> None:
        if not callable(self.function):
            raise TypeError(f"function of Custom must be callable, not {self.function!r}")
        _ = self.table

    def factor(self, p: float) -> float:
        """``function(p)``."""
        return float(self.function(p))

    @cached_property
    def table(self) -> Points:
        """Points (progress, factor) with lines between them; a jump is two points at one place.

        Raises
        ------
        ValueError
            The function changes too often for a table.
        """
        try:
            points = tabulated(self._checked, _ERROR, _MOST)
        except TooWild as error:
            raise ValueError(
                f"{self.name}: this function changes too often to be told in a log ({error})"
            ) from None
        # The last digits of a logarithm or a cosine differ between machines.
        return tuple((x, float(f"{y:.{_DIGITS}g}")) for x, y in points)

    def spec(self) -> dict[str, Any]:
        """The table, as a schedule of kind ``piecewise``."""
        places, factors = zip(*self.table, strict=True)
        return {
            "kind": "piecewise",
            "at": list(places),
            "factors": list(factors),
            "between": "linear",
        }

    def __eq__(self, other: object) -> bool:
        return self.table == other.table if isinstance(other, Custom) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.table)

    def _checked(self, p: float) -> float:
        given = self.function(p)
        try:
            return float(given) if isinstance(given, bool) else real(given)
        except (TypeError, ValueError) as error:
            said = f"{self.name}: the function gives {given!r} at {p!r}; {error}"
            raise type(error)(said) from None
