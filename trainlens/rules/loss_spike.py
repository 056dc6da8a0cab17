"""Rule ``loss-spike``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.base import Event
from trainlens.detect.context import learning_rate_restart, period, starts_epoch
from trainlens.detect.spike import find_spikes
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.noise import median


@rule(
    "loss-spike",
    severity="warning",
    source="robust z of log loss in two channels, each against its own spread; PaLM (2022)",
)
def loss_spike(run: Run, *, least_points: int = 30, most: int = 20) -> Iterator[Finding]:
    """Sudden rises of the training loss.

    A median of 5 points rises above the level before it by several times its own robust spread,
    by 4 MAD of single points and by 2 %. The loss is looked at on a log scale, so its unit does
    not matter; where it can be 0 or negative, rises are measured against its drop so far. Single
    points are the matter of `outlier`. Rises that return regularly with the same height, or that
    follow a restart of the learning rate, are the habit of the run and only noted; so are rises
    below 1.5 times that begin with an epoch or last more than 20 points, and below 1.15 times.

    Settings: `least_points` (fewer are not judged), `most` (findings; the largest are kept).
    """
    series = run.main("loss", "train")
    if series is None:
        yield skip("no training loss in this log")
        return
    found = find_spikes(series)
    if found.seen < least_points:
        has = f"needs at least {least_points} points of the training loss, has {found.seen}"
        yield inconclusive(has, series)
        return
    spikes = found.of("spike")
    if not spikes:
        yield passed(
            f"no spike in {words.plural(found.seen, 'point')} of {series.metric}; the largest "
            f"single rise was {words.number(found.largest, 2)} sigma",
            series,
            evidence={"points": found.seen, "largest_z": found.largest},
        )
        return
    if _ties(series) > 0.5:
        same = f"{words.percent(_ties(series))} of the points of {series.metric} are the same value"
        yield inconclusive(f"{same}, so that nearly every other one would be a spike", series)
        return
    every = period(spikes)
    if every is not None:
        yield _regular(series, spikes, every)
        return
    kept = sorted(sorted(spikes, key=lambda e: -e.z)[:most], key=lambda e: e.first_index)
    for event in kept:
        yield _finding(run, series, event, len(spikes) - len(kept))


def _ties(series: Series) -> float:
    """Share of points that are exactly the median."""
    value = series.finite.value
    return float(np.mean(value == np.quantile(value, 0.5, method="lower")))


def _regular(series: Series, spikes: tuple[Event, ...], every: int) -> Finding:
    ratio = median(np.array([e.peak - e.baseline for e in spikes]))
    return fail(
        f"{series.metric} rises by about {words.number(ratio, 3)} every {words.step(every)} steps, "
        f"{len(spikes)} times, and comes back: the pattern of epochs or of a cyclic learning "
        "rate, not of an accident.",
        series,
        first_step=spikes[0].first_step,
        last_step=spikes[-1].last_step,
        evidence={"count": len(spikes), "period": every, "rise": ratio},
        severity="info",
        confidence=0.7,
    )


def _finding(run: Run, series: Series, event: Event, unlisted: int) -> Finding:
    restart = learning_rate_restart(run, event.first_step)
    # Running means start anew with each epoch, and their first values are noisy.
    epoch = event.ratio < 1.5 and starts_epoch(series, event)
    times = f" ({words.number(event.ratio, 3)} times)" if event.ratio > 0 else ""
    back = (
        f"and came back at step {words.step(event.recovered_step)} "
        f"({words.plural(event.points, 'point')})"
        if event.recovered_step is not None
        else f"and has not come back within {words.plural(event.points, 'point')}"
    )
    message = (
        f"{series.metric} rose from {words.number(event.baseline)} to {words.number(event.peak)}"
        f"{times} at {words.steps(event.first_step, event.last_step)} {back}. "
        f"That is {words.number(event.z, 2)} sigma of the noise before."
    )
    if restart > 1:
        message += f" The learning rate had just restarted ({words.number(restart, 2)} times)."
    # Restarts of a schedule that is not logged, and the order of the data, leave low bumps.
    bump = event.ratio < 1.15 or (event.ratio < 1.5 and event.points > 20)
    if epoch:
        message += " It begins with an epoch."
    elif bump:
        message += " That is little: a bump of the curve rather than an accident."
    if unlisted:
        message += f" {words.plural(unlisted, 'smaller spike')} not listed."
    return fail(
        message,
        series,
        first_step=event.first_step,
        last_step=event.last_step,
        evidence=_evidence(event),
        severity="info" if restart > 1 or epoch or bump else None,
        confidence=min(max(event.z / (event.z + 1.5), 0.6), 0.99),
    )


def _evidence(event: Event) -> dict[str, float]:
    numbers: dict[str, float] = {
        "baseline": event.baseline,
        "peak": event.peak,
        "peak_step": event.peak_step,
        "z": event.z,
        "points": event.points,
    }
    if event.ratio > 0:
        numbers["ratio"] = event.ratio
    if event.recovered_step is not None:
        numbers["recovered_step"] = event.recovered_step
    return numbers
