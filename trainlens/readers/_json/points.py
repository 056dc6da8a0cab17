"""Lists of records and of points within one object: each metric's numbers, and where they stand.

``{"history": [{"epoch": 1, "loss": 0.5}, ..]}``, ``{"1": {"loss": 0.5}, "2": ..}``,
``{"loss": [[1, 0.5], [2, 0.4]]}``, as TensorBoard gives it ``[[time, step, value], ..]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats
from trainlens.readers._json.rows import Object, leaves
from trainlens.readers._values import (
    EPOCH_KEYS,
    STEP_KEYS,
    TIME_KEYS,
    number,
    unix_seconds,
    whole,
)

_EPOCH = re.compile(r"(?:epoch[ _-]?)?(\d{1,9})", re.IGNORECASE)
_COUNTERS = frozenset({*STEP_KEYS, *EPOCH_KEYS})
_CURVES = (("steps", "values"), ("step", "value"), ("step", "values"), ("x", "y"))
_AXES = frozenset({*_COUNTERS, *TIME_KEYS})


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
    step, epoch, wall_time : ndarray of float64, shape (n,), or None
        Where each number stands, if the list itself tells; NaN where it does not.
    """

    name: str
    at: NDArray[np.intp]
    value: Floats
    length: int
    step: Floats | None = None
    epoch: Floats | None = None
    wall_time: Floats | None = None

    def goes_on(self, before: List) -> bool:
        """Whether an earlier version of this list is the beginning of it."""
        n = len(before.at)
        return (
            np.array_equal(self.at[:n], before.at)
            and np.array_equal(self.value[:n], before.value, equal_nan=True)
            and not (self.at[n : n + 1] < before.length).any()
        )


def as_records(value: Any) -> list[Object] | None:
    """The records that a value holds, each with a step or an epoch; None where it holds others."""
    if isinstance(value, dict):
        keys = [_EPOCH.fullmatch(key) for key in value]
        if len(value) < 2 or not all(keys) or not all(isinstance(v, dict) for v in value.values()):
            return None
        pairs = zip(keys, value.values(), strict=True)
        rows = [{"epoch": int(k.group(1)), **v} if not _counts(v) else v for k, v in pairs if k]
    elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        rows = value
    else:
        return None
    return rows if sum(map(_counts, rows)) * 2 > len(rows) else None


def _counts(row: Object) -> bool:
    return any(k.lower() in _COUNTERS and number(v) is not None for k, v in row.items())


def of_records(rows: Sequence[Object], above: str) -> Iterator[List]:
    """The numbers of records by name; a lone ``value`` has the name of what holds the records."""
    found: dict[str, dict[int, float]] = {}
    for i, row in enumerate(rows):
        for name, value in leaves(row):
            if name.lower() not in _AXES and (v := number(value)) is not None:
                found.setdefault(name, {})[i] = v
    step = _filled([_first(row, STEP_KEYS) for row in rows])
    epoch = _filled([_first(row, EPOCH_KEYS) for row in rows])
    wall_time = _filled([_time(row) for row in rows])
    for name, held in found.items():
        at = np.array(list(held), np.intp)
        shown = above if above and name == "value" else f"{above}/{name}" if above else name
        yield List(
            shown,
            at,
            np.array(list(held.values()), np.float64),
            len(rows),
            None if step is None else step[at],
            None if epoch is None else epoch[at],
            None if wall_time is None else wall_time[at],
        )


def _first(row: Object, keys: Sequence[str]) -> float | None:
    lower = {k.lower(): v for k, v in row.items()}
    return next((v for k in keys if (v := number(lower.get(k))) is not None), None)


def _time(row: Object) -> float | None:
    lower = {k.lower(): v for k, v in row.items()}
    return next((t for k in TIME_KEYS if (t := unix_seconds(lower.get(k))) is not None), None)


def _filled(values: Sequence[float | None]) -> Floats | None:
    if not values or all(v is None for v in values):
        return None
    return np.array([np.nan if v is None else v for v in values], np.float64)


def as_points(value: Any) -> list[list[Any]] | None:
    """Pairs of a step and a value, or triples with a time before them; None for other lists."""
    if isinstance(value, dict):
        value = _paired(value)
    if not isinstance(value, list) or not value:
        return None
    size = len(value[0]) if isinstance(value[0], list) else 0
    if size not in (2, 3) or not all(isinstance(p, list) and len(p) == size for p in value):
        return None
    steps = [whole(p[-2]) for p in value]
    if any(s is None for s in steps) or any(isinstance(p[-1], (list, dict)) for p in value):
        return None
    known = [s for s in steps if s is not None]
    if any(b < a for a, b in pairwise(known)) or (len(known) > 1 and known[0] == known[-1]):
        return None
    if size == 3 and any(unix_seconds(p[0]) is None for p in value):
        return None
    return value


def _paired(value: Object) -> list[list[Any]] | None:
    """Pairs out of ``{"steps": [..], "values": [..]}`` and ``{"x": [..], "y": [..]}``."""
    for steps, values in _CURVES:
        x, y = value.get(steps), value.get(values)
        if isinstance(x, list) and isinstance(y, list) and len(x) == len(y):
            return [[s, v] for s, v in zip(x, y, strict=True)]
    return None


def of_points(name: str, points: Sequence[Sequence[Any]]) -> List:
    """The numbers of points, as `as_points` gives them."""
    held = [(i, p, v) for i, p in enumerate(points) if (v := number(p[-1])) is not None]
    times = [unix_seconds(p[0]) for _, p, _ in held] if len(points[0]) == 3 else []
    return List(
        name,
        np.array([i for i, _, _ in held], np.intp),
        np.array([v for _, _, v in held], np.float64),
        len(points),
        np.array([float(p[-2]) for _, p, _ in held], np.float64),
        None,
        _filled(times),
    )
