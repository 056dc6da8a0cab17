"""The state of a reader as plain data, and back, without running anything that the data names.

What may be frozen is listed: containers, numbers, text, paths, compiled patterns, arrays, and
objects of the classes of trainlens' own readers, which are made empty and given their fields.
Everything else (an open file, a generator, a function without a name) makes a state that cannot
be frozen, and the run is then cached whole.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections import defaultdict, deque
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 400_000
"""Objects of one state; a larger one costs more to keep than to read anew."""

_DEPTH = 150
_OURS = "trainlens."
_READERS = "trainlens.readers."
_NEVER = "trainlens.readers._packed"
"""Its objects own temporary files."""
_SIMPLE = (bool, int, float, str, type(None))
_MAKE: dict[str, Callable[[], Any]] = {"list": list, "dict": dict, "set": set, "int": int}

Arrays = list[NDArray[Any]]


class Unfreezable(Exception):
    """Something in a state is not on the list."""


class NotAState(ValueError):
    """Data that no `freeze` has written, or that of other classes."""


def freeze(value: Any, arrays: Arrays) -> list[Any]:
    """A graph of objects as a table that JSON can hold; shared objects stay shared.

    Parameters
    ----------
    value : object
    arrays : list of ndarray
        The arrays of the graph are appended to it; the table has their places.

    Returns
    -------
    list
        One row an object; the first is `value`.

    Raises
    ------
    Unfreezable
    """
    return _Freezer(arrays).table(value)


def thaw(table: Any, arrays: Arrays) -> Any:
    """What was frozen.

    Parameters
    ----------
    table : list
        What `freeze` returned.
    arrays : list of ndarray
        As `freeze` left it.

    Raises
    ------
    NotAState
    """
    try:
        return _Thawer(table, arrays).at(0)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, re.error) as error:
        raise NotAState(str(error)) from error


def _is_ours(kind: type) -> bool:
    module = kind.__module__
    return module.startswith(_OURS) and module != _NEVER


def _may_act(owner: Any) -> bool:
    """Whether a method of an object may be part of a state."""
    return isinstance(owner, re.Pattern) or _is_ours(type(owner))


def _name(kind: Any) -> list[str]:
    module, name = kind.__module__, kind.__qualname__
    if not str(module).startswith(_OURS) or _find(module, name) is not kind:
        raise Unfreezable(f"{module}.{name}")
    return [module, name]


def _find(module: str, name: str) -> Any:
    """What is called so in a module of trainlens: one of the readers, or imported already."""
    if not module.startswith(_OURS):
        raise NotAState(module)
    if module.startswith(_READERS) and module not in sys.modules:
        try:
            importlib.import_module(module)  # a decoder is imported when it is first needed
        except ImportError as error:
            raise NotAState(module) from error
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


class _Freezer:
    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._rows: list[Any] = []
        self._places: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no number of an object is given out again
        self._depth = 0

    def table(self, value: Any) -> list[Any]:
        self._row(value)
        return self._rows

    def _put(self, value: Any) -> Any:
        """A simple value as itself, anything else as the place of its row in a list."""
        if type(value) in _SIMPLE:
            return value
        place = self._places.get(id(value))
        return [self._row(value) if place is None else place]

    def _row(self, value: Any) -> int:
        place = len(self._rows)
        if place > MOST or self._depth > _DEPTH:
            raise Unfreezable("a state too large")
        self._rows.append(None)
        self._places[id(value)] = place
        self._kept.append(value)
        self._depth += 1
        self._rows[place] = self._content(value)
        self._depth -= 1
        return place

    def _content(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind in _SIMPLE:
            return ["value", value]
        if kind in (list, tuple, set, frozenset):
            return [kind.__name__, *map(self._put, value)]
        if kind is deque:
            return ["deque", value.maxlen, *map(self._put, value)]
        if kind is dict:
            return ["dict", *self._pairs(value)]
        if kind is defaultdict:
            return ["defaultdict", self._factory(value), *self._pairs(value)]
        if kind in (bytes, bytearray):
            return [kind.__name__, value.decode("latin-1")]
        return self._other(kind, value)

    def _other(self, kind: type, value: Any) -> list[Any]:
        if isinstance(value, Path):
            return ["path", str(value)]
        if kind is re.Pattern:
            return ["pattern", self._put(value.pattern), value.flags]
        if kind is np.ndarray and value.dtype.kind in "biufSU":
            self._arrays.append(value)
            return ["array", len(self._arrays) - 1]
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            return ["number", value.dtype.str, value.item()]
        if isinstance(value, (MethodType, BuiltinMethodType)) and _may_act(value.__self__):
            return ["method", self._put(value.__self__), value.__name__]
        if kind is FunctionType or isinstance(value, type):
            return ["name", *_name(value)]
        if _is_ours(kind):
            return self._own(kind, value)
        raise Unfreezable(f"{kind.__module__}.{kind.__qualname__}")

    def _own(self, kind: type, value: Any) -> list[Any]:
        if isinstance(value, Enum):
            return ["enum", *_name(kind), value.name]
        if isinstance(value, tuple):
            return ["named", *_name(kind), *map(self._put, value)]
        state = getattr(value, "state", None)
        if type(state) is BuiltinMethodType:  # a compiled class
            return ["compiled", *_name(kind), *map(self._put, state())]
        if isinstance(value, (dict, list, set, str, bytes, int, float)):
            raise Unfreezable(kind.__qualname__)
        return ["object", *_name(kind), *self._pairs(_fields(value))]

    def _pairs(self, mapping: dict[Any, Any]) -> list[Any]:
        return [self._put(part) for pair in mapping.items() for part in pair]

    def _factory(self, value: defaultdict[Any, Any]) -> str:
        make = value.default_factory
        for name, known in _MAKE.items():
            if make is known:
                return name
        raise Unfreezable("a defaultdict")


def _fields(value: Any) -> dict[str, Any]:
    """The fields of an object, in its dictionary and in its slots."""
    found = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                found[name] = getattr(value, name)
    if not found and not hasattr(value, "__dict__") and not hasattr(type(value), "__slots__"):
        raise Unfreezable(type(value).__qualname__)  # compiled, with a state of its own
    return found


class _Thawer:
    def __init__(self, table: Any, arrays: Arrays) -> None:
        self._rows = table
        self._arrays = arrays
        self._made: dict[int, Any] = {}

    def at(self, place: int) -> Any:
        if place not in self._made:
            tag, *rest = self._rows[place]
            make = getattr(self, f"make_{tag}", None)
            if make is None:
                raise NotAState(str(tag))
            found = make(place, rest)
            self._made[place] = found
        return self._made[place]

    def _get(self, put: Any) -> Any:
        return self.at(put[0]) if isinstance(put, list) else put

    def _all(self, row: list[Any]) -> list[Any]:
        return [self._get(part) for part in row]

    def make_value(self, place: int, row: list[Any]) -> Any:
        return row[0]

    # What may hold itself is known before it is filled.

    def make_list(self, place: int, row: list[Any]) -> Any:
        found = self._made[place] = []
        found.extend(self._all(row))
        return found

    def make_set(self, place: int, row: list[Any]) -> Any:
        found = self._made[place] = set()
        found.update(self._all(row))
        return found

    def make_dict(self, place: int, row: list[Any]) -> Any:
        return self._filled(place, {}, row)

    def make_defaultdict(self, place: int, row: list[Any]) -> Any:
        return self._filled(place, defaultdict(_MAKE[row[0]]), row[1:])

    def _filled(self, place: int, found: dict[Any, Any], row: list[Any]) -> Any:
        self._made[place] = found
        for key, value in zip(row[::2], row[1::2], strict=True):
            found[self._get(key)] = self._get(value)
        return found

    def make_deque(self, place: int, row: list[Any]) -> Any:
        found: deque[Any] = deque(maxlen=row[0])
        self._made[place] = found
        found.extend(self._all(row[1:]))
        return found

    def make_object(self, place: int, row: list[Any]) -> Any:
        found = self._made[place] = object.__new__(self._kind(row))
        for name, value in zip(row[2::2], row[3::2], strict=True):
            # Frozen dataclasses refuse any other way.
            object.__setattr__(found, name, self._get(value))
        return found

    def make_tuple(self, place: int, row: list[Any]) -> Any:
        return tuple(self._all(row))

    def make_frozenset(self, place: int, row: list[Any]) -> Any:
        return frozenset(self._all(row))

    def make_named(self, place: int, row: list[Any]) -> Any:
        return tuple.__new__(self._kind(row), self._all(row[2:]))

    def make_enum(self, place: int, row: list[Any]) -> Any:
        return self._kind(row)[row[2]]

    def make_compiled(self, place: int, row: list[Any]) -> Any:
        found = self._made[place] = self._kind(row)()
        found.restore(*self._all(row[2:]))
        return found

    def _kind(self, row: list[Any]) -> Any:
        found = _find(row[0], row[1])
        if not isinstance(found, type) or not _is_ours(found):
            raise NotAState(f"{row[0]}.{row[1]}")
        return found

    def make_name(self, place: int, row: list[Any]) -> Any:
        found = _find(row[0], row[1])
        if not isinstance(found, (FunctionType, type)):
            raise NotAState(f"{row[0]}.{row[1]}")
        return found

    def make_method(self, place: int, row: list[Any]) -> Any:
        owner = self._get(row[0])
        if not _may_act(owner) or not callable(getattr(type(owner), row[1], None)):
            raise NotAState(str(row[1]))
        return getattr(owner, row[1])

    def make_bytes(self, place: int, row: list[Any]) -> Any:
        return row[0].encode("latin-1")

    def make_bytearray(self, place: int, row: list[Any]) -> Any:
        return bytearray(row[0].encode("latin-1"))

    def make_path(self, place: int, row: list[Any]) -> Any:
        return Path(row[0])

    def make_pattern(self, place: int, row: list[Any]) -> Any:
        return re.compile(self._get(row[0]), row[1])

    def make_number(self, place: int, row: list[Any]) -> Any:
        return np.dtype(row[0]).type(row[1])

    def make_array(self, place: int, row: list[Any]) -> Any:
        return self._arrays[row[0]]
