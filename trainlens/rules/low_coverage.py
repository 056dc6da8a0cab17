"""The rule ``low-coverage``: too few of the inputs are valid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.roles import normalise
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.noise import median
from trainlens.stats.stretches import steady_levels, stretches


@rule(
    "low-coverage",
    severity="warning",
    about="data",
    source="BiFusion seed (valid_ratio below 0.3); the threshold is a prior",
)
def low_coverage(
    run: Run, *, threshold: float = 0.3, share: float = 0.1, min_points: int = 5
) -> Iterator[Finding]:
    """The share of valid inputs (valid_ratio, coverage) stays below the threshold.

    The run is cut into up to 50 windows of at least 5 points; a window counts by its median, so
    that single poor batches do not. A fault where at least `share` of the windows are low, or the
    last tenth of the run is. Where the log has a weight that falls with the coverage
    (coverage_weight), to a quarter of what it is elsewhere or less, what rests on these inputs
    hardly counts: then it is an information only.

    What to do: look at what makes inputs invalid (projection, masks, missing modalities); until
    then let the weight of the losses that rest on them follow the coverage.

    Settings
    --------
    threshold : share of the inputs
        Below it a window is low.
    share : share of the windows
        That must be low.
    min_points : points
        Fewer are not judged.
    """
    found = run.with_role("coverage")
    if not found:
        yield skip("no coverage (valid_ratio) in this log")
    for series in found:
        yield _judge(run, series, threshold, share, min_points)


def _judge(run: Run, series: Series, threshold: float, share: float, min_points: int) -> Finding:
    curve = series.finite
    n = len(curve)
    if n < min_points:
        return inconclusive(
            f"cannot tell: {words.plural(n, 'point')} of {series.metric}; {min_points} are needed",
            series,
            evidence={"points": n, "points_needed": min_points},
        )
    if not -0.01 <= float(curve.value.min()) <= float(curve.value.max()) <= 100.5:
        return skip(f"{series.metric} is no share: it leaves 0 to 100 %", series)
    # Some log percent; a share cannot exceed 1 by more than rounding.
    value = curve.value / (100.0 if float(curve.value.max()) > 1.5 else 1.0)
    level, edge = steady_levels(value)
    low = level < threshold
    points = float(np.mean(value < threshold))
    evidence = {
        "threshold": threshold,
        "share_of_windows": float(np.mean(low)),
        "share_of_points": points,
        "median": median(value),
        "lowest_window": float(level.min()),
    }
    tail = max(1, len(level) // 10)
    if not (np.mean(low) >= share or low[-tail:].all()):
        return passed(
            f"{series.metric} is at {words.percent(evidence['median'], 2)}; "
            f"{words.percent(points, 2)} of its points lie below {words.percent(threshold)}.",
            series,
            evidence=evidence,
        )
    evidence |= _weights(run, curve, value < threshold, min_points)
    return _low(series, curve, low, edge, evidence)


def _low(
    series: Series,
    curve: Series,
    low: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    edge: np.ndarray[tuple[int, ...], np.dtype[np.intp]],
    evidence: dict[str, float],
) -> Finding:
    spans = stretches(low)
    a, b = max(spans, key=lambda s: s[1] - s[0])
    first, last = int(curve.step[edge[spans[0][0]]]), int(curve.step[edge[spans[-1][1]] - 1])
    longest = words.steps(int(curve.step[edge[a]]), int(curve.step[edge[b] - 1]))
    apart = f", in {words.step(len(spans))} stretches" if len(spans) > 1 else ""
    return fail(
        f"{series.metric} stays below {words.percent(evidence['threshold'])} in "
        f"{words.percent(evidence['share_of_windows'], 2)} of the run{apart}, the longest at "
        f"{longest}; "
        f"its median over the whole run is {words.percent(evidence['median'], 2)}."
        f"{_told(evidence)}",
        series,
        first_step=first,
        last_step=last,
        evidence=evidence,
        severity="info" if "weight_there" in evidence else None,
        confidence=0.95,
    )


def _told(evidence: dict[str, float]) -> str:
    """How far the weight falls, as a sentence."""
    if "weight_there" not in evidence:
        return ""
    there, elsewhere = (words.number(evidence[f"weight_{x}"], 2) for x in ("there", "elsewhere"))
    return (
        f" coverage_weight falls from {elsewhere} to {there} there: what rests on these inputs "
        "hardly counts."
    )


def _weights(
    run: Run, curve: Series, low: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], least: int
) -> dict[str, float]:
    """Medians of a weight that falls with the coverage; nothing where none does."""
    for weight in run.with_role("loss-weight"):
        held = weight.finite
        if not normalise(weight.metric).endswith("_coverage_weight_"):
            continue
        _, at, of = np.intersect1d(curve.step, held.step, return_indices=True)
        there, elsewhere = (held.value[of][m] for m in (low[at], ~low[at]))
        if min(len(there), len(elsewhere)) >= least:
            a, b = median(there), median(elsewhere)
            if a <= b / 4 and b > 0:
                return {"weight_there": a, "weight_elsewhere": b}
    return {}
