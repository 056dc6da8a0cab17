"""Detectors on the entries of a log while they come: anomalies at the entry that shows them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from trainlens.detect.base import Event, Floats, Ints
from trainlens.detect.non_finite import NonFiniteDetector
from trainlens.detect.sigma import SigmaDetector
from trainlens.detect.spike import SpikeDetector
from trainlens.detect.surge import SurgeDetector
from trainlens.detect.threshold import ThresholdDetector
from trainlens_torch.record._patient import Near, OpenDetector, Patient
from trainlens_torch.record.entry import Entry

__all__ = ["Anomaly", "Callback", "Watcher"]

Anomaly: TypeAlias = dict[str, Any]
"""``{"type": ..., "value": ..., "message": ...}``, as `trainlens.schema` has it."""
Callback: TypeAlias = Callable[[Entry, Anomaly], object]

_LOSSES = ("total_loss", "loss", "total", "train_loss")
_NORMS = frozenset({"grad_norm", "gradient_norm", "total_grad_norm", "total_norm", "gradnorm"})
_GATES = frozenset({"alpha_mean", "alpha", "gate", "gate_mean", "mean_alpha"})
_COVERAGES = frozenset({"valid_ratio", "coverage", "valid_ratio_mean", "coverage_mean"})
_TIMES = frozenset({"batch_time", "step_time", "iter_time", "time_per_batch", "sec_per_batch"})
_MEMORY = frozenset({"out_of_memory", "oom", "oom_count", "out_of_memory_count"})
_SKIPPED = frozenset({"skipped_updates"})


class _Rise:
    """A count that went up: each time is an event of its own."""

    def __init__(self) -> None:
        self._before = 0.0
        self._index = 0
        self.open: Event | None = None

    def update(self, step: Ints, value: Floats) -> list[Event]:
        found: list[Event] = []
        self.open = None
        for at, one in zip(step.tolist(), value.tolist(), strict=True):
            if one > self._before:
                nan, before = math.nan, self._before
                found.append(Event("above", at, at, self._index, 1, at, one, before, nan, at))
                self.open = found[-1]
            # A count that starts again after a restart rises from there.
            self._before = one if math.isfinite(one) else self._before
            self._index += 1
        return found

    def finish(self) -> list[Event]:
        return []


class _Watch(NamedTuple):
    """A detector, what its events are called, and how one is told."""

    kind: str
    make: Callable[[], OpenDetector]
    told: Callable[[str, float, Event], str]


class Watcher:
    """Finds anomalies in the entries of a log, one after the other.

    ============================ ============================== ===============================
    type                         profile "default"              profile "seed"
    ============================ ============================== ===============================
    loss_spike, loss_outlier     `SpikeDetector` (robust)       3 sigma above the mean of 100
    gradient_explosion           10 times the median, z > 8     norm > 100
    slow_batch                   5 times the median, z > 8      over 300 s
    alpha_polarized              below 0.1 or above 0.9         the same
    low_coverage                 below 0.3                      the same
    non_finite                   any loss or statistic          the same
    out_of_memory                the count rose                 the same
    skipped_update               the count of `UpdateGuard` rose  the same
    ============================ ============================== ===============================

    An anomaly is told once, at the entry at which its detector first knows of it; it may go on
    from there. A single high loss is a ``loss_outlier``, and a ``loss_spike`` as soon as it lasts.
    The detectors are causal and those of the rules: entries of a file that was written give the
    same anomalies as they gave while it was written, and the events are those of the detector on
    the whole series.

    Where a series comes with a step below its last one, the training was started again, and its
    detectors start anew. A value for the very same step is looked at only for NaN and infinities.

    Parameters
    ----------
    profile : {"default", "seed"}
    callback : callable, optional
        Is given the entry and the anomaly, in the thread that calls `see`. What it raises is
        counted in `faults` and warned about once; the log goes on.
    loss : str, optional
        Name of the loss to watch. By default ``total_loss``, ``loss``, ``total`` or
        ``train_loss``, in this order, else the first one of the first entry that has losses.

    Attributes
    ----------
    faults : int
        Calls of the callback that raised.

    Raises
    ------
    ValueError
        Unknown profile.

    Examples
    --------
    >>> watcher = Watcher()
    >>> watcher.see(Entry(5, 0.0, {"loss": 1.0}, {"valid_ratio": 0.2}))
    [{'type': 'low_coverage', 'value': 0.2, 'message': 'valid_ratio is 0.2, below 0.3'}]
    """

    def __init__(
        self,
        profile: Literal["default", "seed"] = "default",
        *,
        callback: Callback | None = None,
        loss: str | None = None,
    ) -> None:
        if profile not in ("default", "seed"):
            raise ValueError(f'profile is "default" or "seed", not {profile!r}')
        self.profile, self._callback, self._loss = profile, callback, loss
        self._series: dict[tuple[str, str, str], _Series] = {}
        self.faults = 0

    def see(self, entry: Entry) -> list[Anomaly]:
        """What is new and odd at this entry.

        Parameters
        ----------
        entry : Entry
            The next one of the log.

        Returns
        -------
        list of dict
            For the ``anomalies`` of the entry.
        """
        found: list[Anomaly] = []
        for family, values in (("losses", entry.losses), ("stats", entry.stats)):
            for name, value in values.items():
                series = self._of(family, name, entry)
                found += series.see(entry.step, float(value))
        if self._callback is not None:
            for one in found:
                self._call(entry, one)
        return found

    def events(self) -> Iterator[tuple[str, str, str, Event]]:
        """Split, name, type and event of all that was found so far, open events as they are.

        Those before a restart of the training are among them.
        """
        for (split, _, name), series in self._series.items():
            for kind, event in series.events():
                yield split, name, kind, event

    def _of(self, family: str, name: str, entry: Entry) -> _Series:
        key = entry.split, family, name
        held = self._series.get(key)
        if held is None:
            held = self._series[key] = _Series(name, self._watches(family, name, entry))
        return held

    def _watches(self, family: str, name: str, entry: Entry) -> tuple[_Watch, ...]:
        if family == "stats":
            return (_FINITE, *_of_stat(name, self.profile))
        if self._loss is None and entry.split == "train":
            self._loss = next((n for n in _LOSSES if n in entry.losses), next(iter(entry.losses)))
        main = entry.split == "train" and name == self._loss
        return (_FINITE, *((_SPIKES[self.profile],) if main else ()))

    def _call(self, entry: Entry, anomaly: Anomaly) -> None:
        assert self._callback is not None
        try:
            self._callback(entry, anomaly)
        except Exception as error:  # the caller's own code must not end the writing of the log
            self.faults += 1
            if self.faults == 1:
                warnings.warn(
                    f"the callback for anomalies raised {type(error).__name__}: {error}; "
                    "further faults of it are only counted",
                    RuntimeWarning,
                    stacklevel=2,
                )


class _Series:
    """One named series and the detectors on it."""

    def __init__(self, name: str, watches: Iterable[_Watch]) -> None:
        self._name, self._watches = name, tuple(watches)
        self._past: list[tuple[str, Event]] = []
        self._last: int | None = None
        self._begin()

    def _begin(self) -> None:
        self._detectors = [watch.make() for watch in self._watches]
        self._told: list[Event | None] = [None] * len(self._watches)

    def see(self, step: int, value: float) -> list[Anomaly]:
        if self._last is not None and step < self._last:
            self._past += self._open_events()
            self._begin()
        repeated, self._last = step == self._last, step
        found: list[Anomaly] = []
        steps, values = np.array((step,), np.int64), np.array((value,), np.float64)
        for i, watch in enumerate(self._watches):
            if not repeated or watch is _FINITE:
                found += self._feed(i, watch, steps, values)
        return found

    def _feed(self, i: int, watch: _Watch, step: Ints, value: Floats) -> Iterator[Anomaly]:
        detector = self._detectors[i]
        ended = detector.update(step, value)
        self._past += [(_kind(watch, event), event) for event in ended]
        event, before = detector.open, self._told[i]
        self._told[i] = event
        if event is None:
            return
        if before is None or (before.first_index, before.kind) != (event.first_index, event.kind):
            said = watch.told(self._name, float(value[0]), event)
            yield {"type": _kind(watch, event), "value": float(value[0]), "message": said}

    def events(self) -> list[tuple[str, Event]]:
        return self._past + self._open_events()

    def _open_events(self) -> list[tuple[str, Event]]:
        held = zip(self._watches, self._detectors, strict=True)
        return [
            (_kind(watch, detector.open), detector.open)
            for watch, detector in held
            if detector.open is not None and not isinstance(detector, _Rise)
        ]


def _kind(watch: _Watch, event: Event) -> str:
    return "loss_outlier" if event.kind == "outlier" else watch.kind


def _of_stat(name: str, profile: str) -> tuple[_Watch, ...]:
    """What is watched in a statistic, by its name without what stands before a slash."""
    last = name.rpartition("/")[2].lower()
    return next((found[profile] for names, found in _STATS if last in names), ())


def _spike(name: str, value: float, event: Event) -> str:
    if math.isfinite(event.z):
        return f"{name} is {value:.4g}, {event.z:.1f} sigma above {event.baseline:.4g}"
    return f"{name} is {value:.4g}, above its mean of {event.baseline:.4g} by 3 sigma or more"


def _times(name: str, value: float, event: Event) -> str:
    return f"{name} is {value:.4g}, {event.ratio:.1f} times the usual {event.baseline:.4g}"


def _beyond(limit: float) -> Callable[[str, float, Event], str]:
    return lambda name, value, event: f"{name} is {value:.4g}, {event.kind} {limit:g}"


def _not_finite(name: str, value: float, event: Event) -> str:
    before = "" if math.isnan(event.baseline) else f", {event.baseline:.4g} before"
    return f"{name} is {value}{before}"


def _more(name: str, value: float, event: Event) -> str:
    return f"{name} rose from {event.baseline:g} to {value:g}"


def _limit(kind: str, limit: float, side: Literal["above", "below"]) -> _Watch:
    def calm(value: float) -> bool:
        return not (value > limit if side == "above" else value < limit)

    return _Watch(kind, lambda: Patient(ThresholdDetector(limit, side), calm), _beyond(limit))


def _surge(kind: str, ratio: float) -> _Watch:
    return _Watch(kind, lambda: Patient(SurgeDetector(ratio), Near(ratio, 101)), _times)


def _both(*watches: _Watch) -> Mapping[str, tuple[_Watch, ...]]:
    return {"default": watches, "seed": watches}


_FINITE = _Watch("non_finite", lambda: Patient(NonFiniteDetector(), math.isfinite), _not_finite)
_SPIKES = {
    "default": _Watch("loss_spike", SpikeDetector, _spike),
    "seed": _Watch("loss_spike", SigmaDetector, _spike),
}
_EXPLOSION = {
    "default": (_surge("gradient_explosion", 10.0),),
    "seed": (_limit("gradient_explosion", 100.0, "above"),),
}
_SLOW = {
    "default": (_surge("slow_batch", 5.0),),
    "seed": (_limit("slow_batch", 300.0, "above"),),
}
_ALPHA = _both(_limit("alpha_polarized", 0.1, "below"), _limit("alpha_polarized", 0.9, "above"))
_STATS: tuple[tuple[frozenset[str], Mapping[str, tuple[_Watch, ...]]], ...] = (
    (_NORMS, _EXPLOSION),
    (_TIMES, _SLOW),
    (_GATES, _ALPHA),
    (_COVERAGES, _both(_limit("low_coverage", 0.3, "below"))),
    (_MEMORY, _both(_Watch("out_of_memory", _Rise, _more))),
    (_SKIPPED, _both(_Watch("skipped_update", _Rise, _more))),
)
