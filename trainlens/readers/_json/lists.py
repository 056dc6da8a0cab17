"""Metrics kept as one list each in a single object: ``{"loss": [2.3, 1.9], "val_loss": [..]}``.

So Keras' ``history.history`` is saved, and pandas saves its table: ``{"loss": {"0": 2.3, ..}}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from trainlens.chunk import Floats
from trainlens.readers._json.decode import Object
from trainlens.readers._values import EPOCH_KEYS, STEP_KEYS, number
from trainlens.roles import parse_name, role_of

_DEEPEST = 8
_NAMED = re.compile(rb'"((?:[^"\\]|\\.){1,100})"\s*:\s*[\[{]\s*(?:"0"\s*:\s*)?(?:-?\d|NaN|null)')
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[\]{},]', re.DOTALL)
_CLOSED_BY = {b"[": b"]", b"{": b"}"}
_STEM = re.compile(r"hist|log|metric|train|result|curve|loss", re.IGNORECASE)
_WRAPPERS = frozenset({"history", "metrics", "logs", "log", "results"})
AXES = frozenset({*STEP_KEYS, *EPOCH_KEYS})


def parse(data: bytes) -> Object | None:
    """The one object of a document, None where it is not (yet) one."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data.decode("utf-8", "replace"))  # takes NaN in a list as well
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def salvage(data: bytes) -> Object | None:
    """The complete numbers of a document that ends too early."""
    closing = b""
    cut, ended = 0, b""
    for found in _TOKEN.finditer(data):
        sign = found.group()
        if sign == b",":
            cut, ended = found.start(), closing
        elif sign in _CLOSED_BY:
            closing = _CLOSED_BY[sign] + closing
        elif sign in b"]}":
            if closing[:1] != sign:
                return None
            closing = closing[1:]
            cut, ended = found.end(), closing
        if len(closing) > 100:
            return None
    return parse(data[:cut] + ended)


class List(NamedTuple):
    """The numbers of one list.

    Parameters
    ----------
    name : str
        Keys that lead to it, joined with ``/``.
    at : ndarray of intp, shape (n,)
        Places of the numbers in the list.
    value : ndarray of float64, shape (n,)
        NaN is a number, null is none.
    length : int
        Of the list.
    """

    name: str
    at: NDArray[np.intp]
    value: Floats
    length: int

    def goes_on(self, before: List) -> bool:
        """Whether an earlier version of this list is the beginning of it."""
        n = len(before.at)
        return (
            np.array_equal(self.at[:n], before.at)
            and np.array_equal(self.value[:n], before.value, equal_nan=True)
            and not (self.at[n : n + 1] < before.length).any()
        )


def lists(document: Object, above: str = "", depth: int = 0) -> Iterator[List]:
    """The lists of numbers of a document."""
    for key, value in document.items():
        name = key if not above or above in _WRAPPERS else f"{above}/{key}"
        held = _as_list(value)
        if held is not None:
            if (found := _numbers(name, held)) is not None:
                yield found
        elif isinstance(value, dict) and depth < _DEEPEST:
            yield from lists(value, name, depth + 1)


def _numbers(name: str, held: list[Any]) -> List | None:
    found = [number(v) for v in held]
    at = np.array([i for i, f in enumerate(found) if f is not None], np.intp)
    if not len(at) or any(f is None and v is not None for f, v in zip(found, held, strict=True)):
        return None
    return List(name, at, np.array([f for f in found if f is not None], np.float64), len(held))


def _as_list(value: Any) -> list[Any] | None:
    if isinstance(value, dict) and value and all(map(str.isdecimal, value)):
        return list(value.values()) if list(value) == [str(i) for i in range(len(value))] else None
    return value if isinstance(value, list) else None


def settings(document: Object) -> Object:
    """What else a document holds at its top: numbers, texts, objects without lists of numbers."""
    return {
        key: value
        for key, value in document.items()
        if _as_list(value) is None
        and not (isinstance(value, dict) and next(lists(value), None) is not None)
    }


def confidence(path: Path, data: bytes, whole: bool) -> float:
    """Confidence in [0, 1] that a file is one object of lists of metrics."""
    body = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if body[:1] != b"{" or not (b"[" in body or b'"0"' in body):
        return 0.0
    document = parse(body) if whole else None
    if document is None:
        if _is_lines(body):
            return 0.0
        names = [m.decode("utf-8", "replace") for m in _NAMED.findall(body)]
    else:
        names = [found.name for found in lists(document)]
        if any(number(document.get(key)) is not None for key in AXES):
            return 0.0
    return 0.75 if _tell(names, path, document is not None) else 0.0


def _is_lines(body: bytes) -> bool:
    first, newline, _ = body.partition(b"\n")
    return bool(newline) and parse(first) is not None


def _tell(names: list[str], path: Path, whole: bool) -> bool:
    parsed = [parse_name(name) for name in names]
    roles = [role_of(metric).name for metric, _ in parsed]
    if "loss" in roles:
        return True
    measured = [p for p, role in zip(parsed, roles, strict=True) if role == "metric"]
    both = len({metric for metric, _ in measured}) < len(measured)
    return whole and bool(measured) and both and bool(_STEM.search(path.stem))
