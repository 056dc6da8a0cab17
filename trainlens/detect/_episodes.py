"""Stretches of points that meet a condition, with short gaps bridged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainlens.detect.base import Bools, Event, Floats, Ints


@dataclass
class _Stretch:
    first_step: int
    first_index: int
    last_step: int
    last_index: int
    count: int
    peak: float
    peak_step: int
    baseline: float
    after: int | None = None


class Episodes:
    """Groups marked points into events, chunk by chunk.

    Parameters
    ----------
    kind : str
        Of the events.
    gap : int
        Marked points with fewer than so many unmarked ones between them are one event.
    least : int
        Events with fewer marked points are dropped.
    sign : int
        1: the largest value is the worst; -1: the smallest.
    """

    def __init__(self, kind: str, gap: int = 20, least: int = 1, sign: int = 1) -> None:
        self._kind, self._gap, self._least, self._sign = kind, gap, least, sign
        self._open: _Stretch | None = None
        self._seen = 0
        self._base = float("nan")

    @property
    def open(self) -> Event | None:
        """The event that is going on, as far as it is known."""
        return self._event(self._open) if self._open else None

    def update(self, step: Ints, value: Floats, marked: Bools, base: Floats) -> list[Event]:
        """Events that ended within this chunk.

        Parameters
        ----------
        step : ndarray of int64, shape (m,)
        value : ndarray of float64, shape (m,)
        marked : ndarray of bool, shape (m,)
        base : ndarray of float64, shape (m,)
            Level at each unmarked point; the last one before an event is its baseline.
        """
        events: list[Event] = []
        at = np.flatnonzero(marked)
        cuts = np.flatnonzero(np.diff(at) > self._gap) + 1
        for group in np.split(at, cuts) if len(at) else ():
            start = self._seen + int(group[0])
            if self._open and start - self._open.last_index > self._gap:
                self._calm(step, int(self._open.last_index) + 1)
                self._close(events)
            self._grow(step, value, base, group)
            self._calm(step, self._seen + int(group[-1]) + 1)
        if self._open and not len(at):
            self._calm(step, self._seen)
        if self._open and self._seen + len(step) - 1 - self._open.last_index >= self._gap:
            self._close(events)
        self._seen += len(step)
        if len(at) < len(marked):
            clear = len(marked) - 1 if not marked[-1] else int(np.flatnonzero(~marked)[-1])
            self._base = float(base[clear])
        return events

    def finish(self) -> list[Event]:
        """The event that is still open, if any."""
        events: list[Event] = []
        if self._open:
            self._close(events)
        return events

    def _grow(self, step: Ints, value: Floats, base: Floats, group: Ints) -> None:
        first, last = int(group[0]), int(group[-1])
        part = value[group] * self._sign
        top = int(np.argmax(part)) if np.isfinite(part).all() else 0
        peak, peak_step = float(value[group[top]]), int(step[group[top]])
        held = self._open
        if held is None:
            before = float(base[first - 1]) if first else self._base
            held = self._open = _Stretch(
                int(step[first]), self._seen + first, 0, 0, 0, peak, peak_step, before
            )
        elif peak * self._sign > held.peak * self._sign:
            held.peak, held.peak_step = peak, peak_step
        held.last_step, held.last_index = int(step[last]), self._seen + last
        held.count += len(group)
        held.after = None

    def _calm(self, step: Ints, index: int) -> None:
        """Note the first step behind the event, once it is there."""
        i = index - self._seen
        if self._open and self._open.after is None and 0 <= i < len(step):
            self._open.after = int(step[i])

    def _close(self, events: list[Event]) -> None:
        if self._open and self._open.count >= self._least:
            events.append(self._event(self._open))
        self._open = None

    def _event(self, held: _Stretch) -> Event:
        return Event(
            kind=self._kind,
            first_step=held.first_step,
            last_step=held.last_step,
            first_index=held.first_index,
            points=held.last_index - held.first_index + 1,
            peak_step=held.peak_step,
            peak=held.peak,
            baseline=held.baseline,
            z=float("nan"),
            recovered_step=held.after,
        )
