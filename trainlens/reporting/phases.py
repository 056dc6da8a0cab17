"""Phases of a training that its own settings tell: warmup, LR drops, dropout, unfreezing."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from trainlens.compact import Compact
from trainlens.detect.rates import schedule_of
from trainlens.run import Run, Series

_MOST = 8
_FROZEN = re.compile(r"(?<!un)frozen|params-without-grad")
_TRAINED = re.compile(r"unfrozen|trainable|params-with-grad")


@dataclass(frozen=True, slots=True)
class Phase(Compact):
    """A change of the training at a step, in a word or two."""

    step: int
    label: str


def phases(run: Run) -> tuple[Phase, ...]:
    """What the learning rate, the dropout rate and counts of parameters say about the phases.

    A warmup ends with the one that is recognised in the schedule, at the latest at the first step
    near the peak, where the rate began below half of it. A drop
    is a fall by a third or more within one record. More parameters that are trained, or fewer
    frozen ones (by the role or the name of a series), are an unfreezing. At most eight phases
    are told, in order of steps.
    """
    found: list[Phase] = []
    rate = run.main("learning-rate")
    if rate is not None and len(rate.finite) > 3:
        found += _rate_phases(rate.finite)
    dropout = run.main("dropout")
    if dropout is not None and len(dropout.finite) > 1:
        found += _switches(dropout.finite)
    told = sorted({*found, *_thaws(run)}, key=lambda p: (p.step, p.label))
    return tuple(told[:_MOST])


def _rate_phases(rate: Series) -> list[Phase]:
    value, step = rate.value, rate.step
    peak = float(value.max())
    found = []
    if peak > 0 and value[0] < 0.5 * peak:
        top = int(np.argmax(value >= 0.999 * peak))
        if known := schedule_of(rate).warmup:  # the peak may come later, by a rate that is raised
            top = min(top, int(np.searchsorted(step, known)))
        if top > 1:
            found.append(Phase(int(step[top]), "warmup ends"))
    with np.errstate(divide="ignore", invalid="ignore"):
        falls = (value[:-1] > 0.01 * peak) & (value[1:] / value[:-1] < 0.67)
    if not falls.any():
        return found
    # Where one fall follows another at once, it is the tail of a decay.
    alone = np.flatnonzero(falls & ~np.append(falls[1:], False) & ~np.append(False, falls[:-1]))
    if len(alone) <= _MOST:
        found += [Phase(int(step[i + 1]), "LR drop") for i in alone]
    return found


def _switches(dropout: Series) -> list[Phase]:
    on = dropout.value > 0
    change = np.flatnonzero(on[1:] != on[:-1]) + 1
    if len(change) > _MOST:
        return []
    return [Phase(int(dropout.step[i]), "dropout on" if on[i] else "dropout off") for i in change]


def _thaws(run: Run) -> list[Phase]:
    """Steps at which parameters begin or cease to be trained."""
    found = []
    for (name, _), series in run.series.items():
        known = f"{name.lower()} {series.role.name}"
        sign = 1 if _TRAINED.search(known) else -1 if _FROZEN.search(known) else 0
        held = series.finite
        if not sign or len(held) < 2:
            continue
        change = np.flatnonzero(held.value[1:] != held.value[:-1]) + 1
        if len(change) > _MOST:
            continue
        for i in change:
            more = sign * (held.value[i] - held.value[i - 1]) > 0
            found.append(Phase(int(held.step[i]), "unfreezing" if more else "freezing"))
    return found
