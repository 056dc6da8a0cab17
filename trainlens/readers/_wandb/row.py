"""What stands in one row of the history, or in one reading of the machine."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from trainlens.readers._values import NON_FINITE
from trainlens.readers._wandb.record import ITEM, NAME_KEYS, VALUE_KEYS, Item, Path

_NUMERIC = b"-0123456789NI"
_DEEP = 16


class Row:
    """The numbers of a row by name, and what its other items are.

    Parameters
    ----------
    found : iterable of Item

    Attributes
    ----------
    values : dict of str to float
        Nested names are joined with a dot, as W&B shows them.
    others : dict of str to str
        What a name holds that is no number: ``"text"``, ``"histogram"``, ``"image-file"``.
    """

    def __init__(self, found: Iterable[Item] = ()) -> None:
        self.values: dict[str, float] = {}
        self.others: dict[str, str] = {}
        self.add(found)

    def add_plain(self, data: bytes, at: int, end: int) -> int:
        """Take in the short items of one name and a number that a message begins with.

        Returns
        -------
        int
            Offset of the first field of another kind.
        """
        values = self.values
        while end - at > 8 and data[at] == ITEM and data[at + 1] < 128:
            behind = at + 2 + data[at + 1]
            value = at + 7 + data[at + 3]
            size = behind - value
            if behind > end or size < 1 or data[at + 2] not in NAME_KEYS:
                break
            if data[value - 3 : value] != VALUE_KEYS[size] or data[value] not in _NUMERIC:
                break
            try:
                values[_name(data[at + 4 : value - 3])] = float(data[value:behind])
            except ValueError:
                break
            at = behind
        return at

    def add(self, found: Iterable[Item]) -> None:
        """Take in items of any kind."""
        nested: list[tuple[Path, float | None, str]] = []
        for path, raw in found:
            value = _number(raw)
            if len(path) > 1:
                nested.append((path, value, "" if value is not None else _word(raw)))
                if path[-1] == "_type":
                    self.others[".".join(path[:-1])] = str(_loaded(raw))
            elif path:
                self._add(path[0], value, raw)
        if nested:
            self._add_nested(nested)

    def _add(self, name: str, value: float | None, raw: bytes) -> None:
        if value is not None:
            self.values[name] = value
        elif raw[:1] == b"{":
            self._flatten(name, _loaded(raw), 0)
        elif word := _word(raw):
            self.others[name] = word

    def _flatten(self, name: str, value: Any, depth: int) -> None:
        if isinstance(value, dict) and depth < _DEEP and not isinstance(value.get("_type"), str):
            for key, child in value.items():
                self._flatten(f"{name}.{key}", child, depth + 1)
        elif isinstance(value, dict):
            self.others[name] = str(value.get("_type", "deep dict"))
        elif type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity"):
            self.values[name] = _as_float(value)
        elif value is not None:
            self.others[name] = _WORDS.get(type(value), "text")

    def _add_nested(self, nested: list[tuple[Path, float | None, str]]) -> None:
        media = {path[:-1] for path, _, _ in nested if path[-1] == "_type"}
        for path, value, word in nested:
            if media and any(path[:n] in media for n in range(1, len(path))):
                continue
            if value is not None:
                self.values[".".join(path)] = value
            elif word:
                self.others[".".join(path)] = word


_WORDS = {str: "text", bool: "yes or no", list: "list"}
_BY_MARK = {b'"': "text", b"t": "yes or no", b"f": "yes or no", b"[": "list", b"{": "dict"}


def _number(raw: bytes) -> float | None:
    if not raw or raw[0] not in _NUMERIC:
        text = raw[1:-1].decode("ascii", "replace") if raw[:1] == b'"' and len(raw) < 12 else ""
        return NON_FINITE.get(text)
    try:
        return float(raw)
    except ValueError:
        return None


def _word(raw: bytes) -> str:
    return _BY_MARK.get(raw[:1], "") if raw[:4] != b"null" else ""


def _loaded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _as_float(value: Any) -> float:
    if isinstance(value, str):
        return NON_FINITE[value]
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


@lru_cache(maxsize=4096)
def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
