"""Rule ``gradient-explosion``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.base import Event, watch
from trainlens.detect.divergence import DivergenceDetector, Limits
from trainlens.detect.layers import gradient_norm
from trainlens.detect.spike import find_spikes
from trainlens.detect.surge import SurgeDetector
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series


@rule(
    "gradient-explosion",
    severity="warning",
    about="optimizer",
    source="robust z of the log norm and its ratio to the running median",
)
def gradient_explosion(
    run: Run, *, ratio: float = 10.0, z: float = 8.0, least_points: int = 30, most: int = 20
) -> Iterator[Finding]:
    """Gradient norms many times their usual size.

    A norm counts above `ratio` times the median of the last 101 and `z` standard deviations of
    its log; growth counts where the level at the end is `ratio` times the lowest one and does not
    come back. Norms scale with the number of parameters, so no fixed limit is used (the profile
    ``seed`` has one, 100). An error where the training loss was hurt at that time, a warning for
    three or more such norms, info for one or two that clipping or luck took care of.

    Settings
    --------
    ratio : times
        Of the median before: what a norm must exceed.
    z : standard deviations of the log
        What it must exceed as well.
    least_points : points
        Fewer are not judged.
    most : findings
        The largest are kept.
    """
    series = gradient_norm(run)
    if series is None:
        yield skip("no gradient norm in this log")
        return
    good = series.finite
    if len(good) < least_points:
        has = f"needs at least {least_points} gradient norms, has {len(good)}"
        yield inconclusive(has, series)
        return
    surges = SurgeDetector(ratio, z)
    # Only levels count for growth; the last few points belong to the surges.
    growth = DivergenceDetector(Limits(ratio=ratio, slow=1e9, blowup=1e9))
    events = watch(surges, good.step, good.value)
    above = good.value > 0
    positive = good if above.all() else good.take(np.flatnonzero(above))
    grown = watch(growth, positive.step, positive.value)
    for event in grown:
        yield _growth(run, series, event)
    kept = sorted(sorted(events, key=lambda e: -e.ratio)[:most], key=lambda e: e.first_index)
    for event in kept:
        yield _surge(run, series, event, len(events))
    if not events and not grown:
        median, top = float(np.quantile(good.value, 0.5, method="lower")), float(np.max(good.value))
        yield passed(
            f"{words.plural(len(good), 'gradient norm')}, median {words.number(median)}, "
            f"at most {words.number(top)}",
            series,
            evidence={"points": len(good), "median": median, "largest": top},
        )


def _surge(run: Run, series: Series, event: Event, count: int) -> Finding:
    hurt = _harm(run, event.first_step, event.last_step)
    many = event.points >= 3 or count >= 3
    back = (
        f"and came back at step {words.step(event.recovered_step)}"
        if event.recovered_step is not None
        else "and has not come back"
    )
    return fail(
        f"{series.metric} reached {words.number(event.peak)}, {words.number(event.ratio, 3)} times "
        f"the {words.number(event.baseline)} before, at "
        f"{words.steps(event.first_step, event.last_step)} {back}. {hurt or _UNHURT}",
        series,
        first_step=event.first_step,
        last_step=event.last_step,
        evidence={
            "peak": event.peak,
            "baseline": event.baseline,
            "ratio": event.ratio,
            "points": event.points,
            "events": count,
        },
        severity="error" if hurt else "warning" if many else "info",
        confidence=0.9 if hurt or many else 0.7,
    )


_UNHURT = "The training loss shows no damage."


def _growth(run: Run, series: Series, event: Event) -> Finding:
    hurt = _harm(run, event.first_step, event.last_step)
    return fail(
        f"{series.metric} has grown from a level of {words.number(event.baseline)} since step "
        f"{words.step(event.first_step)}, to {words.number(event.peak)} at most, and stays there. "
        f"{hurt or _UNHURT}",
        series,
        first_step=event.first_step,
        last_step=event.last_step,
        evidence={
            "peak": event.peak,
            "baseline": event.baseline,
            "ratio": event.ratio,
            "z": event.z,
            "points": event.points,
        },
        severity="error" if hurt else "warning",
        confidence=0.9,
    )


def _harm(run: Run, first: int, last: int) -> str:
    """What happened to the training loss at or right after these steps, empty for nothing."""
    loss = run.main("loss", "train")
    if loss is None:
        return ""
    base = loss.effective
    end = int(np.searchsorted(base.step, last, "right"))
    until = int(base.step[min(end + 20, len(base) - 1)])
    near = (base.step >= first) & (base.step <= until)
    if not np.isfinite(base.value[near]).all():
        return "The training loss became NaN or infinite right after."
    for spike in find_spikes(loss).of("spike"):
        if first <= spike.first_step <= until or first <= spike.peak_step <= until:
            return (
                f"The training loss rose from {words.number(spike.baseline)} to "
                f"{words.number(spike.peak)} at the same time."
            )
    return ""
