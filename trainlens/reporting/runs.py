"""The runs of a report as data: how each stands, how fast it went, what it was set to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainlens.compact import Compact
from trainlens.detect.rates import planned_total
from trainlens.judged import Judged
from trainlens.leaves import leaves
from trainlens.reporting.phases import Phase, phases
from trainlens.reporting.sketches import Sketch, sketches
from trainlens.run import Ended, Key, Notice, Run, Series
from trainlens.stats.noise import median, second_difference_noise
from trainlens.stats.resample import Floats, bucket, points, uniform_edges

_COLOURS = 8
_KNOTS = 65
_SPARK = 48
_LONGEST = 400
_SETTINGS = 1000
_YEAR_2000 = 946_684_800.0


@dataclass(frozen=True, slots=True)
class Standing(Compact):
    """How a run did on the quantity that the runs are ranked by, or on its own leading one.

    Parameters
    ----------
    metric, split, unit, direction : str
    best : float
    best_step : int
    final : float
        Last finite value.
    noise : float
        Step-to-step standard deviation; NaN below 4 points.
    """

    metric: str
    split: str
    unit: str
    direction: str
    best: float
    best_step: int
    final: float
    noise: float


@dataclass(frozen=True, eq=False, slots=True)
class Ranked(Compact):
    """How a run stands on one quantity, and its course in few values, shape (s,)."""

    standing: Standing
    spark: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Attempt(Compact):
    """A contiguous training of a run; `began` in Unix seconds, NaN where unknown."""

    first: int
    last: int
    began: float


@dataclass(frozen=True, slots=True)
class Gap(Compact):
    """A pause in the log: between which steps, and how long in seconds."""

    before: int
    after: int
    seconds: float


@dataclass(frozen=True, eq=False, slots=True)
class Clock(Compact):
    """Step, epoch and seconds since the start of a run at some knots, shape (k,); NaN unknown."""

    step: NDArray[np.int64]
    epoch: NDArray[np.float64]
    seconds: NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class RunSummary(Compact):
    """All that a report says about a run besides its findings and curves.

    Parameters
    ----------
    index : int
    name, source, format : str
    verdict, sentence : str
    counts : mapping of severity to number of findings
    steps : (first, last) or None
    points : int
    attempts : tuple of Attempt
    age : float or None
        Seconds since its last record, None where the log has no times.
    running : bool
        Whether its last record is recent, for its own rhythm, and nothing says that it ended.
    seconds : float or None
        From the first to the last record.
    rate : float or None
        Steps a second, median over the log.
    gaps : tuple of Gap
        The longest first, at most five.
    standing : Standing or None
    spark : ndarray of shape (s,)
        The ranked quantity in few values.
    colour : int or None
        Place in the palette of eight; None = grey: one of many in which nothing was found.
    dash : int
        0 solid; 1, 2, ... where colours repeat.
    config : tuple of (key, value)
        Nested settings under dotted keys.
    phases : tuple of Phase
    clock : Clock or None
    notices : tuple of Notice
    sketches : tuple of Sketch
    ended : Ended or None
        As the log itself says it.
    """

    index: int
    name: str
    source: str
    format: str
    verdict: str
    sentence: str
    counts: Mapping[str, int]
    steps: tuple[int, int] | None
    points: int
    attempts: tuple[Attempt, ...]
    age: float | None
    running: bool
    seconds: float | None
    rate: float | None
    gaps: tuple[Gap, ...]
    standing: Standing | None
    spark: NDArray[np.float64]
    colour: int | None
    dash: int
    config: tuple[tuple[str, str], ...]
    phases: tuple[Phase, ...]
    clock: Clock | None
    notices: tuple[Notice, ...]
    sketches: tuple[Sketch, ...] = ()
    ended: Ended | None = None

    def placed(self, index: int, look: tuple[int | None, int], ranked: Ranked | None) -> RunSummary:
        """The same run at its place among others; `look` is colour and dash."""
        standing, spark = (ranked.standing, ranked.spark) if ranked else (None, self.spark)
        return replace(
            self, index=index, colour=look[0], dash=look[1], standing=standing, spark=spark
        )


def ranking_key(leads: Iterable[Key | None]) -> Key | None:
    """Metric and split by which runs are ranked: the leading one that most of them have."""
    have = Counter(lead for lead in leads if lead is not None)
    return max(have, key=lambda k: have[k]) if have else None


def looks(flagged: Sequence[bool]) -> Iterator[tuple[int | None, int]]:
    """Colour and dash of each run: the flagged ones first, the others while colours last.

    Where there is a colour for each, they go by the order of the runs: on a page that is made
    again and again, a run keeps its own when another one is flagged.
    """
    # Without any flagged run, up to 16 can still be told apart with dashes; of more, colour
    # would only say that there are many.
    spare = _COLOURS if any(flagged) else 2 * _COLOURS
    spare = spare if len(flagged) <= 2 * _COLOURS else 0
    order = range(len(flagged))
    ranked = order if len(flagged) <= _COLOURS else sorted(order, key=lambda i: not flagged[i])
    place = {i: k for k, i in enumerate(ranked)}
    for i, flag in enumerate(flagged):
        k = place[i]
        yield (k % _COLOURS, k // _COLOURS) if flag or k < spare else (None, 0)


def looks_of_sides(
    names: Sequence[str], sides: Sequence[Collection[str]]
) -> Iterator[tuple[int | None, int]]:
    """Colour and dash of each run where several are one side of a comparison: those of its side.

    Parameters
    ----------
    names : sequence of str
        Of the runs.
    sides : sequence of collection of str
        The names of the runs of each side. Of more than can be told apart with dashes the first,
        the baseline, has a colour.
    """
    coloured = sides if len(sides) <= 2 * _COLOURS else sides[:1]
    place = {name: k for k, side in enumerate(coloured) for name in side}
    for name in names:
        k = place.get(name)
        yield (None, 0) if k is None else (k % _COLOURS, k // _COLOURS)


def summarise(run: Run, told: Judged, now: float) -> RunSummary:
    """What a report says about a run, before it knows the others.

    Its place, its looks and how it stands among them are filled in by `RunSummary.placed`.
    """
    times = run.wall_times
    # A clock that says 1970 says nothing.
    age = None if times is None or times[1] < _YEAR_2000 else max(0.0, now - times[1])
    pace = _pace(run)
    seconds = np.diff(pace.wall_time) if pace is not None else np.empty(0)
    rhythm = median(seconds) if pace is not None else 0.0
    return RunSummary(
        index=0,
        name=run.name,
        source=run.source,
        format=run.format,
        verdict=told.verdict,
        sentence=told.sentence,
        counts=dict(Counter(f.severity.value for f in told.findings)),
        steps=run.steps,
        points=run.points,
        attempts=_attempts(run),
        age=age,
        running=age is not None and age < max(120.0, 5 * rhythm) and not _at_its_end(run, pace),
        ended=run.ended,
        seconds=None if times is None else times[1] - times[0],
        rate=_rate(pace, seconds),
        gaps=_gaps(pace, seconds, rhythm),
        standing=None,
        spark=np.empty(0),
        colour=None,
        dash=0,
        config=tuple((k, _setting(v)) for k, v in islice(leaves(run.config), _SETTINGS)),
        phases=phases(run),
        clock=clock_of(run),
        notices=run.notices,
        sketches=sketches(run),
    )


def _at_its_end(run: Run, pace: Series | None) -> bool:
    """Whether the log says so, or has its last record at the last step planned or due before it."""
    if run.ended is not None:
        return True
    total = planned_total(run, pace) if pace is not None else None
    if total is None or pace is None or run.steps is None:
        return False
    interval = median(np.diff(pace.step).astype(np.float64)) if len(pace) > 1 else 0.0
    return run.steps[1] + interval >= total


def standings(run: Run) -> dict[Key, Ranked]:
    """How a run stands on each quantity that runs may be ranked by."""
    return {
        (s.metric, s.split): Ranked(_standing(s), _spark(s))
        for s in run.training_series
        if s.role.direction and len(s.finite)
    }


def _standing(series: Series) -> Standing:
    held = series.finite
    noise = second_difference_noise(held.value)
    at = int(np.argmax(held.value) if series.role.direction == "max" else np.argmin(held.value))
    return Standing(
        series.metric,
        series.split,
        series.unit,
        series.role.direction,
        float(held.value[at]),
        int(held.step[at]),
        float(held.value[-1]),
        noise,
    )


def _spark(series: Series) -> NDArray[np.float64]:
    held = series.effective
    if len(held) <= _SPARK:
        return points(held.step, held.value).mean
    return bucket(
        held.step, held.value, uniform_edges(int(held.step[0]), int(held.step[-1]), _SPARK)
    ).mean


def _longest(run: Run) -> Series | None:
    return max(run.training_series, key=len, default=None)


def _attempts(run: Run) -> tuple[Attempt, ...]:
    series = max(run.training_series, key=lambda s: (s.attempts, len(s)), default=None)
    if series is None:
        return ()
    if series.attempts == 1:
        return (Attempt(*series.span, float(series.wall_time[0])),)
    start = np.flatnonzero(np.diff(series.attempt, prepend=-1))
    stop = np.append(start[1:], len(series))
    return tuple(
        Attempt(
            int(series.step[a:b].min()), int(series.step[a:b].max()), float(series.wall_time[a])
        )
        for a, b in zip(start, stop, strict=True)
    )


def _pace(run: Run) -> Series | None:
    """The longest series with its times, where it has them."""
    series = _longest(run)
    if series is None or len(series) < 3 or np.isnan(series.wall_time).any():
        return None
    return series


def _rate(pace: Series | None, seconds: Floats) -> float | None:
    if pace is None:
        return None
    steps = np.diff(pace.step)
    good = (seconds > 0) & (steps > 0)
    if not good.all():
        seconds, steps = seconds[good], steps[good]
    return 1 / median(seconds / steps) if len(steps) else None


def _gaps(pace: Series | None, seconds: Floats, rhythm: float) -> tuple[Gap, ...]:
    if pace is None:
        return ()
    long = (seconds > max(60.0, 20 * rhythm)).nonzero()[0]
    if not len(long):
        return ()
    worst = long[np.argsort(-seconds[long], kind="stable")][:5]
    return tuple(Gap(int(pace.step[i]), int(pace.step[i + 1]), float(seconds[i])) for i in worst)


def clock_of(run: Run) -> Clock | None:
    """Step, epoch and seconds at some points of the longest series of a run."""
    series = _longest(run)
    if series is None:
        return None
    held = series.effective
    index = _knots(len(held))
    seconds = held.wall_time[index]
    known = seconds[~np.isnan(seconds)]
    if len(known):
        seconds = _ascending(seconds - known.min())
    return Clock(held.step[index], _epochs(run, held, index), seconds)


@lru_cache(maxsize=64)
def _knots(n: int) -> NDArray[np.intp]:
    """Positions of up to `_KNOTS` points among `n`; many runs of a sweep are equally long."""
    index = np.unique(np.linspace(0, n - 1, _KNOTS).round().astype(np.intp))
    index.flags.writeable = False
    return index


def _epochs(run: Run, held: Series, index: NDArray[np.intp]) -> NDArray[np.float64]:
    epoch = held.epoch[index]
    counter = run.main("epoch")
    if np.isnan(epoch).all() and counter is not None and len(counter.finite) > 1:
        known = counter.finite
        epoch = np.interp(held.step[index], known.step, known.value)
    return _ascending(epoch)


def _ascending(value: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.isnan(value).any():
        return np.full(len(value), np.nan)
    risen: NDArray[np.float64] = np.maximum.accumulate(value)
    return risen


def _setting(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
