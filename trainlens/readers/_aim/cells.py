"""Cells of an AIM store to arrays, and the columns of a metric to its points.

A cell is a type byte and eight bytes. The columns of a metric are joined by the number under
which a point is stored: the hash of its step, or the step itself in the old layout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainlens.readers._aim.codec import FLOAT, INT
from trainlens.run import Floats, Ints

CELL = np.dtype([("kind", "u1"), ("bits", "<i8")])
COLUMNS = ("val", "step", "time", "epoch")
Cells = NDArray[np.void]
SeriesKey = tuple[int, str]
Part = tuple[Ints, Cells]


@dataclass(frozen=True, eq=False)
class Points:
    """All points of one metric in one context, in the order in which they were logged.

    Parameters
    ----------
    context : int
        Number of the context.
    name : str
    step : ndarray of int64, shape (n,)
    value, time, epoch : ndarray of float64, shape (n,)
        NaN where the log has none.
    incomplete : int
        Points of which the value or the step is missing; they are left out.
    """

    context: int
    name: str
    step: Ints
    value: Floats
    time: Floats
    epoch: Floats
    incomplete: int

    def take(self, kept: NDArray[np.bool_]) -> Points:
        """The points for which `kept`, shape (n,), is true."""
        return replace(
            self,
            step=self.step[kept],
            value=self.value[kept],
            time=self.time[kept],
            epoch=self.epoch[kept],
        )


def cells_of(values: list[bytes]) -> Cells:
    """Raw values, shape (n,); one that is no number keeps its type byte only."""
    if set(map(len, values)) - {9}:
        values = [v if len(v) == 9 else v[:1].ljust(9, b"\0") for v in values]
    return np.frombuffer(b"".join(values), CELL)


def part_of(stem: int, keys: list[bytes], values: list[bytes]) -> Part:
    """Numbers and cells of pairs of one column.

    Parameters
    ----------
    stem : int
        Length of the key of the column; each key goes on with 0xFE, eight bytes, 0xFE.
    keys, values : list of bytes, length n
        Pairs that lie deeper (parts of an object) are left out.
    """
    size = stem + 10
    if set(map(len, keys)) - {size}:
        kept = [i for i, key in enumerate(keys) if len(key) == size]
        keys, values = [keys[i] for i in kept], [values[i] for i in kept]
    table = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), size)
    number = np.ascontiguousarray(table[:, stem + 1 : stem + 9]).view(">i8").ravel()
    return number.astype(np.int64), cells_of(values)


def joined_points(key: SeriesKey, columns: dict[str, list[Part]], hashed: bool) -> Points:
    """Points of a metric from pairs that carry their numbers.

    Parameters
    ----------
    key : (int, str)
        Context and name.
    columns : mapping of str to list of (numbers, cells)
        Parts of each column, in any order.
    hashed : bool
        Whether a number is the hash of a step; else it is the step.
    """
    parts = {name: _merged(columns.get(name, [])) for name in COLUMNS}
    number = parts["val"][0]
    if not hashed:
        parts["step"] = (number, _whole_numbers(number))
    incomplete = 0
    if not all(np.array_equal(number, other) for other, _ in parts.values()):
        everything = len(np.unique(np.concatenate([other for other, _ in parts.values()])))
        number = np.intersect1d(number, parts["step"][0])
        parts = {name: (number, _looked_up(number, *part)) for name, part in parts.items()}
        incomplete = everything - len(number)
    return aligned_points(key, {name: cells for name, (_, cells) in parts.items()}, incomplete)


def aligned_points(key: SeriesKey, columns: dict[str, Cells], incomplete: int = 0) -> Points:
    """Points of a metric from columns whose rows belong together, in logging order.

    Parameters
    ----------
    key : (int, str)
        Context and name.
    columns : mapping of str to ndarray of shape (n,)
        Cells by column name: all of `COLUMNS`.
    incomplete : int
        See `Points`.
    """
    step, unusable = _steps(columns["step"])
    value, time, epoch = (_floats(columns[name]) for name in ("val", "time", "epoch"))
    rows = np.flatnonzero(~unusable)
    rows = rows[_logging_order(step[rows], time[rows])]
    incomplete += int(unusable.sum())
    return Points(*key, step[rows], value[rows], time[rows], epoch[rows], incomplete)


def _merged(parts: list[Part]) -> Part:
    if not parts:
        return np.empty(0, np.int64), np.empty(0, CELL)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _looked_up(wanted: Ints, number: Ints, cells: Cells) -> Cells:
    out = np.zeros(len(wanted), CELL)
    if len(number):
        order = np.argsort(number, kind="stable")
        place = np.minimum(np.searchsorted(number, wanted, sorter=order), len(number) - 1)
        hit = number[order[place]] == wanted
        out[hit] = cells[order[place[hit]]]
    return out


def _whole_numbers(number: Ints) -> Cells:
    out = np.empty(len(number), CELL)
    out["kind"], out["bits"] = INT, number
    return out


def _floats(cells: Cells) -> Floats:
    kind, bits = cells["kind"], np.ascontiguousarray(cells["bits"])
    found: Floats = bits.view(np.float64)
    if (kind != FLOAT).any():
        found = np.where(kind == FLOAT, found, np.where(kind == INT, bits.astype(float), np.nan))
    return found


def _steps(cells: Cells) -> tuple[Ints, NDArray[np.bool_]]:
    kind, bits = cells["kind"], np.ascontiguousarray(cells["bits"])
    if (kind == INT).all():
        return bits, np.zeros(len(bits), bool)
    number = _floats(cells)
    unusable = ~(np.abs(number) < 2.0**63)
    rounded = np.rint(np.where(unusable, 0.0, number)).astype(np.int64)
    return np.where(kind == INT, bits, rounded), unusable & (kind != INT)


def _logging_order(step: Ints, time: Floats) -> NDArray[np.intp]:
    # Steps are unique within a series: where times are missing, their order is the next best.
    if np.isnan(time).any():
        return np.argsort(step, kind="stable")
    return np.lexsort((step, time))
