"""The beginning of ``catboost_training.json``: what the run is, and whether it can be trusted."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

META = re.compile(rb'"meta"\s*:\s*')
_BEFORE = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,64}\{\s{0,64}")
_BEHIND = re.compile(rb'\s{0,64},\s{0,64}"iterations"\s{0,64}:\s{0,64}\[')
_SIGNS = (b'"passed_time"', b'"iteration":', b"]}")


class Header(NamedTuple):
    """What stands before the first entry.

    Parameters
    ----------
    meta : dict
        Empty where it cannot be read.
    damage : str
        Empty where nothing is wrong.
    lost : int
        Entries that were there once.
    """

    meta: dict[str, Any]
    damage: str = ""
    lost: int = 0


def read_header(data: bytes) -> Header:
    """The header in all bytes before the first entry."""
    match = META.search(data)
    meta, end = _decoded(data[match.end() :]) if match else ({}, 0)
    if match is None or not meta:
        what = "what the run is and how its metrics are called cannot be read"
        return Header({}, what, _entries(data))
    behind = data[match.end() + end :]
    begins = _BEFORE.fullmatch(data, 0, match.start())
    if not begins or not _BEHIND.fullmatch(behind):
        return Header(meta, "the beginning of the file is damaged", _entries(behind))
    if not _clean(data[match.end() : match.end() + end]) or not _consistent(meta):
        what = "what the run is and how its metrics are called is damaged, kept as it can be read"
        return Header(meta, what)
    return Header(meta)


def _decoded(data: bytes) -> tuple[dict[str, Any], int]:
    """The object at the beginning, and its length in bytes."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        meta, end = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return {}, 0
    if not isinstance(meta, dict):
        return {}, 0
    if not _clean(data):
        # Lone surrogates are no text that could be written anywhere.
        cleaned = text[:end].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        meta = json.loads(cleaned, strict=False)
    return meta, len(text[:end].encode("utf-8", "surrogateescape"))


def _clean(data: bytes) -> bool:
    """Whether bytes are the JSON that a writer writes: no odd bytes, no control characters."""
    try:
        json.loads(data.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _consistent(meta: dict[str, Any]) -> bool:
    """Whether sets come with metrics, and metrics with names."""
    held = 0
    for group in ("learn", "test"):
        sets, metrics = meta.get(f"{group}_sets"), meta.get(f"{group}_metrics")
        named = isinstance(metrics, list) and all(map(_named, metrics))
        if (sets or metrics) and not (named and isinstance(sets, list)):
            return False
        held += bool(metrics)
    return held > 0


def _named(metric: Any) -> bool:
    return bool(metric.get("name")) if isinstance(metric, dict) else isinstance(metric, str)


def _entries(data: bytes) -> int:
    """How many entries have left their traces."""
    return max(data.count(sign) for sign in _SIGNS)
