"""Values of settings: a threshold is of the kind of its default."""

from __future__ import annotations

import math
from typing import Any


def like(default: Any, value: Any) -> Any:
    """A value as a setting with that default takes it.

    A whole number where the default is one, else a number; above 0 where the default is, at least
    0 where it is 0. A default that is no number is matched in its type alone.

    Raises
    ------
    ValueError
        What was expected, and what came.
    """
    if isinstance(default, bool) or not isinstance(default, int | float):
        return _of_type(default, value)
    number = _number(value)
    whole = isinstance(default, int)
    if number is None or (whole and number != int(number)) or not _in_range(default, number):
        raise ValueError(f"expected {_expected(default, whole)}, not {_shown(value)}")
    return int(number) if whole else number


def _of_type(default: Any, value: Any) -> Any:
    if default is None or isinstance(value, type(default)):
        return value
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    kinds = {bool: "true or false", str: "a text", tuple: "a list"}
    expected = kinds.get(type(default), f"a {type(default).__name__}")
    raise ValueError(f"expected {expected} such as {default!r}, not {_shown(value)}")


def _number(value: Any) -> int | float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return value if known and math.isfinite(value) else None


def _in_range(default: float, value: float) -> bool:
    return value > 0 if default > 0 else value >= 0 if default == 0 else True


def _expected(default: float, whole: bool) -> str:
    kind = "a whole number" if whole else "a number"
    bound = " above 0" if default > 0 else " of at least 0" if default == 0 else ""
    return f"{kind}{bound} such as {default}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
