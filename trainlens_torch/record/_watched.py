"""Which detectors look at a series, by what it means."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

from trainlens.detect.base import Event
from trainlens.detect.named import Named
from trainlens.detect.non_finite import MACHINE, NonFiniteDetector
from trainlens.detect.sigma import SigmaDetector
from trainlens.detect.spike import SpikeDetector
from trainlens.detect.surge import SurgeDetector
from trainlens.detect.threshold import ThresholdDetector
from trainlens_torch.record._counts import Rise, Share
from trainlens_torch.record._patient import Near, OpenDetector, Patient

__all__ = ["EXPLOSIONS", "SPIKES", "Watch", "always", "kind_of"]

Side = Literal["above", "below"]

_SKIPPED = "skipped_updates"
_MILLISECONDS = 1000.0


class Watch(NamedTuple):
    """A detector, what its events are called, and how one is told.

    Parameters
    ----------
    kind : str
    make : callable
    told : callable
        From the name, the value and the event to a message.
    raw : bool
        Looks at every point as it comes, also at those that a restart of the training replaces.
    """

    kind: str
    make: Callable[[], OpenDetector]
    told: Callable[[str, float, Event], str]
    raw: bool = False


def kind_of(watch: Watch, event: Event) -> str:
    """Type of the anomaly of an event."""
    return "loss_outlier" if event.kind == "outlier" else watch.kind


def always(named: Named, profile: str) -> tuple[Watch, ...]:
    """What looks at a series whatever other ones there are.

    Parameters
    ----------
    named : Named
    profile : {"default", "seed"}
    """
    role = named.role.name
    finite = () if role in MACHINE else (_FINITE,)
    if role == "batch-time":
        return (*finite, _slow(named.role.unit, profile))
    if role == "gate":
        return (*finite, _share("alpha_polarized", 0.1, "below", 1.01, profile),
                _share("alpha_polarized", 0.9, "above", 1.01, profile))  # fmt: skip
    if role == "coverage":
        return (*finite, _share("low_coverage", 0.3, "below", 100.5, profile))
    if role == "out-of-memory":
        return (*finite, _OOM)
    if named.metric.rpartition("/")[2] == _SKIPPED:
        return (*finite, Watch("skipped_update", Rise, _more, raw=True))
    return finite


def _slow(unit: str, profile: str) -> Watch:
    if profile == "default":
        return _surge("slow_batch", 5.0)
    return _limit("slow_batch", 300.0 * (_MILLISECONDS if unit == "ms" else 1.0), "above")


def _share(kind: str, limit: float, side: Side, most: float, profile: str) -> Watch:
    if profile == "seed":
        return _limit(kind, limit, side)
    percent = most > 100
    told = _past(f"{100 * limit:g} %" if percent else f"{limit:g}")
    return Watch(kind, partial(Share, partial(_beyond, side), limit, most), told)


def _limit(kind: str, limit: float, side: Side) -> Watch:
    return Watch(kind, partial(_beyond, side, limit), _past(f"{limit:g}"))


def _beyond(side: Side, limit: float) -> OpenDetector:
    def calm(value: float) -> bool:
        return not (value > limit if side == "above" else value < limit)

    return Patient(ThresholdDetector(limit, side), calm)


def _surge(kind: str, ratio: float) -> Watch:
    return Watch(kind, lambda: Patient(SurgeDetector(ratio), Near(ratio, 101)), _times)


def _spike(name: str, value: float, event: Event) -> str:
    if math.isfinite(event.z):
        return f"{name} is {value:.4g}, {event.z:.1f} sigma above {event.baseline:.4g}"
    return f"{name} is {value:.4g}, above its mean of {event.baseline:.4g} by 3 sigma or more"


def _times(name: str, value: float, event: Event) -> str:
    return f"{name} is {value:.4g}, {event.ratio:.1f} times the usual {event.baseline:.4g}"


def _past(limit: str) -> Callable[[str, float, Event], str]:
    return lambda name, value, event: f"{name} is {value:.4g}, {event.kind} {limit}"


def _not_finite(name: str, value: float, event: Event) -> str:
    before = "" if math.isnan(event.baseline) else f", {event.baseline:.4g} before"
    return f"{name} is {value}{before}"


def _more(name: str, value: float, event: Event) -> str:
    return f"{name} rose from {event.baseline:g} to {value:g}"


_FINITE = Watch(
    "non_finite", lambda: Patient(NonFiniteDetector(), math.isfinite), _not_finite, raw=True
)
_OOM = Watch("out_of_memory", Rise, _more, raw=True)
SPIKES = {
    "default": Watch("loss_spike", SpikeDetector, _spike),
    "seed": Watch("loss_spike", SigmaDetector, _spike),
}
"""Of the training loss that tells most, by profile."""
EXPLOSIONS = {
    "default": _surge("gradient_explosion", 10.0),
    "seed": _limit("gradient_explosion", 100.0, "above"),
}
"""Of the gradient norm that tells most."""
