"""The few records of one poll of a growing log: those like many before them, straight to points.

A log repeats its records with other numbers. What a record of known keys becomes (which key counts
the steps, which column each number goes to) was decided when the first ones came, so that a
`Plan` can tell it without looking again: for a handful of records that takes a fifth of the time
of a batch. A record of which anything is unusual is left to the batches, which stay the measure:
what comes out is the same with and without plans.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import orjson

from trainlens.readers._json.plan import Plan, plan_of
from trainlens.readers._json.records import Records
from trainlens.readers._values import TIME_KEYS

FEW = 8
"""Lines of one poll up to which plans are faster than a batch."""

_MOST_BYTES = 1 << 16
_MOST_PLANS = 64
_DEEPEST = 8
_DOWN, _UP, _TEXT = object(), object(), object()


class Steady:
    """Reads the lines of a poll by plans, and makes the plans.

    Parameters
    ----------
    records : Records
        Gets the points; what it knows of names and axes is what plans are made of.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._plans: dict[tuple[Any, ...], Plan | None] = {}

    def forget(self) -> None:
        """What was decided holds no longer, or is not to be kept."""
        self._plans.clear()

    def read(self, data: bytes, config_keys: Set[str]) -> int:
        """Take records from the beginning of some lines; the place of the first that is left.

        Parameters
        ----------
        data : bytes
            Complete lines; many of them are all left.
        config_keys : set of str
            Keys of records that are configurations.
        """
        if len(data) > _MOST_BYTES or data.count(b"\n") > FEW:
            return 0
        at = 0
        while at < len(data):
            stop = data.find(b"\n", at) + 1 or len(data)
            if not self._take(data[at:stop], config_keys):
                break
            at = stop
        return at

    def _take(self, line: bytes, config_keys: Set[str]) -> bool:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        if type(row) is not dict:
            return False
        shape: list[Any] = []
        values: list[Any] = []
        if not _walk(row, shape, values, 0):
            return False
        key = tuple(shape)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._make(key, row, config_keys)
        # Names that stand twice, or in an unusual way: let others look at them.
        if plan is None or line.count(b'":') != plan.names:
            return False
        if plan.take(values, self._records):
            return True
        if plan.nothing:
            del self._plans[key]  # what was null may have become a metric
        return False

    def _make(
        self, key: tuple[Any, ...], row: dict[str, Any], config_keys: Set[str]
    ) -> Plan | None:
        if key in self._plans or row.keys() == config_keys:
            return None
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        known, plan = plan_of(row, self._records)
        if known:
            self._plans[key] = plan
        return plan


def _walk(row: dict[str, Any], shape: list[Any], values: list[Any], depth: int) -> bool:
    """Gather names and values in their order; a text that is no time is part of the shape."""
    for key, value in row.items():
        shape.append(key)
        kind = type(value)
        if kind is dict:
            if depth >= _DEEPEST:
                return False
            shape.append(_DOWN)
            if not _walk(value, shape, values, depth + 1):
                return False
            shape.append(_UP)
        else:
            if kind is str:
                shape.append(_TEXT if key.lower() in TIME_KEYS else (value,))
            values.append(value)
    return True
