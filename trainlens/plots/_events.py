"""Spikes and jumps of a run, as the rules see them."""

from __future__ import annotations

from dataclasses import dataclass

from trainlens.detect.spike import find_spikes
from trainlens.rules.base import Finding
from trainlens.rules.loss_spike import loss_spike
from trainlens.rules.outlier import outlier
from trainlens.rules.validation_jump import validation_jump
from trainlens.run import Run, Series

_ALL = 40
"""Events of a curve that the rules are asked for."""
Key = tuple[str, str]


@dataclass(frozen=True)
class Mark:
    """An event of a series: where it is highest, how high, and how far out of the noise."""

    step: int
    value: float
    sigma: float


@dataclass(frozen=True, eq=False)
class Eventful:
    """A series with events.

    Parameters
    ----------
    series : Series
    marks : tuple of Mark
        The largest first.
    said : str
        What holds of all of them, where they are a habit of the run.
    """

    series: Series
    marks: tuple[Mark, ...]
    said: str = ""


def eventful(run: Run) -> list[Eventful]:
    """The series that have spikes, single high points or jumps; the largest event first.

    Parameters
    ----------
    run : Run
    """
    marks: dict[Key, dict[int, Mark]] = {}
    said: dict[Key, str] = {}
    for found in (*loss_spike(run, most=_ALL), *outlier(run), *validation_jump(run, most=_ALL)):
        if not found.failed:
            continue
        key = found.metric, found.split
        mine = _marks(run, found)
        marks.setdefault(key, {}).update((m.step, m) for m in mine)
        if not mine:
            said[key] = found.message.partition(". ")[0].rstrip(".")
    held = [
        Eventful(
            run.series[key],
            tuple(sorted(found.values(), key=lambda m: -m.sigma)),
            said.get(key, ""),
        )
        for key, found in marks.items()
    ]
    return sorted(held, key=lambda e: -max((m.sigma for m in e.marks), default=0.0))


def _marks(run: Run, found: Finding) -> list[Mark]:
    evidence = found.evidence
    if "peak_step" in evidence:
        return [Mark(int(evidence["peak_step"]), evidence["peak"], evidence["z"])]
    if "before" in evidence and found.first_step is not None:
        step = _step_of(run.series[found.metric, found.split], found, evidence["value"])
        return [Mark(step, evidence["value"], evidence["z"])]
    if "peak" in evidence:
        single = find_spikes(run.series[found.metric, found.split]).of("outlier")
        return [Mark(e.peak_step, e.peak, e.z) for e in single]
    return []


def _step_of(series: Series, found: Finding, value: float) -> int:
    """Step of a value within the steps of a finding."""
    kept = series.finite
    first = found.first_step or 0
    at = (kept.step >= first) & (kept.value == value)
    return int(kept.step[at][0]) if at.any() else first
