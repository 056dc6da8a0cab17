"""The rule ``slow-batch``: single slow batches, and training that became slower."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainlens import words
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Ints, Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.noise import median, robust_scale
from trainlens.stats.rolling import rolling_median
from trainlens.stats.shift import LASTING, lasting_shift

WINDOW = 101
_BURST = 5
"""Slow batches this near to each other are one burst."""
_FEW = 3
_COSTLY = 0.05
_PAUSES = 1 / 3
"""Shares of the time above which slow batches, and regular pauses, are worth a warning."""


@rule(
    "slow-batch",
    severity="warning",
    about="speed",
    source="Diffold seed (over 300 s a batch), made relative to the run's own rolling median",
)
def slow_batch(
    run: Run, *, factor: float = 5.0, slowdown: float = 1.5, min_points: int = 20
) -> Iterator[Finding]:
    """Batches that take much longer than their neighbours, or a lasting slowdown.

    A single batch is slow at `factor` times the median of the 101 before it and 8 robust standard
    deviations; the first batches (compilation, caches) are left out. It is worth a warning where
    such batches cost 5 % of the time (a third, where they come as regularly as evaluations and
    checkpoints do; a fifth, where they are one or two), else an information.

    A slowdown is lasting where the level stays above `slowdown` times the usual one for 6 % of
    the run, by 5 standard errors. The unit does not matter; `min_points` batch times are needed.

    What to do: compare with the time spent waiting for data; look for checkpoints, validation and
    logging in the step, other jobs on the machine, a throttled GPU, or inputs that got longer.

    Settings
    --------
    factor : times
        Of the median before: from there on a batch is slow.
    slowdown : times
        Of the usual level: above it a slowdown is lasting.
    min_points : points
        Fewer are not judged.
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
        f
        for f in (_single(series, curve, log, factor), _lasting(series, curve, log, slowdown))
        if f
    ]
    yield from found
    if not found:
        usual = float(np.exp(median(log)))
        yield passed(
            f"{series.metric} is steady at {words.with_unit(usual, series.unit)}.",
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
    behind = min(501, 2 * round(LASTING * n) + 1) if n > 22 else 5
    ahead = rolling_median(log[::-1], max(behind, 5), min_periods=2)[::-1]
    slow = (above > np.log(factor)) & (above > 8 * robust_scale(above))
    slow &= log - np.where(np.isnan(ahead), local, ahead) > np.log(factor) / 2
    slow[: max(3, min(10, n // 20))] = False
    at = np.flatnonzero(slow)
    if not len(at) or len(at) > n // 10:
        return None
    unit = float(log.max())
    share = np.exp(log - unit)
    lost = float(np.sum(share[at] - np.exp(local[at] - unit)) / np.sum(share))
    worst = int(at[np.argmax(above[at])])
    times = float(np.exp(min(above[worst], 700.0)))
    every = _regular(curve.step, at)
    enough = _PAUSES if every else _COSTLY if len(at) >= _FEW else 4 * _COSTLY
    comes = f"; they come every {words.step(int(every))} steps, as evaluations do" if every else ""
    value = words.with_unit(float(curve.value[worst]), series.unit)
    usual = words.with_unit(float(np.exp(local[worst])), series.unit)
    return fail(
        f"{words.plural(len(at), 'slow batch', 'slow batches')} of {words.step(n)}, the slowest at "
        f"step {words.step(int(curve.step[worst]))}: {value}, {words.number(times, 2)} times the "
        f"usual {usual}. Together they cost {words.percent(lost, 2)} of the time{comes}.",
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
        severity="warning" if lost >= enough else "info",
        confidence=0.95,
    )


def _regular(step: Ints, at: NDArray[np.intp]) -> float:
    """Steps from one burst of slow batches to the next, 0 where they do not come regularly."""
    place = step.astype(np.float64)
    starts = place[at[np.diff(at, prepend=-_BURST - 1) > _BURST]]
    jitter = 2 * median(np.diff(place))
    # Few evaluations, of which the first comes as long after the start as the others apart.
    every = _period(np.diff(starts, prepend=place[0]), jitter, 1.0) if len(starts) > 1 else 0.0
    return every or (_period(np.diff(starts), jitter, 0.75) if len(starts) > 3 else 0.0)


def _period(apart: Floats, jitter: float, share: float) -> float:
    """Distance of which such a share of all distances are multiples, else 0."""
    # One that was too short to be seen leaves twice the distance.
    for every in (median(apart), median(apart) / 2):
        away = np.abs(apart - every * np.maximum(np.round(apart / every), 1.0))
        fits = away <= max(0.08 * every, min(jitter, 0.2 * every))
        if float(np.mean(fits)) >= share:
            return every
    return 0.0


def _lasting(series: Series, curve: Series, log: Floats, slowdown: float) -> Finding | None:
    found = lasting_shift(log, float(np.log(slowdown)))
    if found is None:
        return None
    height = float(np.exp(min(found.rise, 700.0)))
    first, last = int(curve.step[found.first]), int(curve.step[found.behind - 1])
    usual = float(np.exp(found.usual))
    ended = "to the end" if found.lasts else f"up to step {words.step(last)}"
    return fail(
        f"{series.metric} rose to {words.number(height, 3)} times its usual "
        f"{words.with_unit(usual, series.unit)} at step {words.step(first)} and "
        f"stayed there {ended}, {words.percent(found.share, 2)} of the run.",
        series,
        first_step=first,
        last_step=last,
        evidence={
            "ratio": height,
            "usual": usual,
            "share_of_run": found.share,
            "standard_errors": found.score,
        },
        confidence=0.9,
    )
