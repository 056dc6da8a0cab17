"""Rule ``divergence``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.base import Event, watch
from trainlens.detect.divergence import DivergenceDetector, Limits
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series

_HELD = 1.3
"""Last level over the best one for a rise at any time that stayed."""


@rule(
    "divergence",
    severity="error",
    source="last window against the best one, in units of the noise of differences",
)
def divergence(
    run: Run, *, ratio: float = 1.5, slow: float = 1.15, z: float = 6.0, least_points: int = 30
) -> Iterator[Finding]:
    """The training loss rises and stays up.

    The level at the end (median of the last tenth) is more than `ratio` times the best level
    before, or it has climbed steadily by more than `slow` since a best level in the later part, or
    by 1.3 since any and stayed; and the rise is `z` standard deviations of a level (twice as many
    for the last), with the autocorrelation of the noise counted in. Of a steady climb half of `z`
    is enough where the line from its beginning to the end leads up by 4.5 standard errors. A rise
    that the curve has shown before and taken back, as cyclic learning rates do, does not count; nor
    does a spike that came back. At the very end, 15 points above `ratio`, or 3 that reach ten times
    the level, are enough. A validation loss that rises while the training loss falls is
    `overfitting`. Where a loss can be 0 or negative, rises are measured against its drop so far.

    Settings
    --------
    ratio : times
        Of the best level before: a level at the end above it is a fault.
    slow : times
        The same for a loss that has climbed steadily.
    z : standard deviations of a level
        What the rise must exceed as well.
    least_points : points
        Fewer are not judged.
    """
    series = run.main("loss", "train") or run.main("loss")
    if series is None:
        yield skip("no loss in this log")
        return
    limits = Limits(ratio=ratio, slow=slow, held=_HELD, z=z, points=least_points)
    detector = DivergenceDetector(limits)
    base = series.effective
    events = watch(detector, base.step, base.value)
    if detector.seen < least_points:
        has = f"needs at least {least_points} points of the loss, has {detector.seen}"
        yield inconclusive(has, series)
    elif not events:
        yield passed(
            f"{series.metric} ends at {words.number(detector.rise, 3)} times its best level",
            series,
            evidence={"ratio": min(detector.rise, 1e308), "points": detector.seen},
        )
    else:
        yield _finding(run, series, events[0], detector, ratio)


def _finding(
    run: Run, series: Series, event: Event, detector: DivergenceDetector, ratio: float
) -> Finding:
    last = float(series.finite.value[-1])
    ended = f"{words.number(last)} at step {words.step(event.last_step)}"
    over = event.ratio if event.ratio > 0 else detector.rise
    message = (
        f"{series.metric} has risen from a level of "
        f"{words.number(event.baseline)} to {ended}, at most {words.number(event.peak)}, and has "
        f"not come back. The rise is {words.number(event.z, 2)} sigma of the level."
    )
    reward = _better_reward(run, event.first_step)
    if reward:
        message += (
            f" But {reward} has risen since then: in reinforcement learning, losses follow it."
        )
    mild = detector.rise < ratio and over < 10
    return fail(
        message,
        series,
        first_step=event.first_step,
        last_step=event.last_step,
        evidence={
            "baseline": event.baseline,
            "last": last,
            "peak": event.peak,
            "peak_step": event.peak_step,
            "level_ratio": min(max(detector.rise, -1e308), 1e308),
            "z": event.z,
            "points": event.points,
        },
        severity="info" if reward else "warning" if mild else None,
        confidence=min(max(event.z / (event.z + 1.5), 0.6), 0.99),
    )


def _better_reward(run: Run, step: int) -> str:
    """Name of a reward that is higher after a step than before, empty where there is none."""
    for series in run.with_role("metric"):
        name = series.metric.lower()
        if series.role.direction != "max" or not any(w in name for w in ("rew", "return", "score")):
            continue
        good = series.finite
        at = int(np.searchsorted(good.step, step))
        before, after = good.value[max(0, at - 50) : at], good.value[at:]
        if len(before) >= 3 and len(after) >= 3 and np.median(after) > np.quantile(before, 0.75):
            return series.metric
    return ""
