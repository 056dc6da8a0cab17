"""Rows of the history and readings of the machine: numbers become points."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np

from trainlens.chunk import Column
from trainlens.readers._columns import Key
from trainlens.readers._tfevents.wire import BYTES, VARINT
from trainlens.readers._values import whole
from trainlens.readers._wandb.axes import StepAxes, is_epoch
from trainlens.readers._wandb.record import items, seconds
from trainlens.readers._wandb.row import Row
from trainlens.readers._wandb.shape import Shape, columns_of
from trainlens.readers._wandb.wire import Field, fields, signed

_OWN = frozenset({"_step", "_timestamp", "_runtime"})


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
        self._shapes: dict[Hashable, Shape] = {}
        self._held: list[Shape] = []
        self._counted = -1
        self.rows = self.step = 0
        self.start_time = math.nan
        self.metrics: set[str] = set()
        self.skipped: dict[str, str] = {}

    def add(self, data: bytes, at: int, end: int) -> None:
        """Take in a HistoryRecord."""
        row, axes = Row(), self._axes
        rest = fields(data, row.add_plain(data, at, end), end)
        row.add(items(data, rest))
        values = row.values
        self._counted = counted = _own_step(data, rest, values, self._counted + 1)
        used = axes.follow(values)
        shape = self._history_shape(values, used)
        self.step = axes.common(counted)
        shape.add(len(self._wall), values, {axis: axes.at(axis, counted) for axis in shape.axes})
        self._wall.append(self._wall_time(values))
        self._epoch.append(values[shape.epoch] if shape.epoch is not None else math.nan)
        if row.others:
            self.skipped |= {n: w for n, w in row.others.items() if n.split(".")[0] != "_wandb"}
        self.rows += 1

    def _history_shape(self, values: dict[str, float], used: set[str]) -> Shape:
        kind = (self._axes.version, tuple(values), frozenset(used))
        shape = self._shapes.get(kind)
        if shape is None:
            epochs = [name for name in values if is_epoch(name)]
            keys = [
                None if name in _OWN or name in used or name in epochs else Key(name)
                for name in values
            ]
            axes = [self._axes.axis(name) for name in values]
            shape = self._new_shape(kind, keys, axes)
            shape.epoch = min(epochs, key=len) if epochs else None
        return shape

    def _new_shape(self, kind: Hashable, keys: list[Key | None], axes: list[str]) -> Shape:
        shape = self._shapes[kind] = Shape(keys, axes)
        self._held.append(shape)
        self.metrics.update(key.name for key in keys if key)
        return shape

    def _wall_time(self, values: dict[str, float]) -> float:
        wall = values.get("_timestamp", math.nan)
        return wall if wall == wall else self.start_time + values.get("_runtime", math.nan)

    def add_reading(self, data: bytes, at: int, end: int) -> None:
        """Take in a StatsRecord: readings of the machine, at the step of the last row."""
        found = fields(data, at, end)
        when = [seconds(data, a, b) for n, w, a, b in found if n == 2 and w == BYTES]
        values = Row(items(data, found, 3)).values
        self._add(values, "system", when[-1] if when else math.nan, self.step)

    def add_summary(self, values: dict[str, float], wall_time: float, step: int) -> None:
        """Take in final values as one point each."""
        self._add(values, "", wall_time, step)

    def _add(self, values: dict[str, float], kind: str, wall_time: float, step: int) -> None:
        """Take in a row that is not of the history."""
        shape = self._shapes.get((kind, *values))
        if shape is None:
            keys: list[Key | None] = [
                Key(f"{kind}/{name}" if kind else name, kind=kind) for name in values
            ]
            shape = self._new_shape((kind, *values), keys, [""] * len(keys))
        shape.add(len(self._wall), values, {"": step})
        self._wall.append(wall_time)
        self._epoch.append(math.nan)

    def take(self) -> tuple[Column, ...]:
        """The columns since the last call."""
        wall = np.array(self._wall, np.float64)
        epoch = np.array(self._epoch, np.float64)
        columns = columns_of(self._held, wall, epoch)
        self._wall, self._epoch, self._shapes, self._held = [], [], {}, []
        return columns


def _own_step(data: bytes, found: list[Field], values: Any, last: int) -> int:
    """W&B's own step of a row: its item, else its field, else one more than the row before."""
    step = whole(values.get("_step"))
    if step is not None:
        return step
    for number, wire, at, end in found:
        if number == 2 and wire == BYTES:
            given = [a for n, w, a, _ in fields(data, at, end) if n == 1 and w == VARINT]
            return signed(given[-1]) if given else 0
    return last
