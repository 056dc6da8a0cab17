"""Lines that hold points, turned into columns."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np

from trainlens.chunk import Floats, Ints, unknown
from trainlens.readers._columns import Columns, Key
from trainlens.readers._json.axes import StepCounter
from trainlens.readers._text.layout import Layout
from trainlens.readers._text.line import Line, Pair
from trainlens.readers._text.many import RECENT, Groups, Many
from trainlens.readers._text.units import Units
from trainlens.roles import parse_name

_SHAPE = re.compile(r"[+-]?\d+\.(\d*)(?:([eE][+-])(\d+))?")
_MOST_NAMES = 5000
"""Different names of one log: more are no metrics."""


class Points:
    """Collects the points of lines, in their order.

    Parameters
    ----------
    counter : StepCounter
    """

    def __init__(self, counter: StepCounter) -> None:
        self.crowded = 0
        self._counter = counter
        self._units = Units()
        self._lines: list[Line] = []
        self._columns = Columns()
        self._shapes: dict[str, deque[str | tuple[str, str]]] = {}
        self._keys: dict[tuple[str, str | None, str, str | None], tuple[Key, float]] = {}
        self._unread: dict[str, deque[Callable[[], str]]] = {}
        self._said: dict[str, str | None] = {}

    def add(self, line: Line) -> None:
        """Take a line that has been placed."""
        line.pairs = [pair for pair in line.pairs if self._welcome(pair.name)]
        self._lines.append(line)
        for pair in line.pairs:
            self._remember(pair.name, pair.text, pair.unit)

    def add_many(self, layout: Layout, many: Many, step: Ints | None, epoch: Floats) -> None:
        """Take n lines of a layout.

        Parameters
        ----------
        layout : Layout
        many : Many
        step : ndarray of int64, shape (n,), or None
            None where no step is known.
        epoch : ndarray of float64, shape (n,)
            NaN where it is unknown.
        """
        self._store()
        n = len(epoch)
        wall = unknown(n) if many.wall_time is None else many.wall_time
        known = np.ones(n, bool) if step is not None else np.zeros(n, bool)
        step = np.zeros(n, np.int64) if step is None else step
        step = self._counter(step, known, None if np.isnan(epoch).all() else epoch)
        held = iter(many.values)
        for group, number in enumerate(layout.pair_of):
            if number < 0:
                continue
            pair, value = layout.pairs[number], next(held)
            key, factor = self._key(pair, layout.split)
            self._columns.add(key, step, value if factor == 1.0 else value * factor, wall, epoch)
            self._shapes.setdefault(pair.name, deque(maxlen=RECENT))
            recent = self._unread.setdefault(pair.name, deque(maxlen=RECENT))
            recent.extend(partial(_shape_in, groups, group, pair.unit) for groups in many.recent)

    def take(self) -> Columns:
        """The columns since the last call."""
        self._store()
        # Only the last lines of a poll are looked at, not those of every block of it.
        for name, finders in self._unread.items():
            self._shapes[name].extend(find() for find in finders)
        self._unread.clear()
        columns, self._columns = self._columns, Columns()
        return columns

    def certain(self, pair: Pair) -> bool:
        """Whether a number at the torn end of a log is whole.

        ``0.12`` may be the beginning of ``0.125``: it is, unless the last numbers of this name
        all had as many digits.
        """
        unread = [find() for find in self._unread.get(pair.name, ())]
        held = [x if isinstance(x, str) else _shape(*x) for x in self._shapes.get(pair.name, ())]
        recent = [*held, *unread][-RECENT:]
        shape = _shape(pair.text, pair.unit)
        return len(recent) > 2 and shape != "" and set(recent) == {shape}

    def _welcome(self, name: str) -> bool:
        if name in self._shapes or len(self._shapes) < _MOST_NAMES:
            return True
        self.crowded += 1
        return False

    def _remember(self, name: str, text: str, unit: str) -> None:
        shapes = self._shapes.get(name)
        if shapes is None:
            shapes = self._shapes[name] = deque(maxlen=RECENT)
        if name in self._unread:
            self._unread[name].append(partial(_shape, text, unit))
        else:
            shapes.append((text, unit))

    def _key(self, pair: Pair, split: str | None) -> tuple[Key, float]:
        asked = pair.name, pair.split, pair.unit, split
        found = self._keys.get(asked)
        if found is None:
            if len(self._keys) >= 4 * _MOST_NAMES:
                self._keys.clear()
            found = self._keys[asked] = self._new_key(pair, split)
        return found

    def _new_key(self, pair: Pair, split: str | None) -> tuple[Key, float]:
        split = pair.split or split
        # A name that says its split itself is believed.
        split = None if not pair.split and parse_name(pair.name)[1] else split
        if not pair.split and split in (None, "train"):
            # One column, whether or not a line says "train": the order of points is kept.
            split = self._said.setdefault(pair.name, split)
        unit, factor = self._units.of(pair.name, split, pair.unit)
        return Key(pair.name, split, "", unit), factor

    def _store(self) -> None:
        lines, self._lines = self._lines, []
        if not lines:
            return
        if len(lines) == 1 and lines[0].step is not None and self._store_one(lines[0]):
            return
        known = np.array([line.step is not None for line in lines], bool)
        epoch = np.array([math.nan if x.epoch is None else x.epoch for x in lines], np.float64)
        wall = np.array(
            [math.nan if x.wall_time is None else x.wall_time for x in lines], np.float64
        )
        step = np.array([line.step or 0 for line in lines], np.int64)
        step = self._counter(step, known, None if np.isnan(epoch).all() else epoch)
        places: dict[Key, tuple[list[int], list[float]]] = {}
        every = list(range(len(lines)))
        for i, line in enumerate(lines):
            for pair in line.pairs:
                key, factor = self._key(pair, line.split)
                at, values = places.setdefault(key, ([], []))
                at.append(i)
                values.append(pair.value if factor == 1.0 else pair.value * factor)
        for key, (at, values) in places.items():
            value = np.array(values, np.float64)
            if at == every:
                self._columns.add(key, step, value, wall, epoch)
            else:
                self._columns.add(key, step[at], value, wall[at], epoch[at])

    def _store_one(self, line: Line) -> bool:
        """The same for a line that has a step; False where it says a metric twice."""
        keys = [self._key(pair, line.split) for pair in line.pairs]
        if len({key for key, _ in keys}) < len(keys):
            return False
        self._counter.one(line.step or 0)
        step = np.array((line.step,), np.int64)
        epoch = np.array((math.nan if line.epoch is None else line.epoch,), np.float64)
        wall = np.array((math.nan if line.wall_time is None else line.wall_time,), np.float64)
        values = [pair.value if factor == 1.0 else pair.value * factor
                  for pair, (_, factor) in zip(line.pairs, keys, strict=True)]  # fmt: skip
        value = np.array(values, np.float64)
        for i, (key, _) in enumerate(keys):
            self._columns.add(key, step, value[i : i + 1], wall, epoch)
        return True


def _shape_in(groups: Callable[[], Groups], group: int, unit: str) -> str:
    return _shape(groups()[group], unit)


def _shape(text: str, unit: str) -> str:
    """Digits behind the point, and the exponent; empty for numbers that any digit may follow."""
    found = _SHAPE.fullmatch(text)
    # One digit says nothing: 0.1, 0.2 and 0.25 are all printed as they are.
    if not found or len(found[1]) < 2:
        return ""
    return f"{len(found[1])} {found[2] or ''}{len(found[3] or '')} {unit}"
