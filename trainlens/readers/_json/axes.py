"""Where each record of a batch stands: its step, its time, its epoch and its split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats, Ints
from trainlens.readers._json.rows import Cells, Name
from trainlens.readers._values import (
    CLOCK_KEYS,
    COUNTERS,
    DATE_KEYS,
    EARLIEST,
    EPOCH_KEYS,
    LARGEST,
    NON_FINITE,
    SPLIT_KEYS,
    STEP_KEYS,
    counted,
    known_split,
    number,
    unix_seconds,
    whole,
)

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
_INT64 = frozenset({int})
_FLOAT = frozenset({float})


class Axes:
    """Step, time and epoch of each record of a batch.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
    wall_time, epoch : ndarray of float64, shape (n,), or None
        None where no record has one; NaN where one has not.
    """

    def __init__(self, step: Ints, wall_time: Floats | None, epoch: Floats | None) -> None:
        self._all = (step, wall_time, epoch)
        self._known: dict[bytes, tuple[Ints, Floats | None, Floats | None]] = {}
        self._every: Places | None = None

    def __getitem__(self, at: Places) -> tuple[Ints, Floats | None, Floats | None]:
        """The axes of the records `at`, ascending: the same arrays for the same records."""
        step, wall_time, epoch = self._all
        if at is self._every or (len(at) == len(step) and bool((at[1:] > at[:-1]).all())):
            self._every = at
            return self._all
        key = at.tobytes()
        if key not in self._known:
            self._known[key] = (
                step[at],
                None if wall_time is None else wall_time[at],
                None if epoch is None else epoch[at],
            )
        return self._known[key]


class Fields:
    """The axes' keys among the cells of n records; what an axis uses is taken out.

    Parameters
    ----------
    cells : dict of Name to Cells
        Changed: what is left are candidates for metrics.
    n : int
        Number of records.
    """

    def __init__(self, cells: dict[Name, Cells], n: int) -> None:
        self._cells = cells
        self._n = n
        self._names: dict[str, list[Name]] = {}
        for name in cells:
            if not name.section:
                self._names.setdefault(name.name.lower(), []).append(name)

    @property
    def counts_aside(self) -> bool:
        """Whether each split counts steps of its own: a mode, an iteration, no step."""
        return {"mode", "iter"} <= self._names.keys() and "step" not in self._names

    def has(self, key: str) -> bool:
        """Whether any record has this key."""
        return key in self._names

    def holds(self, key: str) -> Flags:
        """Which records have a key that is still there, shape (n,)."""
        found = np.zeros(self._n, bool)
        for _, name in self._present((key,)):
            found[self._cells[name].index] = True
        return found

    def agree(self, one: str, other: str) -> Flags:
        """Which records have the same whole number under both keys, shape (n,)."""
        values = []
        for key in (one, other):
            column = np.full(self._n, -LARGEST, np.int64)
            for _, name in self._present((key,)):
                at, value, good = _whole_numbers(self._cells[name])
                column[at[good]] = value[good]
            values.append(column)
        same: Flags = (values[0] == values[1]) & (values[0] != -LARGEST)
        return same

    def step(self) -> tuple[Ints, Flags]:
        """Steps, shape (n,), and where there is one."""
        step, known = np.zeros(self._n, np.int64), np.zeros(self._n, bool)
        for key, name in self._present(STEP_KEYS):
            at, value, good = _whole_numbers(self._cells[name])
            use = good & ~known[at]
            if key == "steps":
                # The steps of an episode are its length.
                use &= ~self._episodes()[at]
            if len(at) == self._n and use.all():
                step, known = value, use
            else:
                step[at[use]] = value[use]
                known[at[use]] = True
            self._keep(name, np.zeros(len(at), bool) if key in COUNTERS else ~use)
        return step, known

    def _episodes(self) -> Flags:
        return self.holds("episode") | self.holds("episodes")

    def wall_time(self) -> Floats | None:
        """Unix seconds, shape (n,)."""
        clock = self._floats(CLOCK_KEYS, lambda v: unix_seconds(v, 0.0), lambda v: _dates(v, 0.0))
        dates = self._floats(DATE_KEYS, unix_seconds, _dates)
        if clock is None or dates is None:
            return dates if clock is None else clock
        return np.where(np.isnan(clock), dates, clock)

    def epoch(self) -> Floats | None:
        """Epochs, shape (n,)."""
        return self._floats(EPOCH_KEYS, _epoch, lambda value: (value, np.ones(len(value), bool)))

    def split(self) -> tuple[list[str | None], NDArray[np.intp]]:
        """Labels, the first of which is None for unknown, and the label's number, shape (n,)."""
        labels: list[str | None] = [None]
        code = np.zeros(self._n, np.intp)
        for key, name in self._present(SPLIT_KEYS):
            at, values = self._cells[name].in_order()
            words = {v: label_of(key, v) for v in {v for v in values if type(v) is str}}
            found = [words[v] if type(v) is str else None for v in values]
            new = dict.fromkeys(f for f in found if f is not None and f not in labels)
            labels.extend(new)
            number_of = {label: i for i, label in enumerate(labels)}
            here = np.array([number_of[f] for f in found], np.intp)
            use = (here > 0) & (code[at] == 0)
            code[at[use]] = here[use]
            self._keep(name, here == 0)
        return labels, code

    def _present(self, keys: tuple[str, ...]) -> Iterator[tuple[str, Name]]:
        for key in keys:
            for name in self._names.get(key, ()):
                if name in self._cells:
                    yield key, name

    def _floats(
        self,
        keys: tuple[str, ...],
        one: Callable[[Any], float | None],
        many: Callable[[Floats], tuple[Floats, Flags]],
    ) -> Floats | None:
        result = None
        for _, name in self._present(keys):
            at, value, good = _convert(self._cells[name], one, many)
            if not good.any():
                continue
            result = np.full(self._n, np.nan) if result is None else result
            use = good & np.isnan(result[at])
            result[at[use]] = value[use]
            self._keep(name, ~good)
        return result

    def _keep(self, name: Name, rest: Flags) -> None:
        if not rest.any():
            del self._cells[name]
        elif not rest.all():
            self._cells[name] = self._cells[name].only(rest)


