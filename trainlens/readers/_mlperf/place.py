"""Where a record stands: its step, its epoch, its time.

A step counts where there is one, else the samples seen, else a whole epoch, else the record's
number. An evaluation that names only its epoch, in a log that counts steps within epochs and
says where each epoch ends, stands at the last step of that epoch. Each metric keeps the way of
counting with which it began, so that its steps never change their unit half-way; what comes out
depends on the order of the records alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from trainlens.readers._values import number, whole

STEP = ("step", "step_num", "iteration", "iteration_num", "global_step", "train_step", "iter")
SAMPLES = ("samples_count", "samples", "sample_count", "num_samples")
EPOCH = ("epoch_num", "epoch", "epoch_number", "current_epoch")
AXES = frozenset(STEP + SAMPLES + EPOCH)

_EPOCH_BEGINS = {"epoch_start": EPOCH, "block_start": ("first_epoch_num",)}
_ASSUMED = {
    "samples": "no step in some records: the samples seen count as step",
    "epoch": "no step in some records: the epoch counts as step",
    "count": "neither step nor whole epoch in some records: they are numbered",
}


class At(NamedTuple):
    """Place of a record; NaN where an epoch is unknown."""

    step: int
    epoch: float


class Axis(NamedTuple):
    """What a record itself says about its place; None for nothing."""

    step: int | None
    samples: int | None
    epoch: float | None


def axis_of(*sources: Mapping[str, Any]) -> Axis:
    """Step, samples and epoch in the first source that has each.

    A range of steps, as in ``"step": [2, 652]``, stands at its end.
    """
    told = tuple(source for source in sources if not AXES.isdisjoint(source))
    return Axis(_first(STEP, told), _first(SAMPLES, told), _epoch(told))


def _first(keys: tuple[str, ...], sources: tuple[Mapping[str, Any], ...]) -> int | None:
    for source in sources:
        for key in keys:
            value = source.get(key)
            if value is None:
                continue
            if isinstance(value, list) and value:
                value = value[-1]
            found = whole(value)
            if found is not None:
                return found
    return None


def _epoch(sources: tuple[Mapping[str, Any], ...]) -> float | None:
    for source in sources:
        for key in EPOCH:
            value = source.get(key)
            found = None if value is None else number(value)
            if found is not None and math.isfinite(found):
                return found
    return None


class Places:
    """Completes the places of records, in the order in which they were logged."""

    def __init__(self) -> None:
        self.assumed: set[str] = set()
        self._told: set[str] = set()
        self.restart()

    def restart(self) -> None:
        """Another run begins in the same file."""
        self.step: int | None = None
        self.epoch: float | None = None
        self._stepped = False
        self._ends: dict[float, int] = {}
        self._ways: dict[str, str] = {}
        self._previous: dict[str, int] = {}

    def event(self, key: str, value: Any, metadata: Mapping[str, Any]) -> None:
        """Follow what begins and ends: epochs and blocks of them."""
        epoch = number(value) if key == "train_epoch" else None
        for name in _EPOCH_BEGINS.get(key, ()):
            epoch = number(metadata.get(name)) if epoch is None else epoch
        if key == "epoch_stop" and self.step is not None and self._stepped:
            ended = _epoch((metadata,))
            if ended is not None:
                self._ends[ended] = self.step
        elif epoch is not None and math.isfinite(epoch):
            if self._stepped and self.step is not None and self.epoch is not None:
                self._ends.setdefault(self.epoch, self.step)
            self.epoch, self._stepped = epoch, False

    def advance(self, step: int) -> None:
        """Training has come to a step."""
        self.step, self._stepped = step, True

    def __call__(self, name: str, axis: Axis) -> At | None:
        """The place of a record of a metric; None where nothing tells."""
        epoch = axis.epoch
        if axis.step is not None:
            self.advance(axis.step)
            return self._put(name, axis.step, epoch if epoch is not None else self.epoch)
        if axis.samples is not None:
            self._say("samples")
            return self._put(name, axis.samples, epoch)
        way = self._ways.get(name) or self._choose(epoch)
        if not way:
            return None
        self._ways[name] = way
        return self._by(way, name, epoch)

    def _choose(self, epoch: float | None) -> str:
        """How a metric without steps of its own is counted, by its first record."""
        if epoch is None:
            return "step" if self.step is not None else "epoch" if self.epoch is not None else ""
        # Where steps are not finer than epochs, the log calls its epochs steps.
        end = self._end_of(epoch)
        if end is not None and end > 1.5 * max(epoch, 1.0):
            return "end"
        return "epoch" if epoch.is_integer() else "count"

    def _by(self, way: str, name: str, epoch: float | None) -> At:
        known = self.epoch if epoch is None else epoch
        end = self._end_of(epoch) if way == "end" else None
        if end is not None:
            return self._put(name, end, epoch)
        if way in ("end", "step") and self.step is not None:
            return self._put(name, self.step, known)
        if way == "epoch" and known is not None and whole(known) is not None:
            self._say("epoch")
            return self._put(name, int(known), known)
        self._ways[name] = "count"
        self._say("count")
        return self._put(name, self._previous.get(name, -1) + 1, known)

    def _end_of(self, epoch: float | None) -> int | None:
        """The last step of an epoch, as far as it has come."""
        if epoch is None:
            return None
        current = self.step if epoch == self.epoch and self._stepped else None
        return self._ends.get(epoch, current)

    def _put(self, name: str, step: int, epoch: float | None) -> At:
        self._previous[name] = step
        return At(step, math.nan if epoch is None else epoch)

    def _say(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.assumed.add(_ASSUMED[what])
