"""What the columns of a CatBoost training are called, and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from trainlens.readers._catboost.rows import Cell
from trainlens.readers._columns import Key
from trainlens.readers._values import whole


class Names:
    """Names, splits and kinds of the values, from the JSON log or from the tables' headers."""

    def __init__(self) -> None:
        self._metrics: dict[str, list[str]] = {}
        self._headers: dict[str, list[str]] = {}
        self._learn: list[str] = []
        self._tests: list[str] = []
        self._objective = ""
        self._known: dict[Cell, Key] = {}

    def take_meta(self, meta: Mapping[str, Any]) -> None:
        """Take what the JSON log says of its sets and metrics."""
        self._learn = _strings(meta.get("learn_sets")) or self._learn
        self._tests = _strings(meta.get("test_sets")) or self._tests
        learn = _metrics(meta.get("learn_metrics"))
        if learn or "test_metrics" in meta:
            self._metrics = {"learn": learn, "test": _metrics(meta.get("test_metrics"))}
            first = (meta.get("learn_metrics") or [{}])[0]
            minimised = isinstance(first, dict) and first.get("best_value") == "Min"
            self._objective = learn[0] if learn and minimised else ""

    def take_header(self, group: str, names: list[str]) -> None:
        """Take the names in the header of a table."""
        if group and names:
            self._headers[group] = names

    def __call__(self, cell: Cell) -> Key:
        """What a column is called; it keeps that name."""
        if cell not in self._known:
            self._known[cell] = self._key(cell)
        return self._known[cell]

    def _key(self, cell: Cell) -> Key:
        if not cell.group:
            return Key(str(cell.metric), unit="s")
        name = self._name(cell)
        kind = "loss" if name == self._objective else ""
        return Key(name, self._split(cell.group), kind)

    def _name(self, cell: Cell) -> str:
        place = cell.metric if isinstance(cell.metric, int) else 0
        own = self._metrics.get("learn" if self._is_learn(cell.group) else "test", [])
        for names in (own, self._headers.get(cell.group, []), *self._headers.values()):
            if place < len(names) and names[place]:
                return names[place]
        return f"metric_{place}"

    def _is_learn(self, group: str) -> bool:
        return group in (self._learn or ["learn"])

    def _split(self, group: str) -> str:
        if self._is_learn(group):
            return "train"
        first = self._tests[:1] or ["test", "test0"]
        return "val" if group in first else group


def settings(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that the JSON log holds."""
    found: dict[str, Any] = {}
    planned = whole(meta.get("iteration_count"))
    if planned:
        found["planned_steps"] = planned
    for key in ("name", "launch_mode", "learn_sets", "test_sets"):
        if meta.get(key):
            found[key] = meta[key]
    best = {**_best(meta.get("test_metrics")), **_best(meta.get("learn_metrics"))}
    if best:
        found["best_value"] = best
    parameters = _parameters(meta.get("parameters"))
    if parameters:
        found["parameters"] = parameters
    return found


def _parameters(value: Any) -> Any:
    """Parameters, decoded where they are JSON in a string."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _best(metrics: Any) -> dict[str, Any]:
    held = [m for m in metrics if isinstance(m, dict)] if isinstance(metrics, list) else []
    return {str(m["name"]): m["best_value"] for m in held if "name" in m and "best_value" in m}


def _metrics(value: Any) -> list[str]:
    if not isinstance(value, list):
        return []
    return [str(m.get("name") or "") if isinstance(m, dict) else str(m) for m in value]


def _strings(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
