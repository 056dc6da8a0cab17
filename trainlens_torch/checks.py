"""What arguments are checked for in several places."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

__all__ = ["number", "whole"]


def number(
    value: float, name: str, low: float = 0.0, high: float = math.inf, *, above: bool = False
) -> float:
    """A finite number within bounds.

    Parameters
    ----------
    value : float
    name : str
        For the message.
    low, high : float
        Bounds, both included.
    above : bool
        Whether `low` itself is refused.

    Raises
    ------
    TypeError, ValueError
        Not a number; NaN, infinite or outside the bounds.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {value!r}")
    found = float(value)
    if not (math.isfinite(found) and low <= found <= high) or (above and found == low):
        least = f"above {low:g}" if above else f"{low:g} or more"
        wanted = least if math.isinf(high) else f"{least} and at most {high:g}"
        raise ValueError(f"{name} must be {wanted} and finite, not {value!r}")
    return found


def whole(value: Any, name: str, least: int = 1) -> int:
    """A count, such as of updates.

    Parameters
    ----------
    value : int
    name : str
        For the message.
    least : int
        Smallest that is taken.

    Raises
    ------
    TypeError, ValueError
        No integer (a bool is none), or one below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be {least} or more, not {value}")
    return value
