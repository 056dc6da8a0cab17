"""The rule ``slow-batch``: single slow batches, and training that became slower."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.noise import median, robust_scale, second_difference_noise
from trainlens.stats.rolling import rolling_median
from trainlens.stats.stretches import steady_levels, stretches

WINDOW = 101
_LASTING = 0.06
"""Share of the run for which a slowdown must last to be one."""


@rule(
    "slow-batch",
    severity="warning",
    source="Diffold seed (over 300 s a batch), made relative to the run's own rolling median",
)
def slow_batch(
    run: Run, *, factor: float = 5.0, slowdown: float = 1.5, min_points: int = 20
) -> Iterator[Finding]:
    """Batches that take much longer than their neighbours, or a lasting slowdown.

    A single batch is slow at `factor` times the median of the 101 before it and 8 robust standard
    deviations; the first batches (compilation, caches) are left out. It is worth a warning where
    such batches cost 5 % of the time, else an information. A slowdown is lasting where the level
    stays above `slowdown` times that of the fastest fifth of the run for 6 % of it.

    What to do: compare with the time spent waiting for data; look for checkpoints, validation and
    logging in the step, other jobs on the machine, a throttled GPU, or inputs that got longer.
    """
    found = run.with_role("batch-time")
    if not found:
        yield skip("no batch time in this log")
    for series in found:
        yield from _judge(series, factor, slowdown, min_points)


def _judge(series: Series, factor: float, slowdown: float, least: int) -> Iterator[Finding]:
    finite = series.finite
    curve = finite.take(np.flatnonzero(finite.value > 0))
    n = len(curve)
    if n < least:
        yield inconclusive(
            f"cannot tell: {words.plural(n, 'batch time')}; {least} are needed",
            series,
            evidence={"points": n, "points_needed": least},
        )
        return
    log = np.log(curve.value)
    found = [
        f for f in (_single(series, curve, log, factor), _lasting(series, curve, slowdown)) if f
    ]
    yield from found
    if not found:
        usual = float(np.exp(median(log)))
        yield passed(
            f"{series.metric} is steady at {words.with_unit(usual, series.role.unit)}.",
            series,
            evidence={"median": usual, "points": n},
        )


def _single(series: Series, curve: Series, log: Floats, factor: float) -> Finding | None:
    n = len(log)
    window = min(WINDOW, n // 4 * 2 + 1)
    local = rolling_median(log, window, lag=1, min_periods=5)
    local[np.isnan(local)] = median(log[: window + 1])
    above = log - local
    # A level that has just changed is the other kind of finding: ask the points behind as well,
    # so many that a burst too short for that kind does not fill them.
    behind = min(501, 2 * round(_LASTING * n) + 1) if n > 22 else 5
    ahead = rolling_median(log[::-1], max(behind, 5), min_periods=2)[::-1]
    slow = (above > np.log(factor)) & (above > 8 * robust_scale(above))
    slow &= log - np.where(np.isnan(ahead), local, ahead) > np.log(factor) / 2
    slow[: max(3, min(10, n // 100))] = False
    at = np.flatnonzero(slow)
    if not len(at) or len(at) > n // 10:
        return None
    unit = float(log.max())
    share = np.exp(log - unit)
    lost = float(np.sum(share[at] - np.exp(local[at] - unit)) / np.sum(share))
    worst = int(at[np.argmax(above[at])])
    times = float(np.exp(min(above[worst], 700.0)))
    value = words.with_unit(float(curve.value[worst]), series.role.unit)
    usual = words.with_unit(float(np.exp(local[worst])), series.role.unit)
    return fail(
        f"{words.plural(len(at), 'slow batch', 'slow batches')} of {words.step(n)}, the slowest at "
        f"step {words.step(int(curve.step[worst]))}: {value}, {words.number(times, 2)} times the "
        f"usual {usual}. Together they cost {words.percent(lost, 2)} of the time{_period(at)}.",
        series,
        first_step=int(curve.step[at[0]]),
        last_step=int(curve.step[at[-1]]),
        evidence={
            "slow": len(at),
            "worst": float(curve.value[worst]),
            "worst_ratio": times,
            "worst_step": int(curve.step[worst]),
            "share_of_time": lost,
        },
        severity="warning" if lost >= 0.05 else "info",
        confidence=0.95,
    )


def _period(at: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> str:
    apart = np.diff(at)
    if len(apart) < 3 or int(np.ptp(apart)) > 0.05 * median(apart):
        return ""
    every = words.step(int(median(apart)))
    return f"; they come every {every} batches, as checkpoints or evaluations do"


def _lasting(series: Series, curve: Series, slowdown: float) -> Finding | None:
    log = np.log(curve.value)
    level, edge = steady_levels(log)
    usual = float(np.quantile(level, 0.2))
    least = max(1, round(_LASTING * len(level)))
    first_fast = int(np.argmax(level <= usual + 1e-12))
    spans = [
        (a, b) for a, b in stretches(level > usual + np.log(slowdown))
        if a > first_fast and b - a >= least
    ]  # fmt: skip
    if not spans:
        return None
    a, b = max(spans, key=lambda s: s[1] - s[0])
    rise = median(level[a:b]) - usual
    error = 1.25 * second_difference_noise(log) / float(np.sqrt(edge[b] - edge[a]))
    if rise < 5 * error:
        return None
    height = float(np.exp(min(rise, 700.0)))
    first, last = int(curve.step[edge[a]]), int(curve.step[edge[b] - 1])
    fast = words.with_unit(float(np.exp(usual)), series.role.unit)
    ended = "to the end" if b == len(level) else f"up to step {words.step(last)}"
    return fail(
        f"{series.metric} rose to {words.number(height, 3)} times its usual "
        f"{fast} at step {words.step(first)} and "
        f"stayed there {ended}, {words.percent((b - a) / len(level), 2)} of the run.",
        series,
        first_step=first,
        last_step=last,
        evidence={
            "ratio": height,
            "usual": float(np.exp(usual)),
            "share_of_run": (b - a) / len(level),
        },
        confidence=0.9,
    )
