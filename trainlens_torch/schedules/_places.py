"""Places as fields of schedules: read, compared, told by a clock, and written to a log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

from trainlens_torch.place import Place, PlaceLike, place

__all__ = [
    "NEAR",
    "Share",
    "Where",
    "added",
    "as_share",
    "ascending",
    "is_share",
    "plain_share",
    "read_place",
    "read_places",
    "told",
    "written",
]

NEAR = 1e-12
"""Update k0 of a training of T has reached the place k0 / T, whatever the rounding of its share."""

Share: TypeAlias = Callable[[PlaceLike], float]
"""What turns a place into a share of the training: `Clock.share`."""

Where: TypeAlias = Any
"""Type of a field that holds a place: a `PlaceLike` is given, a float is there once resolved."""


def read_place(value: PlaceLike) -> Where:
    """A place: a float where it is a share, else a `Place`. Nothing, in any unit, is 0.0."""
    found = place(value)
    return found.value if found.unit == "dur" or found.value == 0 else found


def read_places(values: Any) -> tuple[Where, ...]:
    """At least one place, in ascending order.

    Raises
    ------
    TypeError, ValueError
        No list; an empty one; places that descend; plain integers, which are updates, among shares.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"a list of places is needed, not {values!r}")
    held = list(values)
    whole = [isinstance(one, Integral) and one != 0 for one in held]
    if any(whole) and any(isinstance(one, Real) and not isinstance(one, Integral) for one in held):
        raise ValueError(
            f"{held[whole.index(True)]} is a number of updates among shares; "
            'write 1.0 for the end of the training, or "1ba" for one update'
        )
    read = tuple(read_place(one) for one in held)
    if not read:
        raise ValueError("at least one place is needed")
    if not ascending(read):
        raise ValueError(f"places must ascend, unlike {', '.join(str(one) for one in held[:8])}")
    return read


def is_share(value: Any) -> bool:
    """Whether a field holds shares alone."""
    if isinstance(value, tuple):
        return all(is_share(one) for one in value)
    return not isinstance(value, Place)


def ascending(places: Sequence[Where]) -> bool:
    """Whether places come one after the other, as far as their units can be compared."""
    last: dict[str, float] = {}
    for one in places:
        unit, value = (one.unit, one.value) if isinstance(one, Place) else ("dur", one)
        if value < last.get(unit, 0.0):
            return False
        last[unit] = value
    return True


def added(first: Where, second: Where) -> Where | None:
    """Sum of two places; None where only a clock can tell it."""
    if not first or not second:
        return first or second
    if isinstance(first, Place) and isinstance(second, Place) and first.unit == second.unit:
        return Place(first.value + second.value, first.unit)
    return first + second if is_share(first) and is_share(second) else None


def as_share(value: float) -> Place:
    """A share, which may lie beyond the end: a plain 1.2 would be refused as a slip."""
    return Place(value, "dur")


def told(value: Any, share: Share) -> Any:
    """The places of a field as shares."""
    if isinstance(value, tuple):
        return tuple(told(one, share) for one in value)
    return as_share(share(value)) if isinstance(value, Place) else value


def plain_share(where: PlaceLike) -> float:
    """A `Share` without a clock: an error for what only a clock can tell."""
    raise ValueError(
        f"{place(where)} can only be told by a clock: call resolved(clock.share), or write a share "
        'such as "0.1dur"'
    )


def written(name: str, value: Any) -> tuple[str, Any]:
    """Key and value of a field of places in a log.

    Raises
    ------
    ValueError
        Places in another unit than shares or updates, or in both.
    """
    if is_share(value):
        return name, list(value) if isinstance(value, tuple) else value
    places = value if isinstance(value, tuple) else (value,)
    if any(not isinstance(p, Place) or p.unit != "ba" for p in places):
        names = ", ".join(str(p) for p in places[:4])
        raise ValueError(
            f"{name} holds what a log cannot ({names}): resolve the schedule by a clock first"
        )
    steps = [p.value for p in places]
    return f"{name}_steps", steps if isinstance(value, tuple) else steps[0]
