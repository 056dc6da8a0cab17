"""Schedules from the header of a log, and the list of those that there are."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from trainlens_torch.place import Place
from trainlens_torch.schedules.base import Schedule, is_place, key_of, real
from trainlens_torch.schedules.chain import Chain, Part

__all__ = ["every_schedule", "schedule_from_spec"]

_AROUND = frozenset({"kind", "base", "total_steps", "ratios"})
"""Keys beside those of a kind: they belong to who applies the schedule."""
_ENDS = frozenset({"until", "until_steps"})
_DEEPEST = 8


@cache
def every_schedule() -> Mapping[str, type[Schedule]]:
    """Every schedule of this folder by its kind."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{package}.{module.name}")
    found: dict[str, type[Schedule]] = {}
    for one in Schedule.__subclasses__():
        if one.__module__.startswith(f"{package}."):
            if one.kind in found:
                raise ValueError(f"two schedules are of the kind {one.kind!r}")
            found[one.kind] = one
    return MappingProxyType(dict(sorted(found.items())))


def schedule_from_spec(spec: Mapping[str, Any]) -> Schedule:
    """A schedule from plain values: the inverse of `Schedule.spec`.

    Parameters
    ----------
    spec : mapping
        As the header of a log holds it (`trainlens.schema`): a ``kind`` and its keys; shares, or
        with ``_steps`` behind the name optimizer updates. ``base``, ``total_steps`` and ``ratios``
        belong to what applies the schedule and are passed over; within a chain, ``base`` is that
        of the part.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError, ValueError
        No mapping, an unknown kind or key, one that is missing, or a value that is out of bounds.

    Examples
    --------
    >>> schedule_from_spec({"kind": "cosine", "base": 1e-4, "end": 0.01})
    Cosine(end=0.01)
    """
    return _schedule(spec, 0)


def _schedule(spec: object, depth: int) -> Schedule:
    if not isinstance(spec, Mapping):
        raise TypeError(f"a schedule is a mapping with a kind, not {spec!r}")
    kind, kinds = spec.get("kind"), {k: v for k, v in every_schedule().items() if k != "custom"}
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"unknown kind of schedule {kind!r}; there are: {', '.join(kinds)}")
    around = _AROUND | _ENDS if depth else _AROUND
    keys = {str(key): value for key, value in spec.items() if key not in around}
    if kind == Chain.kind:
        return _chain(keys, depth)
    return _plain(kinds[kind], keys)


def _plain(made: type[Schedule], keys: dict[str, Any]) -> Schedule:
    given: dict[str, Any] = {}
    for field in dataclasses.fields(made):
        key = key_of(field)
        if is_place(field) and f"{key}_steps" in keys:
            if key in keys:
                raise ValueError(f"{made.kind} has both {key!r} and '{key}_steps'")
            given[field.name] = _places(keys.pop(f"{key}_steps"), "ba")
        elif key in keys:
            value = keys.pop(key)
            given[field.name] = _places(value, "dur") if is_place(field) else value
        elif field.default is dataclasses.MISSING:
            raise ValueError(f"{made.kind} needs {key!r}")
    _refuse_rest(made.kind, keys)
    return made(**given)


def _chain(keys: dict[str, Any], depth: int) -> Chain:
    parts = keys.pop("parts", None)
    _refuse_rest(Chain.kind, keys)
    if not isinstance(parts, Sequence) or isinstance(parts, str):
        raise ValueError("chain needs 'parts', a list of schedules")
    if depth >= _DEEPEST:
        raise ValueError(f"chains lie within each other more than {_DEEPEST} deep")
    return Chain(parts=[_part(one, depth) for one in parts])


def _part(spec: Any, depth: int) -> Part:
    schedule, until = _schedule(spec, depth + 1), None
    if "until_steps" in spec:
        until = _places(spec["until_steps"], "ba")
    elif "until" in spec:
        until = _places(spec["until"], "dur")
    return Part(schedule, until, None, spec.get("base", 1.0))


def _places(value: Any, unit: str) -> Any:
    """Places of a log, which may lie beyond the end of the training."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [Place(real(one), unit) for one in value]
    return Place(real(value), unit)


def _refuse_rest(kind: str, keys: Mapping[str, Any]) -> None:
    if keys:
        names = ", ".join(repr(key) for key in list(keys)[:4])
        raise ValueError(f"{kind} has no {names}")
