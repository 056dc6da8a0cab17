"""JSON records to columns: axes are found, metrics named, what is no number is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Column
from trainlens.readers._columns import Columns, Key
from trainlens.readers._json.axes import Axes, Fields, StepCounter
from trainlens.readers._json.epoch_steps import EpochSteps
from trainlens.readers._json.evaluations import Evaluations
from trainlens.readers._json.reported import Reports, is_told
from trainlens.readers._json.rows import Cells, Name, Numbers, is_percent, transpose
from trainlens.readers._json.settings import take_media, take_settings
from trainlens.readers._json.shapes import reshaped
from trainlens.roles import parse_name

Object = dict[str, Any]
_QUIET = frozenset({Name("", "schema")})
"""Parts of native records that are no metrics and worth no word."""


class Event(NamedTuple):
    """An error that a record tells: number of the record from 1, step, text."""

    record: int
    step: int
    text: str


class Records:
    """Turns batches of records into columns.

    What it finds depends on the records and their order alone, not on the batches.

    Parameters
    ----------
    whole_run : bool
        Steps count over the whole run, by the format itself: never within an epoch.
    """

    def __init__(self, whole_run: bool = False) -> None:
        self.native = False
        self._whole_run = whole_run
        self._columns = Columns()
        self._steps = StepCounter()
        self._within = EpochSteps()
        self._evaluations = Evaluations()
        self._settings: dict[str, Any] = {}
        self._settings_of: set[str] = set()
        self._units: dict[Name, str] = {}
        self._count = 0
        self._sections: dict[str, str] = {}
        self._skipped: dict[str, str] = {}
        self._flags: dict[Name, bool] = {}
        self._reports = Reports()
        self._events: list[Event] = []

    @property
    def count(self) -> int:
        """Records so far."""
        return self._count + self._steps.rows

    @property
    def assumed(self) -> str:
        """What was assumed about the steps, empty for nothing."""
        return self._steps.assumed

    @property
    def skipped(self) -> dict[str, str]:
        """Names that hold no numbers, and what they hold."""
        return self._skipped

    def take(self) -> tuple[Column, ...]:
        """Columns of the records since the last call."""
        return self._columns.take()

    def take_events(self) -> list[Event]:
        """Errors that the records told since the last call."""
        events, self._events = self._events, []
        return events

    def take_settings(self) -> dict[str, Any]:
        """Configuration that stood in the records since the last call."""
        settings, self._settings = self._settings, {}
        return settings

    def restart(self) -> None:
        """Another training begins: its steps do not continue those before."""
        self._count += self._steps.rows
        self._steps = StepCounter()
        self._within = EpochSteps()
        self._evaluations = Evaluations()
        self._sections = {}
        self.native = False

    def add(self, rows: Sequence[Object]) -> None:
        """Take the next records."""
        if not rows:
            return
        rows = rows if self.native else reshaped(rows)
        cells = transpose(rows, self.native)
        self._set_aside(cells, rows)
        self.add_cells(cells, len(rows))

    def key(self, name: Name, split: str | None) -> Key | None:
        """The column of a name, None where no number of it has come so far."""
        return self._key(name, split) if name in self._units else None

    def is_silent(self, name: Name) -> bool:
        """Whether it has been noted that a name holds no numbers."""
        return _printable(name.name) in self._skipped

    @property
    def evaluates(self) -> bool:
        """Whether a step may count epochs, see `Evaluations`."""
        return self._evaluations.begun

    def add_one(
        self,
        step: int,
        wall_time: float | None,
        epoch: float | None,
        training: bool,
        points: list[tuple[Key, float]],
    ) -> None:
        """Take the next record, of which everything is known; as `add_cells` would.

        Parameters
        ----------
        step : int
        wall_time, epoch : float or None
        training : bool
            Whether it is of the split of the training, or of none.
        points : list of (Key, float)
        """
        if training and epoch is not None and not self._whole_run:
            step = self._within.one(step, epoch)
        self._steps.one(step)
        steps = np.array((step,), np.int64)
        times = None if wall_time is None else np.array((wall_time,))
        epochs = None if epoch is None else np.array((epoch,))
        values = np.array([value for _, value in points], np.float64)
        for i, (key, _) in enumerate(points):
            self._columns.add(key, steps, values[i : i + 1], times, epochs)

    def add_cells(self, cells: dict[Name, Cells], n: int) -> None:
        """Take the cells of the next n records, which hold no configurations; changes `cells`."""
        said, before = self._reports.take(cells), self.count
        fields = Fields(cells, n)
        by_epoch = self._evaluations.find(fields)
        epoch = fields.epoch()
        aside = fields.counts_aside
        labels, code = fields.split()
        step, known = fields.step()
        training = np.array([label in (None, "train") for label in labels], bool)[code]
        if aside:
            # A validation of MMCV 1.x counts its own batches.
            known &= training
        if not self._whole_run:
            step = self._within(step, known & training, epoch)
        if by_epoch is not None:
            step, epoch, found = self._evaluations(step, epoch, by_epoch)
            labels, code = _label(labels, code, found, "val")
        step = self._steps(step, known, epoch)
        self._events += [Event(before + i + 1, int(step[i]), text) for i, text in said]
        self._put_all(cells, Axes(step, fields.wall_time(), epoch), labels, code)

    def _set_aside(self, cells: dict[Name, Cells], rows: Sequence[Object]) -> None:
        for key, value in take_settings(cells, rows).items():
            if key not in self._settings_of:
                self._settings_of.add(key)
                self._settings[key] = value
        for name, kind in take_media(cells).items():
            self._skipped.setdefault(_printable(name), kind)

    def _put_all(
        self,
        cells: dict[Name, Cells],
        axes: Axes,
        labels: list[str | None],
        code: NDArray[np.intp],
    ) -> None:
        for name, held in cells.items():
            found = self._numbers(name, held)
            if len(labels) == 1:
                self._put(self._key(name, None), axes, found)
                continue
            here = code[found.at]
            keys = {label: self._key(name, labels[label]) for label in np.unique(here).tolist()}
            for key in dict.fromkeys(keys.values()):
                of_key = np.isin(here, [label for label in keys if keys[label] == key])
                self._put(key, axes, found if of_key.all() else found.only(of_key))

    def _numbers(self, name: Name, cells: Cells) -> Numbers:
        found = cells.numbers()
        if name not in self._units and len(found.at):
            # The first number decides, so that all of them stay one column.
            self._units[name] = "%" if is_percent(cells, int(found.at[0])) else ""
            self._flags[name] = found.boolean is not None and bool(found.boolean[0])
        if found.other and name not in _QUIET and not is_told(name, found.other):
            self._skipped.setdefault(_printable(name.name), found.other)
        return found

    def _key(self, name: Name, split: str | None) -> Key:
        kind = "loss" if name.section == "losses" else ""
        kind = "flag" if self._flags.get(name) else kind
        if split is not None and not self.native and parse_name(name.name)[1]:
            split = None  # the name itself says one
        return Key(self._name(name), split, kind, self._units.get(name, ""))

    def _name(self, name: Name) -> str:
        # Without its section, unless another section had that name first.
        plain = _printable(name.name)
        owner = self._sections.setdefault(plain, name.section)
        return plain if owner == name.section else f"{name.section or 'record'}/{plain}"

    def _put(self, key: Key, axes: Axes, found: Numbers) -> None:
        if not len(found.at):
            return
        step, wall_time, epoch = axes[found.at]
        self._columns.add(key, step, found.value, wall_time, epoch)


def _label(
    labels: list[str | None], code: NDArray[np.intp], rows: NDArray[np.bool_], label: str
) -> tuple[list[str | None], NDArray[np.intp]]:
    """Labels and their numbers, with `label` for those of `rows` that have none."""
    rows = rows & (code == 0)
    if not rows.any():
        return labels, code
    labels = labels if label in labels else [*labels, label]
    return labels, np.where(rows, labels.index(label), code)


def _printable(name: str) -> str:
    # A lone surrogate cannot be written to any output.
    return name if name.isascii() else name.encode("utf-8", "replace").decode("utf-8")
