"""Runs that hold the very same values: copies, snapshots and forks, which are no replicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from trainlens import words
from trainlens.run import Floats
from trainlens.traces import LEAST, Print

Prints = tuple[Print, ...]


@dataclass(frozen=True)
class Copies:
    """Which of some runs hold the same values.

    Parameters
    ----------
    names : tuple of str
    of : tuple of int
        For each run the first one that holds the same values, itself where none does.
    equal : tuple of bool
        Whether it is equal to that one to the bit, not only after rounding.
    heads : tuple of (int, int)
        For each run another one that begins with the same points and how many these are at
        least; (-1, 0) without one.
    begins : tuple of bytes
        The first points of each run; the same in copies and forks.
    """

    names: tuple[str, ...]
    of: tuple[int, ...]
    equal: tuple[bool, ...]
    heads: tuple[tuple[int, int], ...]
    begins: tuple[bytes, ...]

    def group(self, run: int) -> int:
        """The same number for all runs that hold the same values."""
        return self.of[run]

    def related(self, a: int, b: int) -> bool:
        """Whether one may be a copy, a snapshot or a fork of the other."""
        same = bool(self.begins[a]) and self.begins[a] == self.begins[b]
        return same or self.of[a] == self.of[b]

    def told(self, run: int) -> str:
        """A sentence about the runs that hold the same values, empty without any."""
        members = self._members.get(self.of[run], ())
        if len(members) > 1:
            others = [i for i in members if i != run]
            exact = all(self.equal[i] for i in members)
            how = "the very same values as" if exact else "the same values, but for rounding, as"
            return f"holds {how} {self._named(others)}: count them once"
        other, points = self.heads[run]
        if other < 0:
            return ""
        return (
            f"its first {words.step(points)} points or more are those of "
            f"{self._named([other])}: a snapshot, a fork or the same seed; the two are not "
            "independent"
        )

    @cached_property
    def _members(self) -> dict[int, list[int]]:
        held: dict[int, list[int]] = {}
        for i, first in enumerate(self.of):
            held.setdefault(first, []).append(i)
        return held

    def _named(self, others: Sequence[int]) -> str:
        names = [words.shortened(self.names[i], 40) for i in others[:3]]
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        return f"run {', '.join(names)}{more}"


def copies(runs: Sequence[tuple[str, Prints]]) -> Copies:
    """Find the runs that hold the same values.

    Parameters
    ----------
    runs : sequence of (name, prints)

    Notes
    -----
    Sorted and hashed, never each against each: the cost grows as the number of runs.
    """
    of, equal = list(range(len(runs))), [True] * len(runs)
    seen: dict[tuple[tuple[str, str, bytes], ...], int] = {}
    for i, (_, prints) in enumerate(runs):
        if _tells(prints):
            of[i] = seen.setdefault(tuple((p.metric, p.split, p.whole) for p in prints), i)
    for a, b in _rounded(runs):
        a, b = sorted((_root(of, a), _root(of, b)))
        if a != b:
            of[b], equal[b] = a, False
    of = [_root(of, i) for i in range(len(of))]
    return Copies(
        tuple(name for name, _ in runs),
        tuple(of),
        tuple(equal),
        tuple(_heads(runs, of)),
        tuple(next((p.head(0) for p in prints if p.heads), b"") for _, prints in runs),
    )


def _root(of: Sequence[int], i: int) -> int:
    while of[i] != i:
        i = of[i]
    return i


def _tells(prints: Prints) -> bool:
    """Whether the same values would be no accident: a series long enough that is not constant."""
    return any(p.points >= LEAST and len(np.unique(_values(p))) > 3 for p in prints)


def _values(one: Print) -> Floats:
    return np.frombuffer(one.sample)


def _rounded(runs: Sequence[tuple[str, Prints]]) -> Iterator[tuple[int, int]]:
    """Neighbours, in the order of their values, that are equal after rounding."""
    shapes: dict[tuple[object, ...], list[tuple[float, int, Print]]] = {}
    for i, (_, prints) in enumerate(runs):
        for p in prints[:1]:
            if p.points >= 2 * LEAST and np.isfinite(_values(p)).all():
                key = (p.metric, p.split, p.points, p.first, p.last)
                shapes.setdefault(key, []).append((float(_values(p)[0]), i, p))
    for held in shapes.values():
        held.sort(key=lambda entry: entry[:2])
        for (_, a, p), (_, b, q) in pairwise(held):
            if p.whole != q.whole and _same_rounded(_values(p), _values(q)):
                yield a, b


def _same_rounded(a: Floats, b: Floats) -> bool:
    """Whether two samples agree to the last digit of the one with fewer digits."""
    digits = min(_decimals(a), _decimals(b))
    if digits == np.inf:
        return False
    unit = 10.0**-digits
    # So many steps of the last digit within the sample that agreement is no accident.
    telling = float(np.ptp(a)) > 50 * unit and len(np.unique(np.round(a / unit))) > 10
    with np.errstate(over="ignore", invalid="ignore"):
        return telling and bool(np.all(np.abs(a - b) <= 0.51 * unit))


def _decimals(value: Floats) -> float:
    """Digits behind the point that a log writes, infinite where it writes all."""
    for digits in range(9):
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = value * 10.0**digits
            if np.all(np.abs(scaled) < 1e12) and np.all(np.abs(scaled - np.round(scaled)) < 1e-4):
                return float(digits)
    return np.inf


def _heads(runs: Sequence[tuple[str, Prints]], of: Sequence[int]) -> Iterator[tuple[int, int]]:
    """For each run the longest beginning that it shares with one that is no copy of it."""
    begun: dict[tuple[str, str, int, bytes], list[int]] = {}
    for i, (_, prints) in enumerate(runs):
        for p in prints[:1]:
            for k in range(len(p.heads) // 8):
                begun.setdefault((p.metric, p.split, k, p.head(k)), []).append(i)
    for i, (_, prints) in enumerate(runs):
        found = (-1, 0)
        for p in prints[:1]:
            for k in reversed(range(len(p.heads) // 8)):
                held = begun[p.metric, p.split, k, p.head(k)]
                # The first few are enough: what is looked for is one that is no copy.
                other = next((j for j in held[:64] if of[j] != of[i]), None)
                if other is not None:
                    found = (other, 32 << k)
                    break
        yield found
