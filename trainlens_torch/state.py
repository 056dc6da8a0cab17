"""State that is saved with a checkpoint: versioned, plain, and compared before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["StateMismatch", "packed", "unpacked"]

_MOST_NAMED = 4


class StateMismatch(ValueError):
    """A saved state belongs to another version or another configuration; nothing was loaded.

    The message names every difference, up to four of them.
    """


def packed(owner: str, version: int, config: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    """State of one object, of plain Python values.

    Parameters
    ----------
    owner : str
        What the state belongs to, such as ``"Clock"``.
    version : int
        Of this form of the state.
    config : mapping
        What the object was made with, in plain values: what `unpacked` compares.
    **values
        What changes while it is used.

    Returns
    -------
    dict
    """
    return {"owner": owner, "version": version, "config": dict(config), **values}


def unpacked(
    state: Mapping[str, Any], owner: str, version: int, config: Mapping[str, Any], *keys: str
) -> tuple[Any, ...]:
    """Values of a saved state, after a check that they fit.

    Parameters
    ----------
    state : mapping
        From `packed`.
    owner, version, config
        Of the object that is to take it.
    *keys : str
        Values to return, in order.

    Returns
    -------
    tuple

    Raises
    ------
    StateMismatch
        Another owner or version, a configuration that differs, or a value that is missing.
    """
    if not isinstance(state, Mapping) or "owner" not in state:
        raise StateMismatch(f"this is no saved state of a {owner}")
    if state["owner"] != owner:
        raise StateMismatch(f"this state belongs to a {state['owner']}, not to a {owner}")
    if state.get("version") != version:
        raise StateMismatch(
            f"the state of the {owner} has version {state.get('version')}, this one reads "
            f"version {version}; resume with the version that saved it"
        )
    found = list(_differences(state.get("config", {}), config))
    if found:
        more = f", and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        raise StateMismatch(
            f"the {owner} was made with another configuration than the saved one: "
            + "; ".join(found[:_MOST_NAMED])
            + more
        )
    missing = [key for key in keys if key not in state]
    if missing:
        raise StateMismatch(f"the state of the {owner} has no {missing[0]!r}")
    return tuple(state[key] for key in keys)


def _differences(saved: Any, now: Any, at: str = "") -> list[str]:
    """Each place at which two plain values differ, in words."""
    if isinstance(saved, Mapping) and isinstance(now, Mapping):
        keys = [*saved, *(key for key in now if key not in saved)]
        return [
            text
            for key in keys
            for text in _differences(
                saved.get(key, _NOTHING), now.get(key, _NOTHING), f"{at}.{key}" if at else str(key)
            )
        ]
    if isinstance(saved, list | tuple) and isinstance(now, list | tuple) and len(saved) == len(now):
        return [
            text
            for i, (a, b) in enumerate(zip(saved, now, strict=True))
            for text in _differences(a, b, f"{at}[{i}]")
        ]
    same = saved == now or (saved != saved and now != now)
    return [] if same else [f"{at or 'it'} was {saved!r}, is {now!r}"]


class _Nothing:
    def __repr__(self) -> str:
        return "not there"


_NOTHING = _Nothing()
