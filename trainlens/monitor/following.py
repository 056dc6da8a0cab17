"""One run while it is being written: what its reader gives is told apart, counted and let go."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from trainlens.chunk import Chunk, Column, unknown
from trainlens.errors import MissingExtra, NotFound, SourceError
from trainlens.monitor.alarms import Alarms
from trainlens.monitor.model import ENDED, GONE, LIVE, QUIET, UNREADABLE, WAITING
from trainlens.monitor.pace import Pace
from trainlens.monitor.trail import MACHINE, Course
from trainlens.readers import open_source
from trainlens.readers.base import Reader, Source
from trainlens.remote.shown import as_shown
from trainlens.rules.base import Finding
from trainlens.run import Key, Run, Series, key_for, started
from trainlens.settings import Meaning, with_meanings

REPLACED = "replaced"
"""Kind of the notice that what was read before is no longer there."""
_QUIET_AFTER = 120.0
_USUAL_TIMES = 20.0
_MOST_METRICS = 2000
_FILES = 500


@dataclass(frozen=True)
class Fresh:
    """What a poll brought.

    Parameters
    ----------
    points : int
    alarming : bool
        Whether there is reason to judge the run at once.
    anew : bool
        Whether what was read before is no longer there.
    lost : bool
        Whether a record was lost.
    notices : tuple of str
        What the reader said, ready to print.
    """

    points: int = 0
    alarming: bool = False
    anew: bool = False
    lost: bool = False
    notices: tuple[str, ...] = ()


class Followed:
    """A run that is read on.

    Parameters
    ----------
    source : Source
    name : str
    meanings : tuple of Meaning
        What a user says of metrics.

    Attributes
    ----------
    courses : dict of (metric, split) to Course
    ranked : list of Course
        The most telling first.
    pace : Pace
    points : int
    step : int or None
        That the training has come to; a resumed one is where it was resumed, and further.
    epoch : float or None
    grown : float or None
        Tick at which points came last.
    grew : bool
        Whether points came after those that were there at the first poll.
    ended : bool
        Whether the log says that it was ended.
    failure : str
        Why nothing can be read at the moment; else empty.
    outdated : bool
        Whether the files of the run are others than those of `source`; `follow` ends that.
    """

    def __init__(self, source: Source, name: str, meanings: tuple[Meaning, ...] = ()) -> None:
        self.source, self.name = source, name
        self._meanings = meanings
        self.grown: float | None = None
        self.grew = False
        self._interval = 0.0
        self.failure = self._state = ""
        self._told = ""
        self.outdated = False
        self._begin()

    def _begin(self) -> None:
        self._reader: Reader | None = None
        self._keys: dict[tuple[str, str | None], Key] = {}
        self._owner: dict[Key, str] = {}
        self._alarms = Alarms()
        self.courses: dict[Key, Course] = {}
        self.ranked: list[Course] = []
        self.pace = Pace()
        self.points = 0
        self.step: int | None = None
        self.epoch: float | None = None
        self.ended = False
        self._leading: Course | None = None

    def follow(self, source: Source) -> None:
        """Go on with the run as it lies now: in other parts than before."""
        self.source, self.outdated = source, False
        self._begin()

    def poll(self, tick: float, now: float, final: bool = False) -> Fresh:
        """Read what is new.

        Parameters
        ----------
        tick : float
            Seconds of a clock that never jumps.
        now : float
            Unix seconds, which may jump.
        final : bool
            See `Reader.poll`.
        """
        try:
            chunk = self._read(final)
            anew = any(n.kind == REPLACED for n in chunk.notices)
            if anew and (self.source.parts or not os.path.lexists(self.source.path)):
                return self._outdated(chunk)
            if anew:
                # A reader at its beginning stands where a cold read stands.
                said = chunk.notices
                self._begin()
                chunk = self._read(final)
                chunk = replace(chunk, notices=(*said, *chunk.notices))
        except (SourceError, MissingExtra, OSError, MemoryError) as error:
            return Fresh(notices=self._failed(error))
        back = bool(self.failure)
        self.failure = self._state = ""
        fresh = self._take(chunk, tick, now)
        return replace(fresh, anew=anew, alarming=fresh.alarming or anew or back)

    def _outdated(self, chunk: Chunk) -> Fresh:
        """What the files are now has to be searched for; until then it stands as it stood."""
        self.outdated, self._reader = True, _Waiting()
        return Fresh(notices=tuple(str(as_shown(self.source.path, n)) for n in chunk.notices))

    def _read(self, final: bool) -> Chunk:
        if self._reader is None:
            self._reader = open_source(self.source)
        return self._reader.poll(final)

    def _failed(self, error: BaseException) -> tuple[str, ...]:
        known = error if isinstance(error, SourceError) else None
        self._state = GONE if isinstance(error, NotFound) else UNREADABLE
        self.failure = str(as_shown(self.source.path, known)) if known else _reason(error)
        told, self._told = self._told, self.failure
        return () if told == self.failure else (self.failure,)

    def _take(self, chunk: Chunk, tick: float, now: float) -> Fresh:
        lost = any(n.lost != 0 for n in chunk.notices)
        alarming = lost or any(n.kind == "event" for n in chunk.notices)
        before, self.ended = self.ended, chunk.ended is not None
        # The verdict on all of it is wanted now; what was over when the watch began has time.
        alarming |= self.ended and not before and self.points > 0
        points = 0
        main: Column | None = None
        for column in chunk.columns:
            course = self._course(column)
            if course is None or not len(column.value):
                continue
            points += len(column.value)
            alarming |= self._alarms.heed(course.meta, column)
            course.take(column.step, column.value)
            if self._advance(course, column):
                main = column
        self.points += points
        if points:
            self._note_growth(tick, now)
            if self.step is not None:
                self.pace.take(tick, self.step, main)
        notices = tuple(str(as_shown(self.source.path, n)) for n in chunk.notices)
        return Fresh(points, alarming, lost=lost, notices=notices)

    def _course(self, column: Column) -> Course | None:
        named = (column.name, column.split)
        key = self._keys.get(named)
        if key is None:
            if len(self._keys) >= _MOST_METRICS:
                return None
            key = self._keys[named] = key_for(column, self._owner)
            self._owner[key] = column.name
            self.courses[key] = Course(self._meant(started(key, _emptied(column))))
            self.ranked = sorted(self.courses.values(), key=lambda course: course.rank)
        return self.courses[key]

    def _meant(self, series: Series) -> Series:
        if not self._meanings:
            return series
        key = (series.metric, series.split)
        run, _ = with_meanings(Run(self.name, "", "", {key: series}), self._meanings)
        return run.series[key]

    def _advance(self, course: Course, column: Column) -> bool:
        """Whether these points say how far the training is."""
        meta = course.meta
        if meta.role.name in MACHINE:
            return False
        epoch = float(column.epoch[-1])
        if math.isfinite(epoch):
            self.epoch = epoch
        trains = meta.split == "train"
        if not trains and self._leading is not None and self._leading.meta.split == "train":
            return False
        # The metric with most points tells: one that is logged rarely may still stand at a step
        # from before the training was resumed.
        led = self._leading
        if led is None or course.points >= led.points or (trains and led.meta.split != "train"):
            self._leading, self.step = course, int(column.step[-1])
        return trains

    def _note_growth(self, tick: float, now: float) -> None:
        if self.grown is None:
            written = last_written(self.source)
            # What was there before this watch was written then.
            tick -= max(0.0, now - written) if written is not None else 0.0
        else:
            # A mean of the intervals between growths, the last few counting most.
            self.grew = True
            apart = tick - self.grown
            self._interval += 0.2 * (apart - self._interval) if self._interval else apart
        self.grown = tick

    def points_of(self, finding: Finding) -> int:
        """How many points the metric of a finding has; of no metric, the longest one."""
        course = self.courses.get((finding.metric, finding.split))
        if course is not None:
            return course.points
        return max((c.points for c in self.courses.values()), default=0)

    def age(self, tick: float) -> float | None:
        """Seconds since points came, as far as this process saw it."""
        return None if self.grown is None else max(0.0, tick - self.grown)

    def state(self, tick: float) -> str:
        """How the run stands, one of the words of `trainlens.monitor.model`."""
        if self._state:
            return self._state
        if not os.path.lexists(self.source.path):
            return GONE
        if not self.points:
            return WAITING
        if self.ended:
            return ENDED
        age = self.age(tick)
        limit = max(_QUIET_AFTER, _USUAL_TIMES * self._interval)
        return LIVE if age is not None and age <= limit else QUIET


class _Waiting:
    """Stands for a reader until it is known what there is to read."""

    def poll(self, final: bool = False) -> Chunk:
        return Chunk()


def _emptied(column: Column) -> Column:
    none = unknown(0)
    return replace(column, step=np.empty(0, np.int64), value=none, wall_time=none, epoch=none)


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory to read it"
    return str(error) if isinstance(error, MissingExtra) else f"cannot be read: {error}"


def last_written(source: Source) -> float | None:
    """Unix time at which a run was written last, as far as its files tell; None for none.

    Parameters
    ----------
    source : Source
    """
    times = [t for part in source.places for t in _times(part.path)]
    return max(times, default=None)


def _times(place: Path) -> list[float]:
    try:
        if not place.is_dir():
            return [place.stat().st_mtime]
        files = islice((f for f in place.rglob("*") if f.is_file()), _FILES)
        return [f.stat().st_mtime for f in files]
    except OSError:
        return []