def _epoch(value: Any) -> float | None:
    return number(counted(value))


def label_of(key: str, value: Any) -> str | None:
    """The split that a value under one of `SPLIT_KEYS` names, None for none."""
    # "split" says what it is; the other words only count where they name a split.
    free = key == "split" and isinstance(value, str) and 0 < len(value) <= 64
    # A bare NaN comes as a text.
    return known_split(value) or (value if free and value not in NON_FINITE else None)


def _whole_numbers(cells: Cells) -> tuple[Places, Ints, Flags]:
    if cells.types == _FLOAT and (numbers := cells.plain()) is not None:
        return cells.index, *_whole(numbers)
    at, values = cells.in_order()
    if cells.types == _INT64:
        try:
            step = np.array(values, np.int64)
        except OverflowError:
            pass  # beyond 64 bits: one by one
        else:
            return at, step, (step > -LARGEST) & (step < LARGEST)
    found = [whole(counted(v)) for v in values]
    good = np.array([f is not None for f in found], bool)
    return at, np.array([f or 0 for f in found], np.int64), good


def _whole(value: Floats) -> tuple[Ints, Flags]:
    good = np.isfinite(value) & (value == np.floor(value)) & (np.abs(value) < LARGEST)
    return np.where(good, value, 0.0).astype(np.int64), good


def _convert(
    cells: Cells,
    one: Callable[[Any], float | None],
    many: Callable[[Floats], tuple[Floats, Flags]],
) -> tuple[Places, Floats, Flags]:
    if (numbers := cells.plain()) is not None:
        return cells.index, *many(numbers)
    at, values = cells.in_order()
    found = [one(v) for v in values]
    good = np.array([f is not None for f in found], bool)
    return at, np.array([0.0 if f is None else f for f in found], np.float64), good


def _dates(value: Floats, earliest: float = EARLIEST) -> tuple[Floats, Flags]:
    with np.errstate(invalid="ignore"):
        good = (value >= earliest) & (value < 1e20)
        for _ in range(3):
            value = np.where(value > 1e11, value / 1e3, value)
    return value, good


class StepCounter:
    """Gives every record a step, also those that have none.

    A record without a step takes the step of the record before it. In a log that has no steps
    at all the epoch counts, and without whole epochs the number of the record. Depends only on
    the order of the records, not on how they are cut into polls.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.assumed = ""
        self._last: int | None = None
        self._whole_epochs = True

    def __call__(self, step: Ints, known: NDArray[np.bool_], epoch: Floats | None) -> Ints:
        """Complete the steps of the next n records.

        Parameters
        ----------
        step : ndarray of int64, shape (n,)
        known : ndarray of bool, shape (n,)
            Where `step` holds a step.
        epoch : ndarray of float64, shape (n,), or None

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        n = len(step)
        if not known.all():
            step = self._complete(step, known, epoch)
        elif n:
            self._last = int(step[-1])
        self.rows += n
        return step

    def one(self, step: int) -> None:
        """The next record is one with a step."""
        self._last = step
        self.rows += 1

    def _complete(self, step: Ints, known: NDArray[np.bool_], epoch: Floats | None) -> Ints:
        n = len(step)
        before = np.maximum.accumulate(np.where(known, np.arange(n), -1))
        carried = step[np.maximum(before, 0)]
        if self._last is not None:
            carried = np.where(before < 0, self._last, carried)
            free = np.zeros(n, bool)
        else:
            free = before < 0
        if known.any():
            self._last = int(step[np.flatnonzero(known)[-1]])
        if not bool((free | known).all()):
            self.assumed = self.assumed or "records without a step count at the step before them"
        return np.where(free, self._count(np.flatnonzero(free), n, epoch), carried)

    def _count(self, free: NDArray[np.intp], n: int, epoch: Floats | None) -> Ints:
        count = np.arange(self.rows, self.rows + n)
        if not len(free):
            return count
        if epoch is None:
            self._whole_epochs = False
        usable = np.zeros(n, bool)
        if epoch is not None and self._whole_epochs:
            with np.errstate(invalid="ignore"):
                fits = (epoch == np.floor(epoch)) & (np.abs(epoch) < LARGEST)
            odd = free[~fits[free]]
            usable[: odd[0] if len(odd) else n] = True
            self._whole_epochs = not len(odd)
        what = "epoch" if usable[free[0]] else "number of the record"
        self.assumed = self.assumed or f"no step in this log: the {what} counts as step"
        return np.where(usable, np.nan_to_num(epoch if epoch is not None else 0.0), count).astype(
            np.int64
        )
