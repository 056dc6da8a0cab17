"""Rows of the history and readings of the machine: numbers become points."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from trainlens.chunk import Column
from trainlens.readers._columns import Columns, Key
from trainlens.readers._tfevents.wire import BYTES, VARINT
from trainlens.readers._values import NON_FINITE, whole
from trainlens.readers._wandb.axes import StepAxes, is_epoch
from trainlens.readers._wandb.record import Item, Path, items, seconds
from trainlens.readers._wandb.wire import fields, signed

_NUMERIC = b"-0123456789NI"
_DEEP = 16
_OWN = frozenset({"_step", "_timestamp", "_runtime"})


class Row:
    """The numbers of some items by name, and what the others are.

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

    def __init__(self, found: Iterator[Item]) -> None:
        self.values: dict[str, float] = {}
        self.others: dict[str, str] = {}
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


class _Points:
    """Points of one metric under construction: steps, values, and the rows they stand in."""

    def __init__(self) -> None:
        self.step: list[int] = []
        self.value: list[float] = []
        self.row: list[int] = []


class History:
    """Gathers the rows and readings of a run in the order of the log.

    Parameters
    ----------
    axes : StepAxes

    Attributes
    ----------
    rows : int
        Rows of the history so far.
    step : int
        Step of the last row, for what has none of its own.
    metrics : set of str
        Names that have points.
    skipped : dict of str to str
        What was passed over, and what it is.
    """

    def __init__(self, axes: StepAxes) -> None:
        self._axes = axes
        self._wall: list[float] = []
        self._epoch: list[float] = []
        self._points: dict[Key, _Points] = {}
        self._counted = -1
        self.rows = self.step = 0
        self.start_time = math.nan
        self.metrics: set[str] = set()
        self.skipped: dict[str, str] = {}

    def add(self, data: bytes, at: int, end: int) -> None:
        """Take in a HistoryRecord."""
        found = fields(data, at, end)
        row = Row(items(data, found))
        values = row.values
        self._counted = _own_step(data, found, values, self._counted + 1)
        used = self._axes.follow(values)
        self._begin_row(values)
        self.step = self._axes.common(self._counted)
        for name, value in values.items():
            if name not in _OWN and name not in used and not is_epoch(name):
                self._point(Key(name), self._axes.step(name, self._counted), value)
        if row.others:
            self.skipped |= {n: w for n, w in row.others.items() if n.split(".")[0] != "_wandb"}
        self.rows += 1

    def _begin_row(self, values: dict[str, float]) -> None:
        wall = values.get("_timestamp", math.nan)
        if wall != wall:
            wall = self.start_time + values.get("_runtime", math.nan)
        epochs = [name for name in values if is_epoch(name)]
        self._wall.append(wall)
        self._epoch.append(values[min(epochs, key=len)] if epochs else math.nan)

    def _point(self, key: Key, step: int, value: float) -> None:
        points = self._points.get(key)
        if points is None:
            points = self._points[key] = _Points()
            self.metrics.add(key.name)
        points.step.append(step)
        points.value.append(value)
        points.row.append(len(self._wall) - 1)

    def add_reading(self, data: bytes, at: int, end: int) -> None:
        """Take in a StatsRecord: readings of the machine, at the step of the last row."""
        found = fields(data, at, end)
        when = [seconds(data, a, b) for n, w, a, b in found if n == 2 and w == BYTES]
        row = Row(items(data, found, 3))
        self._wall.append(when[-1] if when else math.nan)
        self._epoch.append(math.nan)
        for name, value in row.values.items():
            self._point(Key(f"system/{name}", kind="system"), self.step, value)

    def add_summary(self, values: dict[str, float], wall_time: float, step: int) -> None:
        """Take in final values as one point each."""
        self._wall.append(wall_time)
        self._epoch.append(math.nan)
        for name, value in values.items():
            self._point(Key(name), step, value)

    def take(self) -> tuple[Column, ...]:
        """The columns since the last call."""
        wall = np.array(self._wall, np.float64)
        epoch = np.array(self._epoch, np.float64)
        columns = Columns()
        for key, held in self._points.items():
            at = np.array(held.row, np.intp)
            step = np.array(held.step, np.int64)
            columns.add(key, step, np.array(held.value, np.float64), wall[at], epoch[at])
        self._wall, self._epoch, self._points = [], [], {}
        return columns.take()


def _own_step(data: bytes, found: list[tuple[int, int, int, int]], values: Any, last: int) -> int:
    """W&B's own step of a row: its item, else its field, else one more than the row before."""
    step = whole(values.get("_step"))
    if step is not None:
        return step
    for number, wire, at, end in found:
        if number == 2 and wire == BYTES:
            given = [a for n, w, a, _ in fields(data, at, end) if n == 1 and w == VARINT]
            return signed(given[-1]) if given else 0
    return last
