"""Places within a training: ``0.1``, ``"0.1dur"``, ``"500ba"``, ``"3ep"``, ``"2e9tok"``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TypeAlias

__all__ = ["UNITS", "Place", "PlaceLike", "place"]

UNITS = {
    "dur": "share of the training",
    "ba": "optimizer updates",
    "sp": "samples",
    "tok": "tokens",
    "ep": "epochs",
}
"""Units of a place, as they stand behind its number; those of Composer's time strings."""

_WRITTEN = re.compile(r"\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-z]+)\s*")


@dataclass(frozen=True)
class Place:
    """A place within a training, or a length of it.

    Parameters
    ----------
    value : float
        Finite, not negative.
    unit : str
        One of `UNITS`. A share above 1 lies beyond the end; only here can it be written.
    """

    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.value:.12g}{self.unit}"


PlaceLike: TypeAlias = "Place | float | int | str"


def place(given: PlaceLike) -> Place:
    """Read a place.

    Parameters
    ----------
    given : Place, float, int or str
        A float is a share of the training (0.1), an integer a number of optimizer updates (500),
        a text a number with its unit: ``"0.1dur"``, ``"500ba"`` (updates), ``"3ep"``, ``"1e6sp"``
        (samples), ``"2e9tok"``.

    Returns
    -------
    Place

    Raises
    ------
    TypeError
        Neither a number nor a text.
    ValueError
        An unknown unit, a value that is negative or not finite, or a share above 1.

    Examples
    --------
    >>> place(0.1), place(500), place("3ep")
    (Place(value=0.1, unit='dur'), Place(value=500.0, unit='ba'), Place(value=3.0, unit='ep'))
    """
    if isinstance(given, Place):
        found = given
    elif isinstance(given, str):
        found = _parsed(given)
    elif isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(f'a place is a number or a text such as "500ba", not {given!r}')
    else:
        found = Place(float(given), "ba" if isinstance(given, Integral) else "dur")
    if found.unit not in UNITS:
        raise ValueError(f"{given!r}: unknown unit {found.unit!r}; {_known()}")
    if not (math.isfinite(found.value) and found.value >= 0):
        raise ValueError(f"a place must be 0 or more and finite, not {given!r}")
    if found.unit == "dur" and found.value > 1 and found is not given:
        raise ValueError(
            f"{given!r} is more than the whole training; for updates write an integer or "
            f'"{found.value:.12g}ba"'
        )
    return found


def _parsed(text: str) -> Place:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(
            f'{text!r} is no place; write a number and its unit, such as "500ba"; ' + _known()
        )
    return Place(float(match[1].replace("_", "")), match[2])


def _known() -> str:
    return "units are " + ", ".join(f"{unit} ({what})" for unit, what in UNITS.items())
