"""Rows of the same names, gathered as one table; the tables of a log become its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Column, Floats, Ints
from trainlens.readers._columns import Columns, Key


class Shape:
    """The rows that have the same names in the same order.

    Most logs have few shapes and many rows of each, so what a name means is found out once.

    Parameters
    ----------
    keys : sequence of Key or None
        The column of each name; None where it is no metric.
    axes : sequence of str
        The axis over which each is drawn; see `StepAxes.axis`.

    Attributes
    ----------
    epoch : str or None
        Name of the value that is the epoch of the row.
    axes : tuple of str
        The axes on which `add` wants the place of a row.
    """

    def __init__(self, keys: Sequence[Key | None], axes: Sequence[str]) -> None:
        self.epoch: str | None = None
        self._metrics = [(i, key, axes[i]) for i, key in enumerate(keys) if key is not None]
        self.axes = tuple(dict.fromkeys(axis for _, _, axis in self._metrics))
        self._width = len(keys)
        self._row: list[int] = []
        self._values: list[float] = []
        self._steps: dict[str, list[int]] = {axis: [] for axis in self.axes}

    def add(self, row: int, values: Mapping[str, float], steps: Mapping[str, int]) -> None:
        """Append a row.

        Parameters
        ----------
        row : int
            Its number in the log.
        values : mapping of str to float
        steps : mapping of str to int
            By axis.
        """
        self._row.append(row)
        self._values += values.values()
        for axis, held in self._steps.items():
            held.append(steps[axis])

    def parts(self) -> list[tuple[Key, Part]]:
        """The points of each metric."""
        row = np.array(self._row, np.intp)
        table = np.array(self._values, np.float64).reshape(len(row), self._width).T.copy()
        steps = {axis: np.array(held, np.int64) for axis, held in self._steps.items()}
        return [(key, Part(row, steps[axis], table[i])) for i, key, axis in self._metrics]


class Part(NamedTuple):
    """Points of a metric in one shape: their rows, steps and values, shape (n,) each."""

    row: NDArray[np.intp]
    step: Ints
    value: Floats


def columns_of(shapes: Sequence[Shape], wall: Floats, epoch: Floats) -> tuple[Column, ...]:
    """The columns of a log, points in the order of its rows.

    Parameters
    ----------
    shapes : sequence of Shape
        In the order in which they appeared.
    wall, epoch : ndarray of float64, shape (rows,)
    """
    held: dict[Key, list[Part]] = {}
    for shape in shapes:
        for key, part in shape.parts():
            held.setdefault(key, []).append(part)
    places: dict[int, tuple[Floats, Floats]] = {}
    columns = Columns()
    for key, parts in held.items():
        whole = parts[0] if len(parts) == 1 else _merged(parts)
        # Metrics of one shape stand in the same rows: they share times and epochs.
        place = places.get(id(whole.row))
        if place is None:
            place = wall[whole.row], epoch[whole.row]
            if len(parts) == 1:
                places[id(whole.row)] = place
        columns.add(key, whole.step, whole.value, *place)
    return columns.take()


def _merged(parts: list[Part]) -> Part:
    row, step, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(row)
    return Part(row[order], step[order], value[order])
