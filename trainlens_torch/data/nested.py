"""Batches and samples in any nesting: what is in them, and the same with other contents."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from torch.nn.utils.rnn import PackedSequence

__all__ = ["leaves", "mapped"]

_TEXT = (str, bytes, bytearray, memoryview, range)


def mapped(given: Any, change: Callable[[Any], Any]) -> Any:
    """The same nesting with `change` of each of its leaves.

    Parameters
    ----------
    given : object
        Mappings, sequences, named tuples and dataclasses are rebuilt as what they are; a
        `PackedSequence` and everything else is a leaf.
    change : callable

    Examples
    --------
    >>> mapped({"a": [1, (2, 3)]}, lambda x: 10 * x)
    {'a': [10, (20, 30)]}
    """
    if isinstance(given, Mapping):
        return _mapping(given, {k: mapped(v, change) for k, v in given.items()})
    if _is_dataclass(given):
        return _dataclass(given, change)
    if _is_sequence(given):
        return _sequence(given, [mapped(one, change) for one in given])
    return change(given)


def leaves(given: Any) -> Iterator[Any]:
    """What `mapped` would give to `change`, in order.

    Parameters
    ----------
    given : object

    Examples
    --------
    >>> list(leaves({"a": [1, (2, 3)], "b": "text"}))
    [1, 2, 3, 'text']
    """
    if isinstance(given, Mapping):
        inner: Any = given.values()
    elif _is_dataclass(given):
        inner = [getattr(given, f.name) for f in dataclasses.fields(given)]
    elif _is_sequence(given):
        inner = given
    else:
        yield given
        return
    for one in inner:
        yield from leaves(one)


def _is_dataclass(given: Any) -> bool:
    return dataclasses.is_dataclass(given) and not isinstance(given, type)


def _is_sequence(given: Any) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, (*_TEXT, PackedSequence))


def _mapping(given: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    if type(given) is dict:
        return values
    if isinstance(given, MutableMapping):
        # A copy keeps what the type has besides its items, such as a default.
        made = copy.copy(given)
        made.update(values)
        return made
    return type(given)(values)  # type: ignore[call-arg]  # as other read-only mappings are made


def _dataclass(given: Any, change: Callable[[Any], Any]) -> Any:
    made = copy.copy(given)
    for field in dataclasses.fields(given):
        # As dataclasses do it themselves where they are frozen.
        object.__setattr__(made, field.name, mapped(getattr(given, field.name), change))
    return made


def _sequence(given: Any, values: list[Any]) -> Any:
    if isinstance(given, tuple):
        return type(given)(*values) if hasattr(given, "_fields") else type(given)(values)
    if type(given) is list:
        return values
    try:
        made = copy.copy(given)
        made[:] = values
    except TypeError:  # read-only
        return values
    return made
