"""The rule ``missing-warmup``: trouble at the start of a run whose rate starts at its peak."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.detect.rates import planned_total, schedule_of
from trainlens.rules._rates import NO_RATE, described
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.drawups import blocks_of, drawup
from trainlens.stats.noise import median, robust_scale
from trainlens.stats.trend import scale_free

_LEAST = 8
_TOP = 3
"""Points to a median that a single point is compared with."""


@dataclass(frozen=True)
class _Trouble:
    """What went wrong at the start, in words, where, and by how much."""

    said: str
    first: int
    last: int
    size: float


@rule(
    "missing-warmup",
    severity="warning",
    about="optimizer",
    source="Quad-modal and DECODE seeds (warmup); the trouble is asked for, and must be twice "
    "what the rest of the run shows",
)
def missing_warmup(
    run: Run, *, early: float = 0.05, least_rise: float = 0.25, times: float = 2.0
) -> Iterator[Finding]:
    """The learning rate starts at its peak, and the first steps go wrong.

    Many runs need no warmup (SGD, fine-tuning), so one without it is only blamed where the share
    `early` of the training shows what a warmup prevents: the loss turns non-finite, rises by
    `least_rise` (0.25 is 28 %), or the gradient norm leaps to 10 times its first and later values;
    and that `times` what the rest of the run shows. A rise from the very first point on must be
    twice as high, unless the gradient norm leaps with it. A rate that is still within 80 % of its
    peak is watched up to 30 % of the run for a loss that rises and never comes back.

    What to do: warm the learning rate up over some 5 % of the run, 100 steps at least; or lower
    its peak, or clip the gradient norm.

    Settings
    --------
    early : share of the training
        That is watched for what a warmup prevents.
    least_rise : natural logarithm
        By which the loss must rise there; 0.25 is 28 %.
    times : times
        By which that must exceed what the rest of the run shows.
    """
    series = run.main("learning-rate")
    if series is None:
        yield skip(NO_RATE)
        return
    curve = series.finite
    if len(curve) < 3:
        yield inconclusive(
            f"cannot tell: {words.plural(len(curve), 'point')} of {series.metric}; 3 are needed",
            series,
            evidence={"points": len(curve), "points_needed": 3},
        )
        return
    yield _judge(run, series, curve, early, least_rise, times)


def _judge(
    run: Run, series: Series, curve: Series, early: float, least_rise: float, times: float
) -> Finding:
    peak, start = float(curve.value.max()), float(curve.value[0])
    first, last = curve.span
    whole = float(planned_total(run, curve) or last)
    opening = float(curve.value[curve.step <= first + 0.2 * (last - first)].max())
    if not peak > 0:
        return skip(f"{series.metric} is zero throughout", series)
    if start < 0.8 * opening:
        found = schedule_of(series)
        if found.warmup:
            return passed(described(found, last), series, evidence={"warmup_steps": found.warmup})
        return passed(f"The learning rate starts low, at {words.number(start, 3)}.", series)
    if first < 0 or first > max(0.02 * whole, 1):
        return skip(
            f"the log begins at step {words.step(first)}: a warmup could lie before it", series
        )
    end = first + early * max(whole - first, 1.0)
    full = _full_speed(curve, first + 0.3 * max(whole - first, 1.0))
    trouble = _trouble(run, end, full, least_rise, times)
    if trouble is None:
        return passed(
            f"No warmup, and none was missed: the rate starts at {words.number(start, 3)} and the "
            f"first {words.percent(early)} of the run shows no trouble.",
            series,
            evidence={"start_share": start / peak},
        )
    return fail(
        f"No warmup: the learning rate starts at {words.number(start, 3)}, "
        f"{words.percent(start / opening, 2)} of its peak, and {trouble.said}.",
        series,
        first_step=min(first, trouble.first),
        last_step=max(trouble.last, first),
        evidence={"start_share": start / peak, "trouble": trouble.size},
        confidence=0.85,
    )


def _full_speed(curve: Series, end: float) -> float:
    """Last step up to `end` at which the rate is near its peak; -inf if it stays there."""
    low = np.flatnonzero(curve.value < 0.8 * float(curve.value.max()))
    return min(float(curve.step[low[0]]), end) if len(low) else -math.inf


def _trouble(run: Run, end: float, full: float, least_rise: float, times: float) -> _Trouble | None:
    loss, norm = run.main("loss", "train") or run.main("loss"), run.main("gradient-norm")
    leaps = norm.finite if norm is not None else None
    found = None
    if loss is not None:
        found = (
            _broken(loss, end)
            or _risen(loss.finite, end, least_rise, times)
            or _risen_at_once(loss.finite, leaps, end, least_rise, times)
            or _lost(loss.finite, full, least_rise)
        )
    return found or (_leapt(leaps, end, times) if leaps is not None else None)


def _broken(loss: Series, end: float) -> _Trouble | None:
    """Non-finite values at the start, where the rest has hardly any."""
    base = loss.effective
    bad = ~np.isfinite(base.value)
    # A run that broke for good did so within its first steps, whatever is left of it.
    for_good = bool(bad.any()) and bool(bad[int(np.argmax(bad)) :].all())
    early = base.step <= end
    if for_good and int(np.argmax(bad)) >= 2 and base.step[int(np.argmax(bad))] <= end:
        early = np.ones(len(bad), bool)
    count, later = int(bad[early].sum()), bad[~early]
    if not count or bad[: min(2, len(bad))].all():
        return None
    if len(later) and later.mean() > bad[early].mean() / 3:
        return None
    at = np.flatnonzero(bad & early)
    first, last = int(base.step[at[0]]), int(base.step[at[-1]])
    said = f"the loss is not finite at step {words.step(first)}"
    return _Trouble(said, first, last, float(count))


def _risen(loss: Series, end: float, least: float, times: float) -> _Trouble | None:
    count = int(loss.step.searchsorted(end, "right"))
    if count < _LEAST or count > 0.5 * len(loss):
        return None
    level = scale_free(loss.value)
    width = max(3, count // 8)
    head, rest = drawup(blocks_of(level[:count], width)), drawup(blocks_of(level[count:], width))
    if head.size < least or head.size < times * rest.size:
        return None
    low, high = int(loss.step[head.low * width]), int(loss.step[head.high * width])
    return _rise(head.size, rest.size, low, high)


def _rise(size: float, later: float, low: int, high: int) -> _Trouble:
    said = (
        f"the loss rises by {words.percent(math.expm1(min(size, 700.0)), 2)} by step "
        f"{words.step(high)}, {words.number(min(size / max(later, 1e-9), 999), 2)} times "
        "what it does later"
    )
    return _Trouble(said, low, high, size)


def _risen_at_once(
    loss: Series, norm: Series | None, end: float, least: float, times: float
) -> _Trouble | None:
    """A rise that leaves no time for a level before it: the first point is all there is of it.

    What a single point says is held against what single points and the medians of three after
    them do in the rest of the run.
    """
    count = int(loss.step.searchsorted(end, "right"))
    if count < _LEAST or count > 0.5 * len(loss):
        return None
    level = scale_free(loss.value)
    top = blocks_of(level[1:count], _TOP)
    high = int(np.argmax(top))
    size = float(top[high] - level[0])
    step = int(loss.step[1 + high * _TOP])
    leaps = norm is not None and _leaps_at_once(norm, end)
    if size < (least if leaps else 2 * least):
        return None
    rest = level[count:]
    tops = blocks_of(rest, _TOP)
    lows = np.minimum.accumulate(rest)[: len(tops) * _TOP : _TOP]
    later = float((tops - lows).max()) if len(tops) else 0.0
    back = float(median(rest[: 3 * count])) <= level[0] + 0.5 * size
    if not back or size < (1.0 if leaps else times) * later:
        return None
    return _rise(size, later, int(loss.step[0]), step)


def _leaps_at_once(norm: Series, end: float) -> bool:
    """Whether the gradient norm rises from its first point to 10 times that, and falls back."""
    count = int(norm.step.searchsorted(end, "right"))
    if count < _LEAST or count > 0.5 * len(norm):
        return False
    top = float(blocks_of(norm.value[1:count], _TOP).max())
    usual = max(float(norm.value[0]), median(norm.value[count:]))
    return usual > 0 and top / 10 >= usual


def _lost(loss: Series, end: float, least: float) -> _Trouble | None:
    """A fall, then a rise at full speed that is never made good."""
    count = int(loss.step.searchsorted(end, "right"))
    width = max(3, count // 12)
    if count < 3 * _LEAST or count > 0.5 * len(loss):
        return None
    level = scale_free(loss.value)
    head, rest = blocks_of(level[:count], width), blocks_of(level[count:], width)
    found = drawup(head)
    bottom = float(head[found.low])
    spread = robust_scale(level[found.low * width : (found.low + 1) * width])
    fell = float(head[0]) - bottom >= least
    up = found.size >= max(least, 3 * spread)
    if not (fell and up and len(rest) and float(rest.min()) >= bottom + 0.6 * found.size):
        return None
    low, high = int(loss.step[found.low * width]), int(loss.step[found.high * width])
    said = (
        f"the loss falls, rises by {words.percent(math.expm1(min(found.size, 700.0)), 2)} from "
        f"step {words.step(low)} to {words.step(high)}, while the rate is still near its peak, "
        "and never comes back"
    )
    return _Trouble(said, low, high, found.size)


def _leapt(norm: Series, end: float, times: float) -> _Trouble | None:
    count = int(norm.step.searchsorted(end, "right"))
    if count < _LEAST or count > 0.5 * len(norm):
        return None
    head, rest = norm.value[:count], norm.value[count:]
    at = int(np.argmax(head))
    top = float(head[at])
    usual = max(median(head[:3]), median(rest))
    if not usual > 0 or top / 10 < usual or top / times < float(rest.max()):
        return None
    near = head[max(0, at - 2) : at + 3]
    if np.count_nonzero(near > 5 * usual) < 2:  # one batch is no start
        return None
    said = (
        f"the gradient norm leaps to {words.number(top, 3)} at step "
        f"{words.step(int(norm.step[at]))}, {words.number(min(top / usual, 1e6), 2)} times its "
        "usual value"
    )
    return _Trouble(said, int(norm.step[at]), int(norm.step[at]), min(top / usual, 1e12))
