"""What a user gives for the head of a log, as plain JSON values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

__all__ = ["planned", "readable", "total_updates"]

_DEEP = 20
_MANY = (list, tuple, set, frozenset)


def readable(given: Any, depth: int = 0) -> Any:
    """Plain JSON values of a configuration; what has none becomes its text.

    Parameters
    ----------
    given : object
        Mappings, dataclasses, namespaces (``argparse``), sequences and scalars, in any nesting.
    depth : int
        Below 20 levels only its kind is told; so a structure may hold itself.

    Examples
    --------
    >>> from pathlib import Path
    >>> readable({"lr": 0.1, "data": Path("a"), "betas": (0.9, 0.99)})
    {'lr': 0.1, 'data': 'a', 'betas': [0.9, 0.99]}
    """
    if given is None or type(given) in (bool, int, float, str):
        return given
    inner = _mapping(given)
    if depth >= _DEEP and (inner is not None or isinstance(given, _MANY)):
        return f"<{type(given).__name__}>"
    if depth <= _DEEP:
        if inner is not None:
            return {str(name): readable(value, depth + 1) for name, value in inner.items()}
        if isinstance(given, _MANY):
            return [readable(value, depth + 1) for value in given]
        if getattr(given, "shape", None) == () and hasattr(given, "item"):
            return readable(given.item(), _DEEP + 1)
    return str(given)[:1000]


def planned(schedules: Any) -> Any:
    """Planned schedules by field, also of a `Scheduler` or of one of its parts."""
    for name in ("header", "plan"):
        tell = getattr(schedules, name, None)
        if callable(tell):
            return tell()
    return schedules


def _mapping(given: Any) -> Mapping[Any, Any] | None:
    if isinstance(given, Mapping):
        return given
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        names = [field.name for field in dataclasses.fields(given)]
        return {name: getattr(given, name, None) for name in names}
    if type(given).__name__ in ("Namespace", "SimpleNamespace"):
        return dict(vars(given))
    return None


def total_updates(schedules: Any, config: Any) -> float | None:
    """Updates of the whole training, where the head of the log tells them."""
    for given in (schedules, config):
        found = given.get("total_steps") if isinstance(given, Mapping) else None
        if isinstance(found, int | float) and found > 0:
            return float(found)
    return None
