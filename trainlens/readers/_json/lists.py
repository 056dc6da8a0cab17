"""Metrics kept as one list each in a single object: ``{"loss": [2.3, 1.9], "val_loss": [..]}``.

So Keras' ``history.history`` is saved, and pandas saves its table: ``{"loss": {"0": 2.3, ..}}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trainlens.readers._json.decode import Object
from trainlens.readers._json.points import List, as_points, as_records, of_points, of_records
from trainlens.readers._values import EPOCH_KEYS, STEP_KEYS, known_split, number
from trainlens.roles import parse_name, role_of

_DEEPEST = 8
_NAMED = re.compile(rb'"((?:[^"\\]|\\.){1,100})"\s*:\s*[\[{]\s*(?:"0"\s*:\s*)?(?:-?\d|NaN|null)')
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[\]{},]', re.DOTALL)
_KEYED = re.compile(rb'"(?:epoch[ _-]?)?\d+"\s*:\s*\{', re.IGNORECASE)
_EXPORT = re.compile(rb"\[\s*\[\s*\d{9,}(?:\.\d*)?\s*,\s*\d+\s*,")
_HEADER = re.compile(rb'\{\s*"schema"\s*:\s*"trainlens\.log/')
_TAG = re.compile(r"run-(.*?)-tag-(.+)")
MORE_STEPS = (*STEP_KEYS, "steps", "iterations", "iters")
MORE_EPOCHS = (*EPOCH_KEYS, "epochs")
AXES = frozenset({*MORE_STEPS, *MORE_EPOCHS})
_ONE = AXES - {"steps", "iterations", "iters", "epochs"}
"""Counters of one record; the others may also say how many there will be."""

_CLOSED_BY = {b"[": b"]", b"{": b"}"}
_STEM = re.compile(r"hist|log|metric|train|result|curve|loss", re.IGNORECASE)
_WRAPPERS = frozenset(
    {"history", "metrics", "logs", "log", "results", "epochs", "steps", "log_history"}
    | {"entries", "records", "rows", "data"}
)


def tag_of(stem: str) -> str:
    """The metric of a series that TensorBoard exported, by the file's name; empty for others."""
    found = _TAG.match(stem)
    if not found:
        return ""
    split = known_split(re.split(r"[-_.]", found.group(1))[-1])
    name = found.group(2)
    return name if parse_name(name)[1] or not split else f"{split}/{name}"


def parse(data: bytes, stem: str = "") -> Object | None:
    """The one object of a document, None where it is not (yet) one.

    Parameters
    ----------
    data : bytes
    stem : str
        Name of the file: an array of points is the metric that it names.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data.decode("utf-8", "replace"))  # takes NaN in a list as well
        except (ValueError, RecursionError):
            return None
    if isinstance(value, list) and (name := tag_of(stem)):
        return {name: value}
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


def lists(document: Object, above: str = "", depth: int = 0) -> Iterator[List]:
    """The lists of numbers of a document, and those that its lists of records and points make."""
    if not depth and (rows := as_records(document)) is not None:
        yield from of_records(rows, "")
        return
    for key, value in document.items():
        name = key if not above or above in _WRAPPERS else f"{above}/{key}"
        held = _as_list(value)
        if (rows := as_records(value)) is not None:
            yield from of_records(rows, "" if name in _WRAPPERS else name)
        elif (pairs := as_points(value)) is not None:
            yield of_points(name, pairs)
        elif held is not None:
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
    if as_records(document) is not None:
        return {}
    return {
        key: value
        for key, value in document.items()
        if _as_list(value) is None
        and not (isinstance(value, dict) and next(lists(value), None) is not None)
    }


def confidence(path: Path, data: bytes, whole: bool) -> float:
    """Confidence in [0, 1] that a file is one object of lists of metrics."""
    body = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if body[:1] == b"[":
        return 0.75 if _EXPORT.match(body) and tag_of(path.stem) else 0.0
    if body[:1] != b"{" or _HEADER.match(body) or (not whole and _is_lines(body)):
        return 0.0  # a header may be all that is there yet, and its settings hold lists
    if not (b"[" in body or b'"0"' in body or _KEYED.search(body)):
        return 0.0
    document = parse(body) if whole else None
    if document is None:
        if _is_lines(body):
            return 0.0
        document = None if whole or b"loss" not in body.lower() else salvage(body)
        names = [found.name for found in lists(document)] if document else []
        names += [m.decode("utf-8", "replace") for m in _NAMED.findall(body)]
    else:
        names = [found.name for found in lists(document)]
        if any(number(document.get(key)) is not None for key in _ONE):
            return 0.0
    return 0.75 if _tell(names, path, whole and document is not None) else 0.0


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
