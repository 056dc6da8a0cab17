"""Rows of any keys to columns: records are grouped by their keys and transposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats
from trainlens.readers._values import NON_FINITE, number

Object = dict[str, Any]
Index = NDArray[np.intp]

DEEPEST = 16
"""Levels of nesting that are followed."""

SECTIONS = ("losses", "stats")
"""Parts of a native record; their names stand without the part's own."""


class Name(NamedTuple):
    """A metric as it stands in a record.

    Parameters
    ----------
    section : str
        ``"losses"`` or ``"stats"`` in a native record, else empty.
    name : str
        Keys of nested objects joined with ``/``.
    """

    section: str
    name: str


def leaves(row: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Names, joined with ``/``, and values of a record without its objects."""
    for key, value in row.items():
        name = f"{above}/{key}" if above else key
        if isinstance(value, dict):
            if depth < 8:
                yield from leaves(value, name, depth + 1)
        else:
            yield name, value


class Cells:
    """All values of one name in a batch of records, of whatever type."""

    def __init__(self) -> None:
        self._parts: list[tuple[Index, Sequence[Any]]] = []
        self.types: set[type] = set()

    def add(self, index: Index, values: Sequence[Any], types: set[type]) -> None:
        """Append values and the numbers of their records."""
        self._parts.append((index, values))
        self.types |= types

    def in_order(self) -> tuple[Index, Sequence[Any]]:
        """Numbers of the records, ascending, and the values."""
        if len(self._parts) == 1:
            return self._parts[0]
        joined = np.concatenate([index for index, _ in self._parts])
        values = [v for _, part in self._parts for v in part]
        order = np.argsort(joined, kind="stable")
        return joined[order], [values[k] for k in order.tolist()]

    def only(self, keep: NDArray[np.bool_]) -> Cells:
        """The values, in order, for which `keep` holds."""
        at, values = self.in_order()
        kept = [v for v, k in zip(values, keep.tolist(), strict=True) if k]
        rest = Cells()
        rest.add(at[keep], kept, set(map(type, kept)))
        return rest

    @property
    def first(self) -> int:
        """Number of the first record that has this name."""
        return int(min(index[0] for index, _ in self._parts))

    @property
    def index(self) -> Index:
        """Numbers of the records, ascending."""
        return self.in_order()[0]

    def plain(self) -> Floats | None:
        """The values as an array, None where not all are numbers that fit one."""
        if not self.types <= {float, int}:
            return None
        try:
            return np.array(self.in_order()[1], np.float64)
        except OverflowError:
            return None  # a whole number beyond the largest float

    def lists(
        self, wanted: Callable[[list[Any]], bool]
    ) -> tuple[list[tuple[int, list[Any]]], Cells | None]:
        """The wanted lists that hold something, by the numbers of their records, and the rest.

        Parameters
        ----------
        wanted : callable
            Asked of each list; empty ones are wanted always, and left out.
        """
        if list not in self.types:
            return [], self
        at, values = self.in_order()
        found = [isinstance(v, list) and (not v or wanted(v)) for v in values]
        taken = np.array(found, bool)
        pairs = [(int(i), v) for i, v, f in zip(at, values, found, strict=True) if f and v]
        return pairs, None if taken.all() else self.only(~taken)

    def said(self, tells: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
        """Numbers of the records, ascending, and the texts that tell something."""
        if str not in self.types:
            return
        for i, value in zip(*self.in_order(), strict=True):
            if isinstance(value, str) and tells(value):
                yield int(i), value

    def numbers(self) -> Numbers:
        """Numbers among the cells: null is no number, nor is NaN made from it."""
        return _numbers(self)


def transpose(rows: Sequence[Object], native: bool) -> dict[Name, Cells]:
    """Cells by name, in the order in which the names first appear.

    Parameters
    ----------
    rows : sequence of dict
        Records, numbered from 0.
    native : bool
        Whether records with ``losses`` or ``stats`` are native ones even without the rest.
    """
    cells: dict[Name, Cells] = {}
    _transpose(rows, np.arange(len(rows)), Name("", ""), cells, native, 0)
    # Within one record losses come first: a name that both parts have is theirs.
    return dict(sorted(cells.items(), key=lambda c: (c[1].first, c[0].section != "losses")))


def _transpose(
    rows: Sequence[Object],
    index: Index,
    above: Name,
    cells: dict[Name, Cells],
    native: bool,
    depth: int,
) -> None:
    for keys, members, at in _by_keys(rows, index):
        sections = SECTIONS if depth == 0 and is_native(keys, native) else ()
        for key, values in zip(keys, zip(*map(dict.values, members), strict=True), strict=True):
            name = Name(above.section, f"{above.name}/{key}" if above.name else key)
            types = set(map(type, values))
            if dict in types and depth < DEEPEST:
                inner = Name(key, "") if key in sections else name
                inside = _where(values, at, types, True)
                _transpose(*inside, inner, cells, native, depth + 1)
                if len(types) > 1:
                    outside = _where(values, at, types, False)
                    cells.setdefault(name, Cells()).add(outside[1], outside[0], types - {dict})
            else:
                cells.setdefault(name, Cells()).add(at, values, types)


def is_native(keys: tuple[str, ...], native: bool) -> bool:
    """Whether ``losses`` and ``stats`` are sections of a record of these keys."""
    if "losses" not in keys and "stats" not in keys:
        return False
    return native or {"step", *SECTIONS} <= set(keys)


def _where(
    values: Sequence[Any], index: Index, types: set[type], nested: bool
) -> tuple[Sequence[Any], Index]:
    """The values that are objects, or those that are not, and the numbers of their records."""
    if len(types) == 1:
        return values, index
    keep = np.array([(type(v) is dict) is nested for v in values], bool)
    return [v for v in values if (type(v) is dict) is nested], index[keep]


def _by_keys(
    rows: Sequence[Object], index: Index
) -> Iterator[tuple[tuple[str, ...], Sequence[Object], Index]]:
    """Groups of rows with the same keys in the same order."""
    shapes = list(map(tuple, rows))
    if shapes.count(shapes[0]) == len(shapes):
        yield shapes[0], rows, index
        return
    groups: dict[tuple[str, ...], tuple[list[Object], list[int]]] = {}
    for shape, row, i in zip(shapes, rows, index.tolist(), strict=True):
        members, at = groups.setdefault(shape, ([], []))
        members.append(row)
        at.append(i)
    for shape, (members, at) in groups.items():
        yield shape, members, np.array(at, np.intp)


class Numbers(NamedTuple):
    """The numeric part of some cells.

    Parameters
    ----------
    at : ndarray of intp, shape (n,)
        Numbers of the records.
    value : ndarray of float64, shape (n,)
    boolean : ndarray of bool, shape (n,), or None
        Which of them are true or false, None for none.
    other : str
        What else was among the cells, empty for nothing.
    """

    at: NDArray[np.intp]
    value: Floats
    boolean: NDArray[np.bool_] | None
    other: str

    def only(self, keep: NDArray[np.bool_]) -> Numbers:
        """Those for which `keep` holds."""
        boolean = None if self.boolean is None else self.boolean[keep]
        return Numbers(self.at[keep], self.value[keep], boolean, self.other)


def _numbers(cells: Cells) -> Numbers:
    if cells.types.isdisjoint((float, int, bool, str)):
        nothing = np.empty(0, np.intp)
        other = "list" if list in cells.types else "nested too deeply"
        return Numbers(nothing, np.empty(0), None, "" if cells.types <= {type(None)} else other)
    index, values = cells.in_order()
    types = cells.types
    if str in types and types <= {float, int, str}:
        values = [NON_FINITE.get(v, v) if type(v) is str else v for v in values]
        types = set(map(type, values))
    if types <= {float, int}:
        try:
            return Numbers(index, np.array(values, np.float64), None, "")
        except OverflowError:
            pass  # a whole number beyond the largest float: one by one
    found = [float(v) if type(v) is bool else number(v) for v in values]
    keep = np.array([f is not None for f in found], bool)
    value = np.array([f for f in found if f is not None], np.float64)
    boolean = None
    if bool in cells.types:
        boolean = np.array([type(v) is bool for v in values], bool)[keep]
    rest = (v for v, f in zip(values, found, strict=True) if f is None and v is not None)
    other = next(map(_word, rest), "")
    return Numbers(index[keep], value, boolean, other)


def is_percent(cells: Cells, record: int) -> bool:
    """Whether the value of a record is a text such as ``"71.5%"``."""
    if str not in cells.types:
        return False
    at, values = cells.in_order()
    value = values[int(np.searchsorted(at, record))]
    return isinstance(value, str) and value.rstrip().endswith("%")


def _word(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "nested too deeply"
