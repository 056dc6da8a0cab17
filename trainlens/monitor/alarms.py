"""What newly read points give reason to judge a run at once.

An alarm decides nothing: it brings forward the look whose rules do. The spike detector is the one
of the rules.
"""

from __future__ import annotations

import math

import numpy as np

from trainlens.chunk import Column, Floats, Ints
from trainlens.detect.spike import SpikeDetector
from trainlens.run import Series

_QUIET = frozenset({"system", "epoch", "progress", "gpu-usage", "memory-limit"})
"""Roles of which no value is alarming; see the rule `non-finite`."""
_SURGE, _KEEP = 5.0, 0.95
"""A gradient norm so many times its running mean, which keeps this share at each point."""
_FEW = 12
_JUMP = 0.25
"""Change of a learning rate from one point to the next, in natural logarithm."""


class Alarms:
    """What was alarming in the chunks of one run."""

    def __init__(self) -> None:
        self._broken: set[tuple[str, str]] = set()
        self._last_step: dict[tuple[str, str], int] = {}
        self._rates: dict[tuple[str, str], float] = {}
        self._norms: dict[tuple[str, str], float] = {}
        self._loss: tuple[int, tuple[str, str], _Watch] | None = None

    def heed(self, series: Series, column: Column) -> bool:
        """Whether new points of one metric are a reason to look.

        Parameters
        ----------
        series : Series
            Name and meaning; its points are not looked at.
        column : Column
            Its new points.
        """
        key, role = (series.metric, series.split), series.role.name
        if role in _QUIET or not len(column.value):
            return False
        return any(
            (
                self._breaks(key, column.value),
                self._rewinds(key, column.step),
                role == "learning-rate" and self._jumps(key, column.value),
                role == "gradient-norm" and self._surges(key, column.value),
                role == "loss" and series.split == "train" and self._rises(series, column),
            )
        )

    def _breaks(self, key: tuple[str, str], value: Floats) -> bool:
        """The first values of a metric that are no numbers, and the first ones that are again."""
        bad = not np.isfinite(value).all() if len(value) > 1 else not math.isfinite(value[0])
        if bad == (key in self._broken):
            return False
        (self._broken.add if bad else self._broken.discard)(key)
        return True

    def _rewinds(self, key: tuple[str, str], step: Ints) -> bool:
        """Steps that go back, by more than the jitter of a writer."""
        first = int(step[0])
        before = self._last_step.get(key, first)
        self._last_step[key] = int(step[-1])
        back = len(step) > 1 and bool((step[1:] < step[:-1] - 1).any())
        return back or first < before - 1

    def _jumps(self, key: tuple[str, str], value: Floats) -> bool:
        before = self._rates.get(key, float(value[0]))
        self._rates[key] = float(value[-1])
        if len(value) == 1 and value[0] == before:
            return False  # so it is nearly always, and arrays take their time
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.abs(np.diff(np.log(np.concatenate([[before], value]))))
        return bool((apart > _JUMP).any())

    def _surges(self, key: tuple[str, str], value: Floats) -> bool:
        mean, found = self._norms.get(key, math.inf), False
        for x in value.tolist() if len(value) <= _FEW else _extremes(value):
            found |= x > _SURGE * mean
            if math.isfinite(x):
                mean = x if math.isinf(mean) else _KEEP * mean + (1 - _KEEP) * x
        self._norms[key] = mean
        return found

    def _rises(self, series: Series, column: Column) -> bool:
        """Whether the leading training loss, the one of the highest priority, has a spike."""
        priority, key = series.role.priority, (series.metric, series.split)
        if self._loss is None or priority > self._loss[0]:
            self._loss = priority, key, _Watch()
        return key == self._loss[1] and self._loss[2].heed(column.step, column.value)


def _extremes(value: Floats) -> list[float]:
    """What stands for many points: their middle, and the highest of them."""
    known = value[np.isfinite(value)]
    return [float(np.median(known)), float(known.max())] if len(known) else []


class _Watch:
    """A spike detector, and whether its event is new."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._detector, self._open = SpikeDetector(), ""
        self._last = -1 << 62

    def heed(self, step: Ints, value: Floats) -> bool:
        """Whether an event began, grew into a spike, or ended."""
        ascends = len(step) == 1 or bool((step[1:] > step[:-1]).all())
        if int(step[0]) <= self._last or not ascends:
            self._begin_anew()  # a detector wants ascending steps: the run was started again
            if not ascends:
                return True
        self._last = int(step[-1])
        ended = self._feed(step, value)
        now = self._detector.open
        before, self._open = self._open, now.kind if now is not None else ""
        return ended or self._open != before

    def _feed(self, step: Ints, value: Floats) -> bool:
        if len(step) > _FEW:
            return bool(self._detector.update(step, value))
        # One by one is the quickest for few.
        parts = [slice(i, i + 1) for i in range(len(step))]
        return any([bool(self._detector.update(step[p], value[p])) for p in parts])
