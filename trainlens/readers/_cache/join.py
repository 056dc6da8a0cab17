"""Two polls of one reader, put together as if there had been one."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Chunk, Column, Notice, unknown

_PLACED = re.compile(r", (?:from unfolded )?(?:bytes? \d|lines? \d|records? \d)")
_NUMBERS = re.compile(r"\d+")

Notices = tuple[Notice, ...]


def join(first: Chunk, second: Chunk) -> Chunk | None:
    """What one poll would have given that read what both polls have read.

    Points of a metric follow one another and later settings replace earlier ones. Notices about
    places come before those about the whole file, and neighbours are grouped: where that cannot
    be told from two lists, nobody can say what one poll would have said.

    Parameters
    ----------
    first, second : Chunk

    Returns
    -------
    Chunk or None
        None where the file has to be read anew.
    """
    notices = _notices(first.notices, second.notices)
    columns = _columns(first.columns, second.columns)
    if notices is None or columns is None:
        return None
    return Chunk(columns, {**first.config, **second.config}, notices, second.ended)


def _columns(first: tuple[Column, ...], second: tuple[Column, ...]) -> tuple[Column, ...] | None:
    if not second or not first:
        return first or second
    more = {_key(c): c for c in second}
    known = {_key(c) for c in first}
    if len(more) < len(second) or len(known) < len(first):
        return None
    put = _Behind()
    found = [put(c, more[_key(c)]) if _key(c) in more else c for c in first]
    return (*found, *(c for c in second if _key(c) not in known))


def has_new(first: Chunk, second: Chunk) -> bool:
    """Whether the second chunk has columns that the first has not.

    Where they stand among others depends on what was read at once with them.
    """
    return not {_key(c) for c in second.columns} <= {_key(c) for c in first.columns}


def _key(column: Column) -> Hashable:
    return column.name, column.split, column.kind, column.unit


class _Behind:
    """Concatenates columns; those that share an array share the result."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], tuple[Any, Any, NDArray[Any]]] = {}

    def __call__(self, a: Column, b: Column) -> Column:
        return replace(
            a,
            step=self._one(a.step, b.step),
            value=self._one(a.value, b.value),
            wall_time=self._one(a.wall_time, b.wall_time),
            epoch=self._one(a.epoch, b.epoch),
        )

    def _one(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        if is_unknown(a) and is_unknown(b):
            return unknown(len(a) + len(b))
        key = (id(a), id(b))
        if key not in self._made:
            self._made[key] = (a, b, np.concatenate([a, b]))
        return self._made[key][2]


def is_unknown(array: NDArray[Any]) -> bool:
    """Whether an array is what `trainlens.chunk.unknown` gives."""
    return array.strides == (0,) and array.dtype.kind == "f" and bool(np.isnan(array[:1]).all())


def _notices(first: Notices, second: Notices) -> Notices | None:
    if not first or not second:
        return first or second
    here, there = _places(first), _places(second)
    if here is None or there is None:
        return None
    if there and any(n.kind != "torn-tail" for n in second[:there]):
        return None  # might have been grouped with one of the first
    if {_gist(n) for n in first} & {_gist(n) for n in second}:
        return None  # a count that goes on
    return first[:here] + second[:there] + first[here:] + second[there:]


def _places(notices: Notices) -> int | None:
    """How many notices are about places, all of which must come first."""
    placed = [_PLACED.search(n.where) is not None for n in notices]
    count = sum(placed)
    return count if all(placed[:count]) else None


def _gist(notice: Notice) -> tuple[str, str, str]:
    return notice.kind, notice.where, _NUMBERS.sub("", notice.message)
