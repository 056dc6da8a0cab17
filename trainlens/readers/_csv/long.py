"""Tables with a row a value: exports of trainlens, MLflow, Aim and others."""

from __future__ import annotations

import numpy as np

from trainlens.chunk import Floats
from trainlens.readers._columns import Columns, Key
from trainlens.readers._csv.axes import splits_of, spread, steps_of, times_of
from trainlens.readers._csv.cells import Cells, Clean, numbers, take
from trainlens.readers._csv.faults import LineDamage
from trainlens.readers._csv.layout import Layout, normal
from trainlens.readers._csv.lines import Batch
from trainlens.readers._values import CLOCK_KEYS


class Long:
    """Turns rows of one value each into points.

    Parameters
    ----------
    layout : Layout
    columns : Columns
        Where the points go.
    damage : LineDamage
    decimal_comma : bool
    run : str
        Only the rows of this run; empty for all, where runs after the first keep their name in
        front of the metric.
    """

    def __init__(
        self,
        layout: Layout,
        columns: Columns,
        damage: LineDamage,
        decimal_comma: bool = False,
        run: str = "",
    ) -> None:
        self.rows = 0
        self._layout = layout
        self._columns = columns
        self._damage = damage
        self._comma = decimal_comma
        self._run = run
        self._first: str | None = None

    def add(self, batch: Batch) -> None:
        """Take the next rows."""
        layout = self._layout
        if batch.sure is not None and batch.sure < layout.width:
            return
        if self._run:
            here = [
                i for i, run in enumerate(self._texts(batch, layout.run_at)) if run == self._run
            ]
            if len(here) < len(batch.line):
                batch = _only(batch, np.array(here, np.intp))
        if not len(batch.line):
            return
        batch = self._without_odd(batch)
        self.rows += len(batch.line)
        self._put(batch)

    def end(self) -> None:
        """Nothing more comes under this header."""

    def _texts(self, batch: Batch, at: int) -> list[str]:
        cells = batch.cells[at]
        if isinstance(cells, Clean):
            return [f"{v:g}" for v in cells.value.tolist()]
        return [c.strip() for c in cells]

    def _without_odd(self, batch: Batch) -> Batch:
        """The rows without those that have no metric, no step or no value."""
        layout = self._layout
        found = numbers(batch.cells[layout.value_at], self._comma)
        good = np.zeros(len(batch.line), bool)
        good[found.at] = True
        good &= np.array([bool(m) for m in self._texts(batch, layout.metric_at)], bool)
        good &= steps_of(self._axis(batch)).known
        if good.all():
            return batch
        what = "a row without a metric, a step or a number; passed over"
        for i in np.flatnonzero(~good).tolist():
            self._damage.line("corrupt", what, int(batch.line[i]))
        return _only(batch, np.flatnonzero(good))

    def _axis(self, batch: Batch) -> Cells:
        return batch.cells[(*self._layout.steps, *self._layout.epochs)[0]]

    def _put(self, batch: Batch) -> None:
        layout, n = self._layout, len(batch.line)
        if not n:
            return
        step = steps_of(self._axis(batch)).step
        found = numbers(batch.cells[layout.value_at], self._comma)
        epoch = self._floats(batch, layout.epochs)
        wall_time: Floats | None = None
        if layout.times:
            at = layout.times[0]
            clock = normal(layout.names[at]).rpartition("/")[2] in CLOCK_KEYS
            wall_time = times_of(batch.cells[at], clock)
        for (name, split), rows in self._groups(batch).items():
            index = np.array(rows, np.intp)
            unit = found.units.get(rows[0], "")
            self._columns.add(
                Key(name, split, "", unit),
                step[index],
                found.value[index],
                None if wall_time is None else wall_time[index],
                None if epoch is None else epoch[index],
            )

    def _floats(self, batch: Batch, candidates: tuple[int, ...]) -> Floats | None:
        if not candidates:
            return None
        found = numbers(batch.cells[candidates[0]], self._comma)
        return spread(found, len(batch.line)) if len(found.at) else None

    def _groups(self, batch: Batch) -> dict[tuple[str, str | None], list[int]]:
        """Rows by metric and split, in the order in which these appear."""
        layout = self._layout
        names = self._texts(batch, layout.metric_at)
        splits: list[str | None] = [None] * len(names)
        if layout.splits:
            at = layout.splits[0]
            splits = splits_of(batch.cells[at], layout.names[at])
        if not self._run and layout.run_at >= 0:
            names = self._with_run(names, self._texts(batch, layout.run_at))
        groups: dict[tuple[str, str | None], list[int]] = {}
        for i, key in enumerate(zip(names, splits, strict=True)):
            groups.setdefault(key, []).append(i)
        return groups

    def _with_run(self, names: list[str], runs: list[str]) -> list[str]:
        self._first = runs[0] if self._first is None else self._first
        own = self._first
        return [m if r == own else f"{r} - {m}" for m, r in zip(names, runs, strict=True)]


def _only(batch: Batch, index: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Batch:
    cells = [take(c, index) for c in batch.cells]
    return Batch(batch.layout, cells, batch.line[index], batch.sure)
