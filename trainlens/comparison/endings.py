"""Runs that failed: how a curve ended that never came back.

What such a run showed before says nothing of what became of it, so its finite points are not
judged. That is the rule of the worst rank (Lachin 1999, "Worst-rank score analysis with
informatively missing observations in clinical trials", doi:10.1016/S0197-2456(99)00022-7): who
does not reach the end counts below everyone who does, instead of being left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.comparison.allowance import AT_MOST
from trainlens.comparison.axis import Placed
from trainlens.comparison.model import Failure, Key
from trainlens.detect.base import watch
from trainlens.detect.divergence import DivergenceDetector, Limits
from trainlens.run import Run, Series
from trainlens.stats.noise import median
from trainlens.stats.stretches import stretches

_BLOWN = 5.0
"""Level at the end over the best one from which a loss has blown up, not just overfitted."""
_TAIL = 10
"""The level at the end is the median of this part of the points, and of 3 at least."""


def failures(
    baseline: Sequence[Run], candidate: Sequence[Run], key: Key
) -> tuple[tuple[Failure | None, ...], tuple[Failure | None, ...]]:
    """How the runs of both sides failed in one metric; None for each run that did not.

    A run has failed where the metric is not finite to the end of its log (`gone`), where the main
    training loss is so and the metric has no value after that, and where a loss has blown up by
    numbers that are finite (`blown_up`) and stands far above those of the other side.

    Parameters
    ----------
    baseline, candidate : sequence of Run
        A run without the metric has not failed in it.
    key : (metric, split)

    Returns
    -------
    (tuple of Failure or None, tuple of Failure or None)
        One for each run, in order.
    """
    sides = (baseline, candidate)
    lost = [[_gone(run, key) for run in runs] for runs in sides]
    levels = [
        [_level(run.series[key]) for run, gone in zip(runs, found, strict=True)
         if gone is None and key in run.series]
        for runs, found in zip(sides, lost, strict=True)
    ]  # fmt: skip
    told = []
    for runs, found, others in zip(sides, lost, levels[::-1], strict=True):
        usual = median(np.array(others)) if others else 0.0
        told.append(
            tuple(
                gone or (blown_up(run.series[key], usual) if key in run.series else None)
                for run, gone in zip(runs, found, strict=True)
            )
        )
    return told[0], told[1]


def gone(series: Series) -> Failure | None:
    """How a metric ended in values that are no numbers; None where it did not.

    The stretch of them at the end has to be longer than any from which it has come back: isolated
    NaNs, and those that mark rows at which a metric is not computed, are no failure. Nor is a
    metric that never was a number (but a loss that never was is), one of which it is not known
    what is better, or infinities on the good side (the PSNR of equal pictures).

    Parameters
    ----------
    series : Series

    Returns
    -------
    Failure or None
    """
    held = series.effective
    bad = _bad(held)
    loss = series.role.name == "loss"
    if not series.role.direction or not len(bad) or not bad[-1] or (bad.all() and not loss):
        return None
    *earlier, (first, behind) = stretches(bad)
    if any(b - a >= behind - first for a, b in earlier):
        return None
    begin, end = int(held.step[first]), int(held.step[-1])
    what = _kind(held.value[first:])
    told = f"{what} from step {words.step(begin)} to the end of its log"
    if end != begin:
        told += f" at step {words.step(end)}"
    return Failure(begin, told)


def blown_up(series: Series, usual: float) -> Failure | None:
    """How a loss ended far above its best level, without coming back; None where it did not.

    The detector of the rule ``divergence`` has to see it, with a level at the end of five times
    the best one, and twice as high as is usual for the other side.

    Parameters
    ----------
    series : Series
        None but a loss that is positive throughout can blow up.
    usual : float
        Level at which the other side ends.

    Returns
    -------
    Failure or None
    """
    held = series.finite
    if series.role.name != "loss" or len(held) < 3 or not held.value.min() > 0:
        return None
    # The last points alone tell that most curves have not: a detector each would cost too much.
    if not median(held.value[-3:]) > _BLOWN * held.value.min():
        return None
    limits = Limits(ratio=_BLOWN, slow=math.inf)
    for event in watch(DivergenceDetector(limits), held.step, held.value):
        level = median(held.value[held.step >= event.first_step])
        if level * AT_MOST > usual:
            told = (
                f"up from {words.number(event.baseline)} to {words.number(level)} since step "
                f"{words.step(event.first_step)}"
            )
            return Failure(event.first_step, told)
    return None


def outlasts(held: Placed, failure: Failure, until: float) -> bool:
    """Whether a run that failed did so only behind a place: up to there it can be judged."""
    before = held.at[held.step < failure.step]
    return bool(len(before)) and float(before[-1]) >= until


def _gone(run: Run, key: Key) -> Failure | None:
    """Of the metric itself, or of the training loss where the metric ends before it."""
    series = run.series.get(key)
    if series is None:
        return None
    own = gone(series)
    loss = run.main("loss", "train")
    if own is not None or loss is None or loss is series or not series.role.direction:
        return own
    whole = gone(loss)
    known = series.finite.step
    if whole is None or not len(known) or known[-1] >= whole.step:
        return None
    return Failure(whole.step, f"{whole.told} in train/{words.shortened(loss.metric, 40)}")


def _bad(held: Series) -> NDArray[np.bool_]:
    """Which values are no numbers, but for infinities that a metric may well reach."""
    if held.role.name == "loss":
        return ~np.isfinite(held.value)
    worst = math.inf if held.role.direction == "min" else -math.inf
    return np.asarray(np.isnan(held.value) | (held.value == worst))


def _kind(value: NDArray[np.float64]) -> str:
    nan = np.isnan(value)
    return "NaN" if nan.all() else "NaN or infinite" if nan.any() else "infinite"


def _level(series: Series) -> float:
    value = series.finite.value
    return median(value[-max(3, len(value) // _TAIL) :]) if len(value) else 0.0
