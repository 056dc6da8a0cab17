"""The rule ``throughput-drop``: training that became slower."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from trainlens import words
from trainlens.detect.machine import hundred_percent
from trainlens.rules.base import (
    Finding,
    Severity,
    Status,
    fail,
    inconclusive,
    passed,
    rule,
    skip,
)
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.noise import median
from trainlens.stats.pace import Slowing, pace, slowing
from trainlens.stats.shift import lasting_shift, slide

_TO_SECONDS = {"ms": 1e-3, "s": 1.0}
_FINE = {"samples/s": 2, "frames/s": 2, "steps/s": 1}
"""How near a unit is to the work that is done: a step may come to hold more of it."""
_FEW = 100
_WORTH = 10.0
"""Seconds that a slowing by the clock must cost in all to be worth a warning."""


@rule(
    "throughput-drop",
    severity="warning",
    about="speed",
    source="the run's own usual level; a change by 5 standard errors, autocorrelation included",
)
def throughput_drop(
    run: Run,
    *,
    slowdown: float = 1.5,
    sliding: float = 1.25,
    waiting: float = 0.2,
    min_points: int = 20,
) -> Iterator[Finding]:
    """Training gets slower: fewer tokens, samples or steps a second, or more waiting for data.

    A throughput (tokens/s, samples/s, steps/s) drops where it stays below its usual level divided
    by `slowdown` for 6 % of the run and by 5 standard errors; it slides where it falls steadily
    from a tenth of the run to its end, by the factor `sliding` in all. Pauses for evaluations and
    checkpoints are no drop, nor is a start that is slow. Where a finer throughput stays (tokens
    beside steps), each step only does more work: an information.

    Where data times are logged, the share of a step that waits for data may rise by `waiting` (a
    share of the step). Where nothing but the time of each record is known, steps a second are
    taken from that, pauses left out: an information, unless the records come so regularly that
    nothing else explains it, and ten seconds in all were lost. `min_points` values are needed.

    What to do: look at what changed at that step (other jobs, a hot GPU, longer inputs, a resume
    on another machine); compare data time with step time; watch memory for a leak.

    Settings
    --------
    slowdown : times
        By which a throughput must drop.
    sliding : times
        By which one that falls steadily must fall in all.
    waiting : share of a step
        By which the wait for data must rise.
    min_points : points
        Fewer are not judged.
    """
    rates = [s for s in run.with_role("throughput") if s.split not in ("val", "test")]
    judged = [_rate(s, slowdown, sliding, min_points) for s in rates]
    yield from _with_reason(rates, judged)
    shares = [(s, share) for s in run.with_role("data-time") if (share := _share(run, s))]
    for series, share in shares:
        yield _waits(series, share, waiting, min_points)
    if not rates and not shares:
        yield _by_the_clock(run, slowdown)


def _with_reason(rates: list[Series], judged: list[Finding]) -> Iterator[Finding]:
    """Drops of a coarse throughput are explained where a finer one is steady."""
    steady = max(
        ((_fineness(s), s.metric) for s, f in zip(rates, judged, strict=True)
         if f.status is Status.PASS),
        default=(0, ""),
    )  # fmt: skip
    for series, found in zip(rates, judged, strict=True):
        if found.failed and _fineness(series) < steady[0]:
            text = f"{found.message} {steady[1]} is steady: each step does more work."
            yield replace(found, severity=Severity.INFO, message=text)
        else:
            yield found


def _fineness(series: Series) -> int:
    return _FINE.get(series.unit, 3)


def _rate(series: Series, slowdown: float, sliding: float, least: int) -> Finding:
    finite = series.finite
    curve = finite.take(np.flatnonzero(finite.value > 0))
    n = len(curve)
    if n < least:
        return _too_few(series, n, least)

    log = np.log(curve.value)
    found = _slides(series, curve, log, sliding) or _drops(series, curve, log, slowdown)
    if found is not None:
        return found
    usual = float(np.exp(median(log)))
    return passed(
        f"{series.metric} is steady at {words.with_unit(usual, series.unit)}.",
        series,
        evidence={"median": usual, "points": n},
    )


def _too_few(series: Series, n: int, least: int) -> Finding:
    return inconclusive(
        f"cannot tell: {words.plural(n, 'value')} of {series.metric}; {least} are needed",
        series,
        evidence={"points": n, "points_needed": least},
    )


def _drops(series: Series, curve: Series, log: Floats, slowdown: float) -> Finding | None:
    found = lasting_shift(-log, float(np.log(slowdown)))
    if found is None:
        return None
    usual, level = float(np.exp(-found.usual)), float(np.exp(-found.level))
    first, last = int(curve.step[found.first]), int(curve.step[found.behind - 1])
    often = found.stretches >= 3 and not found.lasts
    said = (
        f"{series.metric} fell from {words.with_unit(usual, series.unit)} to "
        f"{words.with_unit(level, series.unit)} at step {words.step(first)} and stayed there "
        f"{_ended(found.lasts, last)}, {words.percent(found.share, 2)} of the run"
    )
    more = f", the longest of {found.stretches} such stretches" if often else ""
    return fail(
        f"{said}{more}{_restarted(series, first)}.",
        series,
        first_step=first,
        last_step=last,
        evidence={
            "usual": usual,
            "level": level,
            "ratio": float(np.exp(min(found.rise, 700.0))),
            "share_of_run": found.share,
            "standard_errors": found.score,
        },
        severity="info" if often else None,
        confidence=0.9,
    )


def _ended(lasts: bool, last: int) -> str:
    return "to the end" if lasts else f"up to step {words.step(last)}"


def _restarted(series: Series, first: int) -> str:
    """Whether the run was resumed near there."""
    at = series.step[1:][np.diff(series.attempt) > 0].astype(np.float64)
    reach = 0.03 * (float(series.step.max()) - float(series.step.min()))
    return ", where the run was resumed" if (np.abs(at - first) <= reach).any() else ""


def _slides(series: Series, curve: Series, log: Floats, factor: float) -> Finding | None:
    found = slide(-log, float(np.log(factor)))
    if found is None:
        return None
    high, low = float(np.exp(-found.before)), float(np.exp(-found.before - found.rise))
    first, last = int(curve.step[len(log) // 10]), int(curve.step[-1])
    return fail(
        f"{series.metric} slides: from {words.with_unit(high, series.unit)} at step "
        f"{words.step(first)} to {words.with_unit(low, series.unit)} at step {words.step(last)}, "
        "falling all along.",
        series,
        first_step=first,
        last_step=last,
        evidence={
            "usual": high,
            "level": low,
            "ratio": float(np.exp(min(found.rise, 700.0))),
            "standard_errors": found.score,
        },
        confidence=0.9,
    )


def _share(run: Run, series: Series) -> tuple[Series, Floats] | None:
    """Share of the step that waits for data, where the log tells it."""
    if series.split in ("val", "test"):
        return None
    own = series.finite
    all_of_it = hundred_percent(series, float(own.value.max())) if len(own) else None
    if all_of_it is not None:
        return (own, own.value / all_of_it) if float(own.value.min()) >= 0 else None
    whole = run.main("batch-time", series.split)
    units = (series.unit, whole.unit) if whole is not None else ("", "")
    if whole is None or not set(units) <= _TO_SECONDS.keys():
        return None
    _, i, j = np.intersect1d(own.step, whole.finite.step, assume_unique=True, return_indices=True)
    wait, total = (
        own.value[i],
        whole.finite.value[j] * (_TO_SECONDS[units[1]] / _TO_SECONDS[units[0]]),
    )
    good = np.flatnonzero((wait >= 0) & (total > 0) & (total < 1e300) & (wait < 1e300))
    wait, total = wait[good], total[good]
    if not len(good):
        return None
    if float(np.mean(wait > 1.02 * total)) > 0.05:  # the time of a step without that for its data
        total = total + wait
    return own.take(i[good]), np.minimum(wait / total, 1.0)


def _waits(series: Series, known: tuple[Series, Floats], waiting: float, least: int) -> Finding:
    curve, share = known
    n = len(share)
    if n < least:
        return _too_few(series, n, least)
    usual = median(share)
    found = lasting_shift(share, waiting)
    if found is None:
        return passed(
            f"The share of a step that waits for data is steady at {words.percent(usual, 2)}.",
            series,
            evidence={"median": usual, "points": n},
        )
    first, last = int(curve.step[found.first]), int(curve.step[found.behind - 1])
    return fail(
        f"The share of a step that waits for data rose from {words.percent(found.usual, 2)} to "
        f"{words.percent(found.level, 2)} at step {words.step(first)} and stayed there "
        f"{_ended(found.lasts, last)}, {words.percent(found.share, 2)} of the run.",
        series,
        first_step=first,
        last_step=last,
        evidence={
            "usual": found.usual,
            "level": found.level,
            "share_of_run": found.share,
            "standard_errors": found.score,
        },
        confidence=0.9,
    )


def _by_the_clock(run: Run, slowdown: float) -> Finding:
    if run.with_role("batch-time", "train"):
        return skip("no throughput in this log; for the time of a step see slow-batch")
    series = run.main("loss", "train") or run.main("loss")
    known = pace(series.step, series.wall_time, series.attempt) if series is not None else None
    if series is None or known is None:
        return skip("neither a throughput nor the times of training steps in this log")
    n = len(known.steps)
    if n < _FEW:
        return inconclusive(
            f"cannot tell: the log has no throughput, and {words.plural(n, 'interval')} between "
            f"its records; {_FEW} are needed",
            series,
            evidence={"points": n, "points_needed": _FEW},
        )
    found = slowing(known, slowdown)
    if found is not None:
        return _slowed(series, found)
    if known.usual <= 0:
        return inconclusive("cannot tell: most records of this log share their time", series)
    return passed(
        f"By the times in the log a step takes a steady {_seconds(known.usual)}.",
        series,
        evidence={"seconds_per_step": known.usual, "points": n},
    )


def _seconds(value: float) -> str:
    return words.with_unit(value, "s") if value < 60 else words.duration(value)


def _slowed(series: Series, found: Slowing) -> Finding:
    first, last = int(series.step[found.first]), int(series.step[found.behind])
    cost = (found.slow - found.usual) * max(last - first, 0)
    certain = found.regular and found.score >= 8 and found.share >= 0.1 and cost >= _WORTH
    return fail(
        f"By the times in the log a step took {_seconds(found.slow)} instead of "
        f"{_seconds(found.usual)} from step {words.step(first)} on, "
        f"{_ended(found.lasts, last)}, {words.percent(found.share, 2)} of the run.",
        series,
        first_step=first,
        last_step=max(first, last),
        evidence={
            "usual_seconds": found.usual,
            "seconds": found.slow,
            "ratio": found.ratio,
            "share_of_run": found.share,
            "standard_errors": found.score,
        },
        severity=None if certain else "info",
        confidence=0.9 if certain else 0.6,
    )
