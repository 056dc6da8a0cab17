"""The settings of a nested configuration, by dotted names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

DEEPEST = 16
"""Levels that are opened; what lies deeper is a value. A hostile file may nest without end."""

IDENTITY = frozenset(
    {"run", "created", *(f"aim.{x}" for x in ("hash", "name", "created", "end_time"))}
)
"""What tells runs apart without being a choice of anybody."""


def leaves(config: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Dotted names of settings and their values, in order.

    Parameters
    ----------
    config : mapping
        Mappings within become dots; lists and empty mappings are values.
    above : str
        What stands before each name.

    Examples
    --------
    >>> list(leaves({"model": {"width": 8, "norm": {}}, "lr": 0.1}))
    [('model.width', 8), ('model.norm', {}), ('lr', 0.1)]
    """
    for key, value in config.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value and depth < DEEPEST:
            yield from leaves(value, f"{name}.", depth + 1)
        else:
            yield name, value
