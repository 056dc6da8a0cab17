"""Gathering points piece by piece into `Column`s that share what they have in common."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Column, Floats, Ints, unknown


class Key(NamedTuple):
    """What tells one column from another."""

    name: str
    split: str | None = None
    kind: str = ""
    unit: str = ""


class _Part(NamedTuple):
    step: Ints
    value: Floats
    wall_time: Floats | None
    epoch: Floats | None


class Columns:
    """Columns under construction, in the order in which their names appeared."""

    def __init__(self) -> None:
        self._parts: dict[Key, list[_Part]] = {}

    def add(
        self,
        key: Key,
        step: Ints,
        value: Floats,
        wall_time: Floats | None = None,
        epoch: Floats | None = None,
    ) -> None:
        """Append n points, arrays of shape (n,); None where the field is unknown throughout."""
        if len(value):
            self._parts.setdefault(key, []).append(_Part(step, value, wall_time, epoch))

    def take(self) -> tuple[Column, ...]:
        """Everything that was added since the last call."""
        if not self._parts:
            return ()
        parts, self._parts = self._parts, {}
        join = _Joiner()
        return tuple(
            [
                join.alone(key, held[0]) if len(held) == 1 else join.all(key, held)
                for key, held in parts.items()
            ]
        )


class _Joiner:
    """Concatenates; columns made of the same arrays get the same result, held once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, NDArray[Any]] = {}

    def alone(self, key: Key, part: _Part) -> Column:
        """The column of one part."""
        step, value, wall_time, epoch = part
        if wall_time is None:
            wall_time = self._unknown(len(value))
        if epoch is None:
            epoch = self._unknown(len(value))
        return Column(key[0], step, value, wall_time, epoch, key[1], key[2], key[3])

    def all(self, key: Key, parts: list[_Part]) -> Column:
        """The column of several parts."""
        step, value, wall_time, epoch = (
            self._join(list(field), parts) for field in zip(*parts, strict=True)
        )
        return Column(key[0], step, value, wall_time, epoch, key[1], key[2], key[3])

    def _join(self, arrays: list[Any], parts: list[_Part]) -> NDArray[Any]:
        if all(a is None for a in arrays):
            return self._unknown(sum(len(p.value) for p in parts))
        # The lengths tell apart gaps of the same number of unknown parts.
        key = tuple(
            id(a) if a is not None else -len(p.value) for a, p in zip(arrays, parts, strict=True)
        )
        if key not in self._known:
            full = [
                unknown(len(p.value)) if a is None else a
                for a, p in zip(arrays, parts, strict=True)
            ]
            self._known[key] = np.concatenate(full)
        return self._known[key]

    def _unknown(self, n: int) -> NDArray[Any]:
        if n not in self._known:
            self._known[n] = unknown(n)
        return self._known[n]
