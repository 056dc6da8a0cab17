"""Schedules one behind the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

from trainlens_torch.place import Place, PlaceLike, place
from trainlens_torch.schedules._places import (
    NEAR,
    Share,
    Where,
    added,
    as_share,
    ascending,
    plain_share,
    read_place,
    written,
)
from trainlens_torch.schedules.base import Schedule, real

__all__ = ["Chain", "Part", "PartLike"]

_DEEPEST, _MOST = 8, 1000


@dataclass(frozen=True)
class Part:
    """One part of a chain.

    Parameters
    ----------
    schedule : Schedule
        Its progress runs from 0 to 1 over this part; so its places relate to the part.
    until : place, optional
        Where the part ends in the chain.
    length : place, optional
        Instead of `until`: how long it is.
    base : float
        What its factors are multiplied by.
    """

    schedule: Schedule
    until: Where = None
    length: Where = None
    base: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.schedule, Schedule):
            raise TypeError(f"a part of a chain is a schedule, not {self.schedule!r}")
        for name in ("until", "length"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_place(given))
        object.__setattr__(self, "base", real(self.base))
        if self.until is not None and self.length is not None:
            raise ValueError("a part of a chain has an end or a length, not both")


PartLike: TypeAlias = (
    "Schedule | Part | tuple[Schedule, PlaceLike] | tuple[Schedule, PlaceLike | None, float]"
)


@dataclass(frozen=True, init=False)
class Chain(Schedule):
    """Schedules one behind the other.

    Each part has its own progress, from 0 at its beginning to 1 at its end, and the places within
    it relate to it: a share is one of the part, ``"100ba"`` are 100 updates from its beginning.
    Where a part ends is told in the whole training (for a chain within a chain: in that part). A
    part that ends by itself, a `LinearWarmup` or a `Ramp`, need not be told where::

        Chain(LinearWarmup("500ba"), Cosine(end=0.01))
        Chain((Constant(), 0.5), (Cosine(end=0.1), 0.8), Constant(0.1))
        Chain((Step([0.5]), "10ep"), (Cosine(), "20ep", 0.3), Constant(0.0))

    A part without a length is passed over. The last part goes on to the end of the training; if it
    was told to end before, its last value stays. Parts need not meet: `jumps` tells where they do
    not. Torch's ``SequentialLR`` of a warmup and a cosine is the first of the examples.

    Parameters
    ----------
    *given : schedule, (schedule, until), (schedule, until, base) or Part
        `base` multiplies the factors of a part.
    parts : sequence, optional
        The same as a list.

    Raises
    ------
    TypeError, ValueError
        No part; one but the last without an end; ends that do not ascend; an end of the training
        before the last part.

    Examples
    --------
    >>> from trainlens_torch.schedules import Cosine, LinearWarmup
    >>> chain = Chain(LinearWarmup(0.2), Cosine(end=0.1))
    >>> chain(0.1), chain(0.2), chain(1.0)
    (0.5, 1.0, 0.1)
    """

    kind = "chain"

    parts: tuple[Part, ...]

    def __init__(self, *given: PartLike, parts: Sequence[PartLike] = ()) -> None:
        held = [_part(one) for one in (*given, *parts)]
        object.__setattr__(self, "parts", tuple(_laid(held)))
        if self.depth > _DEEPEST or len(held) > _MOST:
            raise ValueError(f"a chain has at most {_MOST} parts, and lies at most 8 chains deep")

    def factor(self, p: float) -> float:
        """Factor of the part that `p` lies in, at its share of that part, times its base."""
        begin, length, base, schedule = self._stretches[bisect_right(self._begins, p + NEAR)]
        u = (p - begin) / length
        return base * schedule.factor(0.0 if u < 0.0 else u if u < 1.0 else 1.0)

    def resolved(self, share: Share) -> Chain:
        """The same chain with every place as a share; parts that are never reached are left out.

        Raises
        ------
        ValueError
            A place that the clock cannot tell, or ends that turn out not to ascend.
        """
        if self.is_resolved:
            return self
        return Chain(
            parts=[
                Part(part.schedule.resolved(_within(share, end - begin)), as_share(end), None, base)
                for part, begin, end, base in self._reached(share)
            ]
        )

    @property
    def is_resolved(self) -> bool:
        """Whether every place is a share of the training, or of a part."""
        return all(
            part.length is None and not isinstance(part.until, Place) and part.schedule.is_resolved
            for part in self.parts
        )

    @property
    def depth(self) -> int:
        """How many chains lie within each other, this one included."""
        inner = [p.schedule.depth for p in self.parts if isinstance(p.schedule, Chain)]
        return 1 + max(inner, default=0)

    def spec(self) -> dict[str, Any]:
        """The chain in plain values; see `Schedule.spec`."""
        return {"kind": self.kind, "parts": [_spec(part) for part in self.parts]}

    def jumps(self) -> tuple[tuple[float, float, float], ...]:
        """Where parts do not meet: (share of the training, factor before, factor from there on).

        Raises
        ------
        ValueError
            The chain holds places that only a clock can tell: ask the resolved one.
        """
        found = []
        for one, other in pairwise(self._stretches):
            before, after = one[2] * one[3](1.0), other[2] * other[3](0.0)
            if abs(after - before) > 1e-9 * max(abs(before), abs(after)):
                found.append((other[0], before, after))
        return tuple(found)

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(_shown, self.parts))})"

    def _reached(self, share: Share) -> list[tuple[Part, float, float, float]]:
        """Parts that the training reaches: with their beginning, end and base."""
        held, begin = [], 0.0
        for i, part in enumerate(self.parts, 1):
            end = _end(part, begin, share)
            if end < begin - NEAR:
                raise ValueError(
                    f"part {i} of the chain ({part.schedule.kind}) would end at {end:.6g} of the "
                    f"training, before it begins at {begin:.6g}"
                )
            if end - begin > NEAR and begin < 1.0 - NEAR:
                held.append((part, begin, end, part.base))
            begin = max(begin, end)
        if not held:
            raise ValueError("no part of the chain has a length")
        return held

    @cached_property
    def _stretches(self) -> tuple[tuple[float, float, float, Schedule], ...]:
        """Beginning, length, base and schedule of the parts that are reached."""
        return tuple(
            (begin, end - begin, base, part.schedule)
            for part, begin, end, base in self._reached(plain_share)
        )

    @cached_property
    def _begins(self) -> tuple[float, ...]:
        return tuple(begin for begin, *_ in self._stretches[1:])


def _part(given: PartLike) -> Part:
    if isinstance(given, Part):
        return given
    if isinstance(given, Schedule):
        return Part(given)
    if isinstance(given, tuple | list) and len(given) in (2, 3):
        schedule, until, *base = given
        return Part(schedule, until, None, *base)
    raise TypeError(
        "a part of a chain is a schedule, (schedule, until) or (schedule, until, base), "
        f"not {given!r}"
    )


def _laid(parts: list[Part]) -> Iterator[Part]:
    """Parts with their ends, as far as these are known without a clock."""
    if not parts:
        raise ValueError("a chain needs at least one part")
    begin: Where | None = 0.0
    for i, given in enumerate(parts, 1):
        last = i == len(parts)
        part = given if last else _with_length(given, i)
        if part.length is not None and begin is not None:
            end = added(begin, part.length)
            if end is not None:
                part = replace(part, until=_unchecked(end), length=None)
        if begin is not None and part.until is not None and not ascending([begin, part.until]):
            raise ValueError(f"part {i} of the chain ends before it begins: {begin}, {part.until}")
        if isinstance(part.until, float) and part.until >= 1.0 and not last:
            raise ValueError(
                f"part {i} of the chain ({part.schedule.kind}) ends with the training: nothing is "
                f"left for part {i + 1}"
            )
        yield replace(part, until=None) if last and part.until == 1.0 else part
        begin = part.until


def _with_length(part: Part, number: int) -> Part:
    """A part that is told where it ends, or says so itself."""
    if part.until is not None or part.length is not None:
        return part
    stretch = part.schedule.stretch()
    if stretch is None:
        name = type(part.schedule).__name__
        raise ValueError(
            f"part {number} of the chain must be told where it ends: ({name}(...), 0.5)"
        )
    return replace(part, schedule=stretch[1], length=_unchecked(stretch[0]))


def _unchecked(where: Where) -> Where:
    return where if isinstance(where, Place) else as_share(where)


def _end(part: Part, begin: float, share: Share) -> float:
    if part.length is not None:
        return begin + _share(part.length, share)
    return max(1.0, begin) if part.until is None else _share(part.until, share)


def _share(where: Where, share: Share) -> float:
    return share(where) if isinstance(where, Place) else float(where)


def _within(share: Share, length: float) -> Share:
    """What tells places of a part of some length."""

    def told(where: PlaceLike) -> float:
        found = place(where)
        return found.value if found.unit == "dur" else share(found) / length

    return told


def _spec(part: Part) -> dict[str, Any]:
    out = part.schedule.spec()
    if part.length is not None:
        raise ValueError(
            f"only a clock can tell where the {part.schedule.kind} of {part.length} ends: resolve "
            "the chain first"
        )
    if part.until is not None:
        key, value = written("until", part.until)
        out[key] = value
    return out if part.base == 1.0 else {**out, "base": part.base}


def _shown(part: Part) -> str:
    if part.length is not None:
        return f"Part({part.schedule!r}, length={str(part.length)!r}, base={part.base!r})"
    until = str(part.until) if isinstance(part.until, Place) else part.until
    if part.base != 1.0:
        return f"({part.schedule!r}, {until!r}, {part.base!r})"
    return repr(part.schedule) if until is None else f"({part.schedule!r}, {until!r})"
