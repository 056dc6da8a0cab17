"""One series of a log while it comes, and the detectors on it."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from trainlens.detect.base import BLOCK, Event, Floats, Ints
from trainlens_torch.record._watched import Watch, kind_of

__all__ = ["Anomaly", "Foremost", "Watched"]

Anomaly: TypeAlias = dict[str, Any]
"""``{"type": ..., "value": ..., "message": ...}``, as `trainlens.schema` has it."""


class Watched:
    """A series and what looks at it.

    Where its step goes back, the points from that step on are replaced by those that come now, as
    they are where the log is read: the detectors begin anew with the points before it. So at any
    point they know what they would know from the log up to there. For this the points are kept,
    16 bytes each, where there is a detector that needs them.

    Parameters
    ----------
    name : str
        As it is logged.
    watches : iterable of Watch
    """

    def __init__(self, name: str, watches: Iterable[Watch]) -> None:
        eyes = [_Eye(watch) for watch in watches]
        self._name = name
        self._raw = [eye for eye in eyes if eye.watch.raw]
        self._eyes = [eye for eye in eyes if not eye.watch.raw]
        self._steps, self._values = array("q"), array("d")

    def add(self, watch: Watch) -> None:
        """Look at the points from here on with one detector more."""
        self._eyes.append(_Eye(watch))

    def drop(self, watch: Watch) -> None:
        """Look with one detector less."""
        self._eyes = [eye for eye in self._eyes if eye.watch is not watch]

    def see(self, step: int, value: float) -> list[Anomaly]:
        """Anomalies that this point shows for the first time."""
        steps, values = np.array((step,), np.int64), np.array((value,), np.float64)
        found: list[Anomaly] = []
        for eye in self._raw:
            found += eye.see(self._name, steps, values)
        if self._eyes and self._is_next(step):
            self._steps.append(step)
            self._values.append(value)
            for eye in self._eyes:
                found += eye.see(self._name, steps, values)
        return found

    def events(self) -> Iterator[tuple[str, Event]]:
        """Type and event of all that is known, open events as they are."""
        for eye in (*self._raw, *self._eyes):
            yield from eye.events()

    def _is_next(self, step: int) -> bool:
        """Whether a step is a new one, after those that it replaces were taken out."""
        if not self._steps or step > self._steps[-1]:
            return True
        if step == self._steps[-1]:
            return False
        del self._values[bisect_left(self._steps, step) :]
        del self._steps[len(self._values) :]
        for eye in self._eyes:
            eye.again(np.array(self._steps, np.int64), np.array(self._values, np.float64))
        return True


class Foremost:
    """Looks at the most telling series of several, of those that there are so far.

    Parameters
    ----------
    watch : Watch
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._held: tuple[tuple[object, ...], Watched] | None = None

    def offer(self, place: tuple[object, ...], series: Watched) -> None:
        """One series more; the one with the lowest place is looked at, from its first point on."""
        if self._held is not None:
            if not place < self._held[0]:
                return
            self._held[1].drop(self._watch)
        series.add(self._watch)
        self._held = place, series


class _Eye:
    """A detector, what it found, and as what its open event was told."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._detector = watch.make()
        self._past: list[Event] = []
        self._told: dict[tuple[int, str], int] = {}

    def see(self, name: str, step: Ints, value: Floats) -> Iterator[Anomaly]:
        """What one more point shows for the first time."""
        self._past += self._detector.update(step, value)
        event = self._detector.open
        if event is None or not self._is_new(event, int(step[0])):
            return
        said = self.watch.told(name, float(value[0]), event)
        yield {"type": kind_of(self.watch, event), "value": float(value[0]), "message": said}

    def _is_new(self, event: Event, step: int) -> bool:
        """Whether an event was not told yet as what it is now; it may become another and back."""
        mark = event.first_index, event.kind
        new = mark not in self._told
        self._told.setdefault(mark, step)
        return new

    def again(self, step: Ints, value: Floats) -> None:
        """Begin anew with points that were seen before; what was told at them is not told again."""
        self._detector, self._past = self.watch.make(), []
        for at in range(0, len(step), BLOCK):
            self._past += self._detector.update(step[at : at + BLOCK], value[at : at + BLOCK])
        last = step[-1] if len(step) else -math.inf
        self._told = {event: at for event, at in self._told.items() if at <= last}

    def events(self) -> Iterator[tuple[str, Event]]:
        """Those that ended, and the open one if it is none of them."""
        event = self._detector.open
        held = self._past if event is None or event in self._past[-1:] else (*self._past, event)
        for one in held:
            yield kind_of(self.watch, one), one
