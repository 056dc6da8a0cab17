"""Spikes of a loss: a sudden rise that lasts some points (spike) or one (outlier)."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from trainlens.detect._signal import Signal, SpikeSignal, Tuning
from trainlens.detect.base import Event, Floats, Ints, watch
from trainlens.run import Series

MERGE = 20  # points of calm after which the next rise is another event
_LATE = 1024  # single points that are gathered at once
HORIZON = 1000  # points after which a rise that does not come back is a new level
LARGE = 1.25  # rises of the single-point channel that count as spikes when they last
BACK = 4  # a median of 5 fires up to so many points late


@dataclass
class _Open:
    """The event that is going on; positions count finite points from the start of the series."""

    spike: bool
    start: int
    first_step: int
    first_index: int
    base: float
    back: float
    sigma: float
    last_step: int
    last_index: int
    peak: float = -np.inf
    peak_step: int = 0
    after: int | None = None
    calm: int | None = None
    high: int = 0
    far: bool = False

    @property
    def kind(self) -> str:
        """A large rise that lasts is a spike, whichever channel saw it."""
        points = self.last_index - self.first_index + 1
        lasts = points / 2 <= self.high >= 3 and self.far
        return "spike" if self.spike or lasts else "outlier"


class SpikeDetector:
    """Finds sudden rises above the level and the noise of a series so far.

    Two channels on log values. A *spike* is a median of 5 that rises above the level before it by
    several of its own robust spreads and by 2 %; its own spread holds the autocorrelation of the
    noise, so slowly wandering losses stay silent. An *outlier* is a single point far out in the
    tail of the (prewhitened) noise. Events less than 20 points apart are one. From the first
    value <= 0 on, the values themselves are analysed and a rise is measured against the drop of
    the curve so far. NaN and infinite values are left out.

    Parameters
    ----------
    tuning : Tuning, optional

    Attributes
    ----------
    largest : float
        The largest standardised single rise so far.
    seen : int
        Finite points so far.
    """

    def __init__(self, tuning: Tuning | None = None) -> None:
        self._tuning = tuning or Tuning()
        self._log = True
        self._signal = SpikeSignal(self._tuning, log=True)
        self._history = np.empty(0)
        self._late: list[float] = []
        self._tail: tuple[Ints, Floats, Ints] = (_NONE, np.empty(0), _NONE)
        self._tail_late: deque[tuple[int, float, int]] = deque(maxlen=BACK)
        self._index = 0
        self._open: _Open | None = None
        self.seen = 0
        self.largest = 0.0

    @property
    def open(self) -> Event | None:
        """The event that is going on, as far as it is known."""
        return self._event(self._open) if self._open else None

    def update(self, step: Ints, value: Floats) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        if len(value) == 1:
            return self._one(int(step[0]), float(value[0]))
        return self._many(step, value)

    def _one(self, step: int, value: float) -> list[Event]:
        """One point, which in most cases is nothing to speak of."""
        if self._log and value <= 0:
            return self._many(np.array([step]), np.array([value]))
        index, self._index = self._index, self._index + 1
        if not math.isfinite(value):
            return []
        with np.errstate(over="ignore", invalid="ignore"):
            point = self._signal.one(value)
        if math.isfinite(point.z) and point.position >= self._tuning.points:
            self.largest = max(self.largest, point.z)
        events: list[Event] = []
        if self._open or point.spike or point.outlier:
            self._gather()
            new = np.array([step]), np.array([value]), np.array([index])
            with np.errstate(over="ignore", invalid="ignore"):
                events = self._scan(_Chunk(*new, Signal.of(point), self.seen, self._tail))
        self.seen += 1
        if self._log:
            self._late.append(value)
            if len(self._late) >= _LATE:
                self._gather()
        self._tail_late.append((step, value, index))
        return events

    def _gather(self) -> None:
        """Put single points to those that came before them."""
        if self._late:
            keep = self._tuning.memory + self._tuning.window
            self._history = np.concatenate([self._history, self._late])[-keep:]
            self._late = []
        if self._tail_late:
            step, value, index = zip(*self._tail_late, strict=True)
            new = np.array(step, np.int64), np.array(value, np.float64), np.array(index, np.int64)
            fields = zip(self._tail, new, strict=True)
            held, values, places = (np.concatenate([a, b])[-BACK:] for a, b in fields)
            self._tail = (held, values, places)
            self._tail_late.clear()

    def _many(self, step: Ints, value: Floats) -> list[Event]:
        self._gather()
        good = np.isfinite(value)
        index = self._index + np.flatnonzero(good)
        self._index += len(value)
        step, value = step[good], value[good]
        events: list[Event] = []
        if self._log and len(turn := np.flatnonzero(value <= 0)):
            at = int(turn[0])
            events += self._feed(step[:at], value[:at], index[:at])
            self._to_linear()
            step, value, index = step[at:], value[at:], index[at:]
        return events + self._feed(step, value, index)

    def finish(self) -> list[Event]:
        """See `trainlens.detect.base.Detector`."""
        events = [self._event(self._open)] if self._open else []
        self._open = None
        return events

    def _to_linear(self) -> None:
        """Start over on the values themselves, with what is remembered as the past."""
        self._log = False
        self._signal = SpikeSignal(self._tuning, log=False)
        if len(self._history):
            with np.errstate(over="ignore", invalid="ignore"):
                self._signal.update(self._history)
        if self._open:
            self._open.sigma *= float(np.exp(self._open.base))
            self._open.base = float(np.exp(self._open.base))
            self._open.back = float(np.exp(self._open.back))

    def _feed(self, step: Ints, value: Floats, index: Ints) -> list[Event]:
        if not len(value):
            return []
        with np.errstate(over="ignore", invalid="ignore"):
            signal = self._signal.update(value)
            known = signal.z[np.isfinite(signal.z) & (signal.position >= self._tuning.points)]
            self.largest = max(self.largest, float(np.max(known, initial=0.0)))
            events = self._scan(_Chunk(step, value, index, signal, self.seen, self._tail))
        self.seen += len(value)
        if self._log:
            keep = self._tuning.memory + self._tuning.window
            self._history = np.concatenate([self._history, value])[-keep:]
        fields = zip(self._tail, (step, value, index), strict=True)
        held, new, places = (np.concatenate([a, b])[-BACK:] for a, b in fields)
        self._tail = (held, new, places)
        return events

    def _scan(self, chunk: _Chunk) -> list[Event]:
        """Follow the open event, and open the next one where a channel fires."""
        events: list[Event] = []
        at = 0
        while at < len(chunk.value):
            if self._open is None:
                at = chunk.next_fire(at)
                if at < len(chunk.value):
                    self._begin(chunk, at)
                continue
            at = self._rest(chunk, at) if self._open.calm is not None else self._follow(chunk, at)
            if self._over(chunk.start + at):
                events.append(self._event(self._open))
                self._open = None
        return events

    def _begin(self, chunk: _Chunk, at: int) -> None:
        """Open an event at the point that fires, looking back for its first point."""
        s = chunk.signal
        spike = bool(s.spike[at])
        base = float(s.base[at])
        back = base + (0.7 * float(s.limit[at]) if spike else 0.5 * float(s.y[at] - base))
        first = chunk.onset(at, self._height(back)) if spike else at
        step, _, index = chunk.point(first)
        self._open = _Open(
            spike, chunk.start + at, step, index, base, back, float(s.sigma[at]), step, index
        )
        for i in range(first, at):
            self._include(*chunk.point(i))

    def _include(self, step: int, value: float, index: int) -> None:
        event = self._open
        assert event is not None
        if value > event.peak:
            event.peak, event.peak_step = value, step
        if value > self._height(event.back):
            event.last_step, event.last_index, event.after = step, index, None
            event.high += 1
        elif event.after is None:
            event.after = step

    def _follow(self, chunk: _Chunk, at: int) -> int:
        """Take in points until the series is back, or a stronger channel fires."""
        event = self._open
        assert event is not None
        end = min(len(chunk.value), at + HORIZON, event.start + HORIZON - chunk.start)
        if not event.spike:
            fires = np.flatnonzero(chunk.signal.spike[at:end])
            if len(fires) and fires[0] == 0:
                self._upgrade(chunk, at)
            elif len(fires):
                end = at + int(fires[0])
        level = chunk.signal.fast if event.spike else chunk.signal.y
        home = np.flatnonzero(level[at:end] <= event.back)
        if len(home):
            end = at + int(home[0]) + 1
            event.calm = chunk.start + end
        self._take(chunk, at, end)
        return end

    def _take(self, chunk: _Chunk, at: int, end: int) -> None:
        """Points `at` to `end` belong to the open event."""
        event = self._open
        assert event is not None
        part = chunk.value[at:end]
        if not len(part):
            return
        top = int(np.argmax(part))
        if part[top] > event.peak:
            event.peak, event.peak_step = float(part[top]), int(chunk.step[at + top])
        high = np.flatnonzero(part > self._height(event.back))
        event.high += len(high)
        if len(high):
            last = at + int(high[-1])
            event.last_step, event.last_index = int(chunk.step[last]), int(chunk.index[last])
            event.after = int(chunk.step[last + 1]) if last + 1 < end else None
        elif event.after is None:
            event.after = int(chunk.step[at])

    def _rest(self, chunk: _Chunk, at: int) -> int:
        """Wait out the calm behind an event; a fire within it goes on with the event."""
        event = self._open
        assert event is not None
        assert event.calm is not None
        if event.after is None:
            event.after = int(chunk.step[at])
        end = min(len(chunk.value), event.calm + MERGE - chunk.start)
        fire = chunk.next_fire(at)
        if fire < end:
            event.calm = None
            if chunk.signal.spike[fire] and not event.spike:
                self._upgrade(chunk, fire)
            return fire
        return max(end, at)

    def _upgrade(self, chunk: _Chunk, at: int) -> None:
        event = self._open
        assert event is not None
        event.spike = True
        event.base = float(chunk.signal.base[at])
        event.back = event.base + 0.7 * float(chunk.signal.limit[at])

    def _over(self, position: int) -> bool:
        event = self._open
        assert event is not None
        if event.calm is not None:
            return position >= event.calm + MERGE
        return position >= event.start + HORIZON

    def _height(self, y: float) -> float:
        return float(np.exp(np.minimum(y, 709.0))) if self._log else y

    def _event(self, event: _Open) -> Event:
        base = self._height(event.base)
        event.far = event.peak >= LARGE * base
        peak = np.log(event.peak) if self._log else event.peak
        with np.errstate(over="ignore"):
            z = float(np.float64(peak - event.base) / event.sigma) if event.sigma > 0 else np.inf
        return Event(
            kind=event.kind,
            first_step=event.first_step,
            last_step=event.last_step,
            first_index=event.first_index,
            points=event.last_index - event.first_index + 1,
            peak_step=event.peak_step,
            peak=event.peak,
            baseline=base,
            z=float(min(z, 1e9)),
            recovered_step=event.after if event.calm is not None else None,
        )


_NONE = np.empty(0, np.int64)


class _Chunk:
    """New points with their signal, and the few points before them (negative positions)."""

    def __init__(
        self,
        step: Ints,
        value: Floats,
        index: Ints,
        signal: Signal,
        start: int,
        tail: tuple[Ints, Floats, Ints],
    ) -> None:
        self.step, self.value, self.index = step, value, index
        self.signal, self.start, self._tail = signal, start, tail
        self._fires = np.flatnonzero(signal.spike | signal.outlier)

    def next_fire(self, at: int) -> int:
        """First position from `at` on where a channel fires, the length where none does."""
        later = int(np.searchsorted(self._fires, at))
        return int(self._fires[later]) if later < len(self._fires) else len(self.value)

    def point(self, i: int) -> tuple[int, float, int]:
        """Step, value and index of a point; negative positions lie before the chunk."""
        step, value, index = self._tail if i < 0 else (self.step, self.value, self.index)
        return int(step[i]), float(value[i]), int(index[i])

    def onset(self, at: int, height: float) -> int:
        """First of the last points up to `at` that lies above `height`."""
        first = max(at - BACK, -len(self._tail[0]))
        return next((i for i in range(first, at) if self.point(i)[1] > height), at)


@dataclass(frozen=True)
class Spikes:
    """What a spike detector found in a finished series.

    Parameters
    ----------
    events : tuple of Event
        Of kinds ``spike`` and ``outlier``, in order.
    largest : float
        The largest standardised single rise, in standard deviations.
    seen : int
        Finite points looked at.
    """

    events: tuple[Event, ...]
    largest: float
    seen: int

    def of(self, kind: str) -> tuple[Event, ...]:
        """Events of one kind."""
        return tuple(e for e in self.events if e.kind == kind)


_found: WeakKeyDictionary[Series, Spikes] = WeakKeyDictionary()


def find_spikes(series: Series) -> Spikes:
    """Spikes of a series, computed once however many rules ask.

    Parameters
    ----------
    series : Series
        Its effective trajectory is looked at; NaN and infinities are left out.
    """
    held = _found.get(series)
    if held is None:
        detector = SpikeDetector()
        base = series.effective
        events = watch(detector, base.step, base.value)
        held = _found[series] = Spikes(tuple(events), detector.largest, detector.seen)
    return held
