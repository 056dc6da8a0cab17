"""Rule ``outlier``."""

from __future__ import annotations

from collections.abc import Iterator

from trainlens import words
from trainlens.detect.spike import find_spikes
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run


@rule(
    "outlier",
    severity="info",
    source="peaks over threshold, Siffer 2017, doi:10.1145/3097983.3098144",
)
def outlier(run: Run, *, least_points: int = 30, share: float = 0.01) -> Iterator[Finding]:
    """Single points of the training loss far out of its noise.

    A point counts where it lies above the level that its noise exceeds once in 100 000 points (8
    to 25 sigma, from a fit to the tail), or above 8 sigma and twice the level before. Healthy
    runs reach that now and then: one odd batch. It is worth a look where the same steps stand out
    in several runs of the same data.

    Settings
    --------
    least_points : points
        Fewer are not judged.
    share : share of the points
        More outliers than that are no outliers but a heavy tail.
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
    events = found.of("outlier")
    numbers = {"points": found.seen, "largest_z": found.largest, "count": len(events)}
    if not events:
        yield passed(
            f"no single point stands out in {words.plural(found.seen, 'point')} of {series.metric};"
            f" the largest rise was {words.number(found.largest, 2)} sigma",
            series,
            evidence=numbers,
        )
    elif len(events) > max(3, share * found.seen):
        yield inconclusive(
            f"{words.plural(len(events), 'point')} of {words.step(found.seen)} lie far above the "
            f"rest of {series.metric}: its noise has a heavy tail, single points say little",
            series,
            evidence=numbers,
        )
    else:
        worst = max(events, key=lambda e: e.z)
        rest = f" {words.plural(len(events), 'such point')} in all." if len(events) > 1 else ""
        yield fail(
            f"{series.metric} was {words.number(worst.peak)} at step {words.step(worst.peak_step)},"
            f" {words.number(worst.z, 2)} sigma above the {words.number(worst.baseline)} around "
            f"it, for {words.plural(worst.points, 'point')}.{rest}",
            series,
            first_step=events[0].first_step,
            last_step=events[-1].last_step,
            evidence={**numbers, "peak": worst.peak, "baseline": worst.baseline, "z": worst.z},
            confidence=0.6,
        )
