"""The words of the monitor for how a run stands, the same on the screen and in plain lines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import TypeGuard

from trainlens import words
from trainlens.monitor.model import LIVE, Standing, Trail
from trainlens.render.text import clean
from trainlens.rules.base import Finding
from trainlens.verdict import named

_NAME = 60


def name(run: Standing) -> str:
    """The name of a run, safe to print and not too long."""
    return clean(words.shortened(run.name, _NAME))


def moment(at: float, zone: tzinfo | None = None) -> datetime | None:
    """A moment in a time zone, the local one where none is given; None where it is no date."""
    try:
        return datetime.fromtimestamp(at, zone)
    except (ValueError, OverflowError, OSError):
        return None


def time_of(at: float, zone: tzinfo | None = None) -> str:
    """The time of the day: ``14:03:21``."""
    known = moment(at, zone)
    return known.strftime("%H:%M:%S") if known else "--:--:--"


def ago(seconds: float) -> str:
    """How long ago something was, in whole numbers of its largest unit.

    Examples
    --------
    >>> ago(3.4), ago(200.0), ago(-1.0)
    ('3 s ago', '3 min ago', 'just now')
    """
    if not math.isfinite(seconds):
        return "at an unknown time"
    if seconds < 1:
        return "just now"
    unit = next(size for size in (86400, 3600, 60, 1) if seconds >= size)
    return f"{words.duration(seconds // unit * unit)} ago"


def state(run: Standing, later: float = 0.0) -> str:
    """How a run stands: ``live, grew 3 s ago``, with the reason where there is one.

    Parameters
    ----------
    run : Standing
    later : float
        Seconds since that was known.
    """
    told, age = run.state, run.age
    if known(age):
        told += f", grew {ago(age + later)}"
    return clean(f"{told}: {words.shortened(run.reason, 200)}" if run.reason else told)


def progress(run: Standing) -> list[str]:
    """How far a run is, the most important first."""
    if run.step is None:
        return [words.plural(run.points, "point")] if run.points else []
    planned = f" of {words.step(run.planned)}" if run.planned else ""
    told = [f"step {words.step(run.step)}{planned}"]
    if known(run.progress):
        told.append(words.percent(run.progress, 2))
    if known(run.remaining) and run.state == LIVE:
        told.append(f"{left(run.remaining)} left")
    if known(run.rate):
        told.append(f"{words.number(run.rate, 3)} steps/s")
    if known(run.epoch):
        told.append(f"epoch {words.number(run.epoch, 3)}")
    return told


def known(value: float | None) -> TypeGuard[float]:
    """Whether there is a number to tell."""
    return value is not None and math.isfinite(value)


def left(seconds: float) -> str:
    """How long a run still takes; without seconds that would change at each look."""
    return words.duration(seconds // 60 * 60 if seconds >= 600 else seconds)


def called(trail: Trail) -> str:
    """A metric as people name it."""
    if trail.role in ("loss", "metric"):
        return clean(named(trail.metric, trail.split, trail.role, trail.priority))
    split = "" if trail.split in ("train", "") else f"{trail.split}/"
    return clean(f"{split}{words.shortened(trail.metric, 40)}")


def valued(value: float, unit: str, digits: int = 4) -> str:
    """A value with its unit, safe to print."""
    return clean(words.with_unit(value, words.shortened(unit, 12), digits))


def telling(run: Standing) -> list[Trail]:
    """One metric for each of training loss, validation, learning rate: what one line can hold."""
    wanted = [
        _first(run.trails, ("loss",), ("train",)),
        _first(run.trails, ("metric", "loss"), ("val", "test")),
        _first(run.trails, ("learning-rate",), ()),
    ]
    return [t for t in wanted if t is not None] or list(run.trails[:1])


def _first(trails: Sequence[Trail], roles: Sequence[str], splits: Sequence[str]) -> Trail | None:
    return next((t for t in trails if t.role in roles and (not splits or t.split in splits)), None)


def machine(run: Standing) -> list[str]:
    """The gap, and what the log says of speed and of the machine."""
    told = [f"gap {words.signed(run.gap)}"] if run.gap is not None else []
    if run.throughput is not None:
        told.append(valued(*run.throughput))
    for what, (value, unit) in run.machine.items():
        told.append(f"{words.shortened(what, 30)} {valued(value, unit, 3)}")
    return [clean(text) for text in told]


def counted(found: Iterable[Finding]) -> dict[str, int]:
    """How many findings there are of each severity, the gravest first, none left out."""
    held = Counter(f.severity.value for f in found)
    return {severity: held[severity] for severity in ("error", "warning", "info")}
