"""Tables with a column a metric: rows to points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats, Ints
from trainlens.readers._columns import Columns, Key
from trainlens.readers._csv.axes import (
    Choice,
    Flags,
    certain,
    choose,
    counted,
    splits_of,
    spread,
    steps_of,
    times_of,
)
from trainlens.readers._csv.cells import Cells, Places, numbers, take
from trainlens.readers._csv.columns import Leading, Metric
from trainlens.readers._csv.faults import LineDamage
from trainlens.readers._csv.layout import Layout, normal
from trainlens.readers._csv.lines import Batch
from trainlens.readers._json.axes import StepCounter
from trainlens.readers._json.epoch_steps import EpochSteps
from trainlens.readers._values import CLOCK_KEYS
from trainlens.roles import parse_name

_FAR = 1 << 31
"""Steps beyond this are left to the batches."""

_MOST_LEADING = 1000
"""Rows without a step at the beginning that wait for the first row that has one."""


class Wide:
    """Turns rows into points; what comes out does not depend on how they are cut into batches.

    Parameters
    ----------
    layout : Layout
    columns : Columns
        Where the points go.
    damage : LineDamage
    decimal_comma : bool
        Whether ``0,5`` is a number.
    started : float or None
        Unix seconds at which the clock of a monitor file began.
    split : str or None
        Split of every metric of which neither the name nor the row says one.
    """

    def __init__(
        self,
        layout: Layout,
        columns: Columns,
        damage: LineDamage,
        decimal_comma: bool = False,
        started: float | None = None,
        split: str | None = None,
    ) -> None:
        self.rows = 0
        self.leading = Leading(columns)
        self.assumed: list[str] = []
        self._damage = damage
        self._comma = decimal_comma
        self._split = split
        self._choice: Choice | None = None
        self._first: list[Batch] = []
        self._metrics = [Metric(f) for f in layout.metrics]
        self._counter = StepCounter()
        self._within = EpochSteps() if layout.in_epoch else None
        self._waiting: list[tuple[Batch, Ints, Flags]] | None = []
        self._by_epoch = layout.by_epoch
        self._started = started
        names = [normal(n) for n in layout.names]
        self._clock, self._lengths = (
            (names.index("t"), names.index("l")) if layout.form == "monitor" else (-1, -1)
        )
        self._length = 0
        self._plan: tuple[Layout, list[tuple[Metric, Key]]] | None = None
        self._keys: dict[tuple[int, str | None, str | None], Key] = {}

    @property
    def texts(self) -> list[str]:
        """Columns that hold no numbers."""
        return [m.field.name for m in self._metrics if m.odd and not m.values]

    @property
    def counted(self) -> str:
        """What was assumed about the steps, empty for nothing."""
        if self._by_epoch and self._counter.assumed:
            return "no step and no epoch in this log: each row counts as an epoch"
        return self._counter.assumed

    def add(self, batch: Batch) -> None:
        """Take the next rows."""
        for field in batch.layout.metrics[len(self._metrics) :]:
            self._metrics.append(Metric(field))
        if self._choice is not None:
            self._accept(batch, self._choice)
            return
        self._first.append(batch)
        if certain(self._first[0].layout, self._first):
            self._decide()

    def one(self, cells: Sequence[float], layout: Layout) -> bool:
        """Take a row of plain numbers, as `add` would; False, and nothing done, if it is no such.

        Parameters
        ----------
        cells : sequence of float
            As many as the layout has columns, none of them NaN.
        layout : Layout
        """
        choice, metrics = self._choice, self._steady(layout)
        if choice is None or metrics is None or any(metric.odd for metric, _ in metrics):
            return False
        raw = cells[choice.step]
        if not (raw.is_integer() and abs(raw) < _FAR):
            return False
        step, epoch = int(raw), cells[choice.epoch] if choice.epoch >= 0 else None
        if self._within is not None and epoch is not None:
            step = self._within.one(step, epoch)
        self._counter.one(step)
        self.rows += 1
        steps, values = np.array((step,), np.int64), np.array(cells)
        epochs = None if epoch is None else np.array((epoch,))
        for metric, key in metrics:
            metric.values += 1
            at = metric.field.at
            self.leading.columns.add(key, steps, values[at : at + 1], None, epochs)
        return True

    def _steady(self, layout: Layout) -> list[tuple[Metric, Key]] | None:
        """The metrics of such rows with their columns; None where rows are to be looked at."""
        if self._plan is not None and self._plan[0] is layout:
            return self._plan[1]
        choice = self._choice
        if choice is None or self._waiting is not None or len(self._metrics) < len(layout.metrics):
            return None
        usual = layout.form == "wide" and not (layout.by_epoch or layout.runs)
        if not usual or choice.step < 0 or choice.split >= 0 or choice.time >= 0:
            return None
        metrics = [m for m in self._metrics if m.field.at != choice.step]
        found = [(m, self._key(m, None)) for m in metrics]
        if not all(m.unit == "" and self.leading.has_begun(key) for m, key in found):
            return None
        self._plan = layout, found
        return found

    def _decide(self) -> None:
        """Choose the axes by the first rows, and take those."""
        first, self._first = self._first, []
        if not first:
            return
        self._choice = choose(first[0].layout, first)
        if self._choice.step < 0 and first[0].layout.form != "monitor":
            self._waiting = None
        for batch in first:
            self._accept(batch, self._choice)

    def _accept(self, batch: Batch, choice: Choice) -> None:
        if batch.sure is not None and max(choice.needed, self._lengths) >= batch.sure:
            return
        self.rows += len(batch.line)
        self._place(batch)

    def end(self) -> None:
        """Nothing more comes under this header."""
        self._decide()
        self._release(None)
        self.leading.end()
        self._plan = None

    def _place(self, batch: Batch) -> None:
        choice = self._choice
        assert choice is not None
        if batch.layout.form == "monitor":
            batch, step, known = self._episodes(batch)
        elif choice.step >= 0:
            batch, step, known = self._logged(batch, choice.step)
        else:
            batch = self._without_odd_epochs(batch, choice.epoch)
            n = len(batch.line)
            step, known = np.zeros(n, np.int64), np.zeros(n, bool)
        if self._waiting is None:
            self._put(batch, step, known)
            return
        before = sum(len(b.line) for b, _, _ in self._waiting)
        self._waiting.append((batch, step, known))
        found = np.flatnonzero(known)
        if len(found) and before + found[0] < _MOST_LEADING:
            self._release(int(step[found[0]]) if before + found[0] else None)
        elif before + len(known) >= _MOST_LEADING:
            self._release(None)

    def _release(self, first: int | None) -> None:
        """Let the rows before the first step go on; they count at that step where there is one."""
        waiting, self._waiting = self._waiting or [], None
        if first is not None:
            self.assumed.append("rows before the first step count at that step")
        for batch, step, known in waiting:
            if first is not None:
                early = np.maximum.accumulate(known) == 0
                step, known = np.where(early, first, step), known | early
            self._put(batch, step, known)

    def _episodes(self, batch: Batch) -> tuple[Batch, Ints, Flags]:
        """Steps of a monitor file: the lengths of the episodes, summed up."""
        batch, length, known = self._logged(batch, self._lengths)
        step = self._length + np.cumsum(np.where(known, length, 0))
        self._length = int(step[-1]) if len(step) else self._length
        return batch, step, known

    def _logged(self, batch: Batch, at: int) -> tuple[Batch, Ints, Flags]:
        if at >= len(batch.cells):  # rows too short for that column
            return self._placeless(batch, at)
        found = steps_of(batch.cells[at])
        if found.known.all() and not len(found.odd):
            return batch, found.step, found.known
        # A row without a step belongs to its neighbours, as long as it has an epoch.
        lost = ~found.known
        if self._choice is not None and self._choice.epoch >= 0:
            lost &= ~_filled(batch.cells[self._choice.epoch], self._comma)
        lost[found.odd] = True
        if not lost.any():
            return batch, found.step, found.known
        batch, kept = self._without(batch, np.flatnonzero(lost), at)
        return batch, found.step[kept], found.known[kept]

    def _placeless(self, batch: Batch, at: int) -> tuple[Batch, Ints, Flags]:
        if self._choice is None or not 0 <= self._choice.epoch < len(batch.cells):
            batch, _ = self._without(batch, np.arange(len(batch.line)), at)
        n = len(batch.line)
        return batch, np.zeros(n, np.int64), np.zeros(n, bool)

    def _without_odd_epochs(self, batch: Batch, at: int) -> Batch:
        if at < 0 or at >= len(batch.cells):
            return batch
        lost = ~_filled(batch.cells[at], self._comma)
        return self._without(batch, np.flatnonzero(lost), at)[0] if lost.any() else batch

    def _without(self, batch: Batch, odd: Places, at: int) -> tuple[Batch, Places]:
        """The rows without those that cannot be placed."""
        what = f"no number in column {batch.layout.names[at]!r}; the row was passed over"
        for i in odd.tolist():
            self._damage.line("corrupt", what, int(batch.line[i]))
        kept = np.delete(np.arange(len(batch.line)), odd)
        cells = [take(c, kept) for c in batch.cells]
        return Batch(batch.layout, cells, batch.line[kept], batch.sure), kept

    def _put(self, batch: Batch, step: Ints, known: Flags) -> None:
        n = len(step)
        if not n:
            return
        choice = self._choice
        assert choice is not None
        epoch = self._epochs(batch, choice, n)
        if self._within is not None:
            step = self._within(step, known, epoch)
        step = self._counter(step, known, epoch)
        wall_time = self._times(batch, choice)
        labels = None
        if 0 <= choice.split < len(batch.cells):
            labels = splits_of(batch.cells[choice.split], batch.layout.names[choice.split])
        for metric in self._metrics:
            at = metric.field.at
            if at < len(batch.cells) and not self._is_axis(at, choice):
                value = metric.plain(batch.cells[at]) if labels is None else None
                if value is None:
                    self._points(metric, batch, step, wall_time, epoch, labels)
                else:
                    self.leading.add(self._key(metric, None), step, value, wall_time, epoch)

    def _is_axis(self, at: int, choice: Choice) -> bool:
        clock = self._started is not None and at == self._clock
        return at in (choice.step, choice.time, choice.split) or clock

    def _epochs(self, batch: Batch, choice: Choice, n: int) -> Floats | None:
        if batch.layout.by_epoch:
            return np.arange(self._counter.rows, self._counter.rows + n, dtype=np.float64)
        if not 0 <= choice.epoch < len(batch.cells):
            return None
        found = numbers(counted(batch.cells[choice.epoch]), self._comma)
        for i in found.odd:
            what = "no number in the epoch column; the epoch of that row is unknown"
            self._damage.line("corrupt", what, int(batch.line[i]), 0)
        return spread(found, n)

    def _times(self, batch: Batch, choice: Choice) -> Floats | None:
        if batch.layout.form == "monitor":
            if self._started is None or self._clock >= len(batch.cells):
                return None
            return self._started + spread(numbers(batch.cells[self._clock]), len(batch.line))
        if not 0 <= choice.time < len(batch.cells):
            return None
        name = normal(batch.layout.names[choice.time]).rpartition("/")[2]
        return times_of(batch.cells[choice.time], name in CLOCK_KEYS)

    def _points(
        self,
        metric: Metric,
        batch: Batch,
        step: Ints,
        wall_time: Floats | None,
        epoch: Floats | None,
        labels: list[str | None] | None,
    ) -> None:
        at, value = metric.read(batch.cells[metric.field.at], batch.line, self._damage, self._comma)
        for split, here in _by_split(labels, at):
            rows = at[here]
            self.leading.add(
                self._key(metric, split),
                step[rows],
                value[here],
                None if wall_time is None else wall_time[rows],
                None if epoch is None else epoch[rows],
            )

    def _key(self, metric: Metric, split: str | None) -> Key:
        asked = metric.field.at, split, metric.unit
        key = self._keys.get(asked)
        if key is None:
            name = metric.field.name
            shown = None if parse_name(name)[1] else split or self._split
            key = self._keys[asked] = Key(name, shown, metric.field.kind, metric.unit or "")
        return key


def _filled(cells: Cells, decimal_comma: bool = False) -> Flags:
    """Which of n cells hold a number."""
    filled = np.zeros(len(cells), bool)
    filled[numbers(counted(cells), decimal_comma).at] = True
    return filled


def _by_split(
    labels: list[str | None] | None, at: Places
) -> list[tuple[str | None, NDArray[np.intp] | slice]]:
    if labels is None:
        return [(None, slice(None))]
    held = [labels[i] for i in at.tolist()]
    kinds = dict.fromkeys(held)
    return [(k, np.array([i for i, h in enumerate(held) if h == k], np.intp)) for k in kinds]
