"""Rule ``loss-spike``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from trainlens import words
from trainlens.detect.base import Event, watch
from trainlens.detect.context import (
    falls_at_once,
    learning_rate_restart,
    period,
    restarts_mean,
    starts_epoch,
)
from trainlens.detect.levels import (
    SecondLevel,
    expected_by_chance,
    expected_by_clumps,
    second_level,
    without,
)
from trainlens.detect.spike import SpikeDetector, find_spikes
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.noise import median

_CHANCE = 0.02  # expected number in a run of spikes that single high points make
_OF_CLUMPS = 0.1  # and of those that alike neighbours make, by a tail that is too heavy
_LOOKED_AT = 40  # of the largest spikes, for what else happened there


@rule(
    "loss-spike",
    severity="warning",
    source="robust z of log loss in two channels, each against its own spread; PaLM (2022)",
)
def loss_spike(run: Run, *, least_points: int = 30, most: int = 5) -> Iterator[Finding]:
    """Sudden rises of the training loss.

    A median of 5 points rises above the level before it by several times its own robust spread,
    by 4 MAD of single points and by 2 %. The loss is looked at on a log scale, so its unit does
    not matter; where it can be 0 or negative, rises are measured against its drop so far. Single
    points are the matter of `outlier`. Rises that return regularly with the same height, or that
    follow a restart of the learning rate or of a running mean, are the habit of the run and only
    noted; so are rises below 1.5 times that begin with an epoch or last more than 20 points, those
    below 1.15 times, those of fewer than 5 sigma of single points, and those that single points
    make by falling together, where such high ones are no rarity in this run. Where points at
    random places all along the run share a second, higher level, that is one note; only spikes
    clearly above it are findings.

    Settings
    --------
    least_points : points
        Fewer are not judged.
    most : findings
        The largest warnings are kept.
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
    if (ties := _ties(series)) > 0.5:
        same = f"{words.percent(ties)} of the points of {series.metric} are the same value"
        yield inconclusive(f"{same}, so that nearly every other one would be a spike", series)
        return
    if (second := second_level(series)) is not None:
        above = _above(series, second, spikes)
        yield _two_levels(series, second, len(spikes) - len(above))
        if not above:
            return
        spikes = above
    # Of a habit, some rises are high enough for a spike and some only for an outlier.
    for habit, chance in ((spikes, 0.01), (found.events[:1000], 0.001)):
        if (every := period(habit, chance=chance)) is not None:
            yield _regular(series, habit, every)
            return
    yield from _largest(run, series, spikes, found.events[:1000], most)


def _largest(
    run: Run, series: Series, spikes: Sequence[Event], held: Sequence[Event], most: int
) -> Iterator[Finding]:
    """The gravest spikes in their order, the last of them with a word on the others."""
    large = sorted(spikes, key=lambda e: -e.z)[: max(most, _LOOKED_AT)]
    anew = [e for e in large if restarts_mean(series, e)]
    judged = [
        (e, _finding(run, series, e, _of_means(series, e, anew), _by_chance(series, e, held)))
        for e in large
    ]
    judged.sort(key=lambda f: f[1].severity is not None)  # warnings first
    kept = sorted(judged[:most], key=lambda f: f[0].first_index)
    listed = [e for e, _ in kept]
    rest = [e for e in spikes if e not in listed]
    for event, finding in kept:
        yield _with_rest(finding, rest) if event is listed[-1] else finding


def _by_chance(series: Series, event: Event, held: Sequence[Event]) -> bool:
    """Whether the noise of the run makes such events now and then."""
    return (
        event.z < 5
        or expected_by_chance(series, event, held) > _CHANCE
        or expected_by_clumps(series, event, held) > _OF_CLUMPS
    )


def _ties(series: Series) -> float:
    """Share of points that are exactly the median."""
    value = series.finite.value
    return float(np.mean(value == np.quantile(value, 0.5, method="lower")))


def _of_means(series: Series, event: Event, anew: list[Event]) -> bool:
    """Whether an event is the noise of a running mean that begins anew.

    Where that is seen twice and more, other rises that are no higher are taken for the same,
    unless they end as no mean can.
    """
    if event in anew:
        return True
    if len(anew) < 2 or falls_at_once(series, event):
        return False
    return event.peak - event.baseline <= 1.5 * max(e.peak - e.baseline for e in anew)


def _above(series: Series, second: SecondLevel, spikes: tuple[Event, ...]) -> tuple[Event, ...]:
    """Spikes that remain where the second level is brought to the first."""
    points = series.effective.finite
    left = [
        e
        for e in watch(SpikeDetector(), points.step, without(series, second))
        if e.kind == "spike" and e.ratio > second.ratio
    ]
    return tuple(
        e
        for e in spikes
        if any(k.first_step <= e.last_step and e.first_step <= k.last_step for k in left)
        and e.ratio > second.ratio**1.5
    )


def _two_levels(series: Series, second: SecondLevel, mistaken: int) -> Finding:
    points = series.effective.finite
    times = words.plural(mistaken, "time")
    alike = f" Where several follow each other, {times}, it looks like a spike." if mistaken else ""
    return fail(
        f"{series.metric} has two levels: {words.step(second.points)} of "
        f"{words.plural(len(points), 'point')} lie about {words.percent(second.ratio - 1)} higher, "
        f"spread over the run as batches of another kind would be.{alike}",
        series,
        first_step=int(points.step[0]),
        last_step=int(points.step[-1]),
        evidence={
            "points": second.points,
            "share": second.points / len(points),
            "ratio": second.ratio,
            "stretches": mistaken,
        },
        severity="info",
        confidence=0.8,
    )


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


def _finding(run: Run, series: Series, event: Event, anew: bool, near: bool) -> Finding:
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
    elif anew:
        message += " A running mean begins anew there: its first values are single points."
    elif near:
        message += " So far out of the noise a stretch of bad batches may reach by chance."
    elif bump:
        message += " That is little: a bump of the curve rather than an accident."
    return fail(
        message,
        series,
        first_step=event.first_step,
        last_step=event.last_step,
        evidence=_evidence(event),
        severity="info" if restart > 1 or epoch or anew or near or bump else None,
        confidence=min(max(event.z / (event.z + 1.5), 0.6), 0.99),
    )


def _with_rest(finding: Finding, rest: list[Event]) -> Finding:
    """The last finding tells of the spikes that have none of their own."""
    if not rest:
        return finding
    where = words.steps(rest[0].first_step, rest[-1].last_step)
    message = f"{finding.message} And {words.step(len(rest))} more at {where}."
    return replace(finding, message=message, evidence={**finding.evidence, "unlisted": len(rest)})


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
