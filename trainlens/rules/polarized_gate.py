"""The rule ``polarized-gate``: a fusion gate that lets only one side through."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.noise import median
from trainlens.stats.stretches import steady_levels, stretches

_FUSION = re.compile(r"alpha_|gate|fusion|coverage|valid_ratio|clip_loss", re.I)
_REWARD = re.compile(r"reward|return|(^|[/_])ep_|episode|entropy|actor|critic|q_?loss", re.I)


@rule(
    "polarized-gate",
    severity="warning",
    about="model",
    source="BiFusion seed (mean of alpha below 0.1 or above 0.9); the thresholds are priors",
)
def polarized_gate(
    run: Run, *, low: float = 0.1, high: float = 0.9, share: float = 0.2, min_points: int = 5
) -> Iterator[Finding]:
    """The mean of a fusion gate has settled near 0 or 1: one of the two inputs is ignored.

    Judged by the medians of up to 50 windows of at least 5 points. A fault where the gate ends
    outside [`low`, `high`] (its last tenth), or was outside for at least `share` of the run and
    longer than its start: a gate that is initialised at 0 and opens is in order.

    A metric called just ``alpha``, in a log without anything else of a fusion, may be another
    alpha: then it is an information only.

    What to do: regularise the diversity of the gate, raise its temperature, check that the
    features of both sides have the same scale.

    Settings
    --------
    low : weight, 0 to 1
        Below it a gate is polarized.
    high : weight, 0 to 1
        Above it a gate is polarized.
    share : share of the run
        That must lie outside.
    min_points : points
        Fewer are not judged.
    """
    found = run.with_role("gate")
    if not found:
        yield skip("no gate (alpha) in this log")
    for series in found:
        yield _judge(run, series, low, high, share, min_points)


def _judge(
    run: Run, series: Series, low: float, high: float, share: float, min_points: int
) -> Finding:
    curve = series.finite
    n = len(curve)
    if n and (float(curve.value.min()) < -0.01 or float(curve.value.max()) > 1.01):
        return skip(f"{series.metric} leaves 0 to 1: it is no gate", series)
    bare = re.split(r"[/.]", series.metric.lower())[-1] == "alpha"
    if bare and any(_REWARD.search(m) for m, _ in run.series):
        return skip("in a log with rewards, alpha is an entropy temperature, not a gate", series)
    doubtful = bare and not any(_FUSION.search(m) for m, _ in run.series)
    if n < min_points:
        return inconclusive(
            f"cannot tell: {words.plural(n, 'point')} of {series.metric}; {min_points} are needed",
            series,
            evidence={"points": n, "points_needed": min_points},
        )
    level, edge = steady_levels(curve.value)
    outside = (level < low) | (level > high)
    evidence = {
        "low": low,
        "high": high,
        "share_of_windows": float(np.mean(outside)),
        "median": median(curve.value),
        "last": float(level[-1]),
    }
    tail = max(1, len(level) // 10)
    late = stretches(outside)
    opened = [s for s in late if s[0] > 0]
    kept = sum(b - a for a, b in opened) >= share * len(level)
    if not (outside[-tail:].all() or kept):
        began = " after it began outside" if late and not opened else ""
        return passed(
            f"{series.metric} is at {words.number(evidence['last'])}, within "
            f"{words.number(low)} to {words.number(high)}{began}.",
            series,
            evidence=evidence,
        )
    a, b = late[-1] if outside[-tail:].all() else max(opened, key=lambda s: s[1] - s[0])
    first, last = int(curve.step[edge[a]]), int(curve.step[edge[b] - 1])
    at = median(level[a:b])
    side = f"below {words.number(low)}" if at < low else f"above {words.number(high)}"
    return fail(
        f"{series.metric} stays {side} at {words.steps(first, last)} (median "
        f"{words.number(at)}): the gate passes almost only one side, in "
        f"{words.percent(evidence['share_of_windows'], 2)} of the run.",
        series,
        first_step=first,
        last_step=last,
        evidence=evidence,
        severity="info" if doubtful else None,
        confidence=0.5 if doubtful else 0.95,
    )
