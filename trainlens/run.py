"""The data model: `Series`, `Run` and `Runs`, grown from the chunks that readers hand over.

Everything is columnar and immutable: one array a field, never one Python object a point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Chunk, Column, Ended, Floats, Ints, Notice, joined, unknown
from trainlens.notebook import Shown
from trainlens.roles import Role, parse_name, role_of
from trainlens.stats.attempts import attempt_labels

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Chunk",
    "Column",
    "Ended",
    "Floats",
    "Ints",
    "Notice",
    "Run",
    "Runs",
    "Series",
    "attempt_labels",
    "unknown",
]

Key = tuple[str, str]

_MACHINE = frozenset({"system", "gpu-usage", "memory-limit"})
"""Readings that may be taken at times of their own."""


@dataclass(frozen=True, eq=False)
class Series:
    """All points of one metric in one split, in file order.

    Parameters
    ----------
    metric, split : str
    step : ndarray of int64, shape (n,)
    value, wall_time, epoch : ndarray of float64, shape (n,)
        NaN and infinities in `value` are data; NaN elsewhere means unknown.
    name : str
        The name as it stands in the log.
    kind : str
        See `Column`.
    logged_unit : str
        Unit that stands in the log.
    meaning : Role or None
        What a user says it means, in place of what its name tells.
    """

    metric: str
    split: str
    step: Ints
    value: Floats
    wall_time: Floats
    epoch: Floats
    name: str = ""
    kind: str = ""
    logged_unit: str = ""
    meaning: Role | None = None

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        span = f", steps {self.step.min()}-{self.step.max()}" if len(self) else ""
        return f"<Series {self.split}/{self.metric}: {len(self)} points{span}>"

    @cached_property
    def role(self) -> Role:
        """What this metric means: loss, learning rate, gradient norm, ..."""
        return self.meaning or role_of(self.metric, self.kind)

    @property
    def unit(self) -> str:
        """Unit of the values: as a user says, as logged, or as the name tells; else empty."""
        said = self.meaning.unit if self.meaning is not None else ""
        return said or self.logged_unit or self.role.unit

    @cached_property
    def ascends(self) -> bool:
        """Whether every step is above the one before."""
        return bool((self.step[1:] > self.step[:-1]).all())

    @cached_property
    def span(self) -> tuple[int, int]:
        """Lowest and highest step; of a series with points."""
        if self.ascends:
            return int(self.step[0]), int(self.step[-1])
        return int(self.step.min()), int(self.step.max())

    @cached_property
    def attempt(self) -> Ints:
        """Attempt of each point, shape (n,), starting at 0."""
        return np.zeros(len(self), np.int64) if self.ascends else attempt_labels(self.step)

    @cached_property
    def attempts(self) -> int:
        """How many times this series was started."""
        if self.ascends:
            return min(len(self), 1)
        return int(self.attempt[-1]) + 1

    @cached_property
    def effective(self) -> Series:
        """The trajectory that led to the last weights: one value a step, steps ascending.

        A later attempt replaces everything at and after its first step; within an attempt the
        last value of a step counts. Returns self where there is nothing to replace.
        """
        if self.ascends:
            return self
        starts = np.flatnonzero(np.diff(self.attempt, prepend=-1))
        first = np.minimum.reduceat(self.step, starts)
        later = np.append(np.minimum.accumulate(first[::-1])[::-1][1:], np.iinfo(np.int64).max)
        kept = np.flatnonzero(self.step < later[self.attempt])
        order = kept[np.argsort(self.step[kept], kind="stable")]
        last = np.append(self.step[order][1:] != self.step[order][:-1], True)
        return self.take(order[last])

    @cached_property
    def finite(self) -> Series:
        """`effective` without NaN and infinities."""
        base = self.effective
        good = np.isfinite(base.value)
        return base if bool(good.all()) else base.take(np.flatnonzero(good))

    def take(self, index: Ints | NDArray[np.intp]) -> Series:
        """The points at `index`, shape (m,), in that order."""
        return replace(
            self,
            step=self.step[index],
            value=self.value[index],
            wall_time=self.wall_time[index],
            epoch=self.epoch[index],
        )

    def append(self, column: Column) -> Series:
        """The points of this series with those of `column` behind them."""
        return replace(
            self,
            step=np.concatenate([self.step, column.step]),
            value=np.concatenate([self.value, column.value]),
            wall_time=joined(self.wall_time, column.wall_time),
            epoch=joined(self.epoch, column.epoch),
        )


@dataclass(frozen=True, eq=False)
class Run(Shown):
    """One training run: its series, its configuration, and what the reader noticed.

    Parameters
    ----------
    name : str
        Short name, unique within a `Runs`.
    source : str
        Path it was read from.
    format : str
        Name of the reader: ``jsonl``, ``tensorboard``, ``aim``, ...
    series : mapping of (metric, split) to Series
    config : mapping
        Hyperparameters as far as the format has them.
    notices : tuple of Notice
    ended : Ended or None
        None where the log does not say that it was ended.
    """

    name: str
    source: str
    format: str
    series: Mapping[Key, Series] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    ended: Ended | None = None

    def __getitem__(self, key: Key | str) -> Series:
        metric, split = (key, "train") if isinstance(key, str) else key
        try:
            return self.series[metric, split]
        except KeyError:
            have = ", ".join(f"{s}/{m}" for m, s in sorted(self.series))
            raise KeyError(f"no {split}/{metric} in run {self.name}; it has {have}") from None

    def __repr__(self) -> str:
        return f"<Run {self.name} ({self.format}): {len(self.series)} series, {self.points} points>"

    @cached_property
    def points(self) -> int:
        """Number of points over all series."""
        return sum(len(s) for s in self.series.values())

    @cached_property
    def training_series(self) -> tuple[Series, ...]:
        """The series without system metrics (or all, where there is nothing else)."""
        kept = tuple(s for s in self.series.values() if s.role.name not in _MACHINE and len(s))
        return kept or tuple(s for s in self.series.values() if len(s))

    @cached_property
    def steps(self) -> tuple[int, int] | None:
        """First and last step, None for a run without points."""
        held = self.training_series
        if not held:
            return None
        return min(s.span[0] for s in held), max(s.span[1] for s in held)

    @cached_property
    def attempts(self) -> int:
        """How many times the run was started, as far as its steps tell."""
        return max((s.attempts for s in self.training_series), default=0)

    @cached_property
    def wall_times(self) -> tuple[float, float] | None:
        """First and last Unix time of any point, None where the log has no times."""
        spans = [span for s in self.series.values() if (span := _extremes(s.wall_time))]
        return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None

    def with_role(self, role: str, split: str | None = None) -> tuple[Series, ...]:
        """Series of a role, the most telling first (a total loss before its parts).

        Parameters
        ----------
        role : str
            A name of `trainlens.roles.ROLES`.
        split : str, optional
            Only of this split.
        """
        found = self._by_role.get(role, ())
        return found if split is None else tuple(s for s in found if s.split == split)

    @cached_property
    def _by_role(self) -> Mapping[str, tuple[Series, ...]]:
        held: dict[str, list[Series]] = {}
        for s in self.series.values():
            if len(s):
                held.setdefault(s.role.name, []).append(s)
        return {
            role: tuple(sorted(found, key=lambda s: s.role.place(s.metric)))
            for role, found in held.items()
        }

    def main(self, role: str, split: str | None = None) -> Series | None:
        """The most telling series of a role, None where there is none."""
        found = self.with_role(role, split)
        return found[0] if found else None

    def extend(self, chunk: Chunk) -> Run:
        """A run with the points, settings and notices of `chunk` added.

        Names are resolved in the order in which they first appear: where two names mean the same
        metric and split (``loss`` and ``train/loss``), the first takes the short name and the
        other keeps its own.
        """
        series = dict(self.series)
        owner = {key: s.name for key, s in series.items()}
        for column in chunk.columns:
            key = key_for(column, owner)
            owner[key] = column.name
            held = series.get(key)
            series[key] = held.append(column) if held else started(key, column)
        return replace(
            self,
            series=series,
            config={**self.config, **chunk.config},
            notices=self.notices + chunk.notices,
            ended=chunk.ended,
        )

    def frame(self) -> pd.DataFrame:
        """Long table: run, metric, split, step, epoch, wall_time, value; file order in a series."""
        return Runs([self]).frame()

    def wide(self) -> pd.DataFrame:
        """One row a step, one column a ``split/metric``, from the effective trajectories."""
        import pandas as pd

        columns = {
            f"{split}/{metric}": pd.Series(s.effective.value, index=s.effective.step)
            for (metric, split), s in self.series.items()
        }
        return pd.DataFrame(columns).rename_axis("step")


def _extremes(value: Floats) -> tuple[float, float] | None:
    """Smallest and largest of the known values, None without any."""
    if not len(value):
        return None
    low, high = float(value.min()), float(value.max())
    if low != low:  # one of them is unknown
        known = value[~np.isnan(value)]
        return (float(known.min()), float(known.max())) if len(known) else None
    return low, high


def key_for(column: Column, owner: Mapping[Key, str]) -> Key:
    """Metric and split of a column; `owner` holds the logged names of those there are."""
    return key_of(column.name, column.split, owner)


def key_of(name: str, split: str | None, owner: Mapping[Key, str]) -> Key:
    """Metric and split of a name as it was logged; the split is None where the name tells it."""
    if split is not None:
        metric, split = name, parse_name(f"{split}/x")[1] or split
    else:
        metric, split = parse_name(name)
    for key in ((metric, split or "train"), (name, split or "train")):
        if owner.get(key, name) == name:
            return key
    return (name, f"{split or 'train'} ({name})")


def started(key: Key, column: Column) -> Series:
    """A series that begins with a column."""
    return Series(
        *key,
        step=column.step,
        value=column.value,
        wall_time=column.wall_time,
        epoch=column.epoch,
        name=column.name,
        kind=column.kind,
        logged_unit=column.unit,
    )


class Runs(Sequence[Run]):
    """An immutable sequence of runs, with what was noticed while looking for them.

    Parameters
    ----------
    runs : iterable of Run
    notices : iterable of Notice
        About files that became no run.
    """

    def __init__(self, runs: Iterable[Run] = (), notices: Iterable[Notice] = ()) -> None:
        self._runs = tuple(runs)
        self.notices = tuple(notices)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        if isinstance(index, slice):
            return Runs(self._runs[index], self.notices)
        return self._runs[index]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __repr__(self) -> str:
        return f"<Runs: {', '.join(r.name for r in self._runs) or 'none'}>"

    def frame(self) -> pd.DataFrame:
        """Long table: run, metric, split, step, epoch, wall_time, value."""
        import pandas as pd

        held = [(run.name, s) for run in self for s in run.series.values()]
        sizes = np.array([len(s) for _, s in held], np.intp)
        return pd.DataFrame(
            {
                "run": np.repeat(np.array([name for name, _ in held], object), sizes),
                "metric": np.repeat(np.array([s.metric for _, s in held], object), sizes),
                "split": np.repeat(np.array([s.split for _, s in held], object), sizes),
                "step": _stack([s.step for _, s in held], np.int64),
                "epoch": _stack([s.epoch for _, s in held], np.float64),
                "wall_time": _stack([s.wall_time for _, s in held], np.float64),
                "value": _stack([s.value for _, s in held], np.float64),
            }
        )


def _stack(arrays: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)
