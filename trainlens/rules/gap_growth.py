"""The rule ``gap-growth``: training improves, validation does not follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.detect.curves import curve_of
from trainlens.rules.base import Finding, Status, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats, condense
from trainlens.stats.gains import Gain, bent, gain
from trainlens.stats.noise import median

LEAST = 10
"""Fewer matched evaluations than this show no trend of a gap."""


@rule(
    "gap-growth",
    severity="info",
    about="validation",
    source="hand-pose seed (generalization gap of +57.5 mm); gap and validation judged apart",
)
def gap_growth(
    run: Run,
    *,
    least_widening: float = 0.05,
    follow: float = 0.25,
    z: float = 2.6,
    wide: float = 0.35,
    early: float = 0.15,
) -> Iterator[Finding]:
    """The gap between validation and training widens while validation stays flat.

    The training value at an evaluation is the mean of its points within half an evaluation
    interval. Over the last half, or the last three quarters, of the evaluations the gap must have
    widened by `least_widening` of the validation level and `z` standard errors, and validation
    have gained less than `follow` of that. Where validation gets worse, that is ``overfitting``.
    It is a warning where the gap has widened by `wide` of the validation level, else a note. A
    note as well where dropout acts from the first record on and the gap is at least `early` of the
    validation level in the first fifth of the evaluations already, and over all of them: the usual
    median of each.

    What it means: the model still fits the training data better, and nothing of it carries over.
    No harm by itself; further training is unlikely to pay. What to do: stop, or regularise.

    Settings
    --------
    least_widening : share of the validation level
        By which the gap must have widened.
    follow : share of the widening
        From this gain of validation on, validation follows.
    z : standard errors
        What the widening must exceed as well.
    wide : share of the validation level
        A widening from which on it is a warning.
    early : share of the validation level
        A gap that is told where it is there from the start, under dropout.
    """
    pairs = _pairs(run)
    if not pairs:
        yield skip(_why_none(run))
        return
    dropout = _dropout(run)
    for val, train in pairs:
        found = _judge(val, train, least_widening, follow, z, wide)
        if found.status is Status.PASS and dropout > 0:
            found = _from_the_start(val, _match(val, train), early, dropout) or found
        yield found


def _pairs(run: Run) -> list[tuple[Series, Series]]:
    found = []
    loss = run.main("loss", "val") or run.main("loss", "test")
    if loss is not None:
        train = run.series.get((loss.metric, "train")) or run.main("loss", "train")
        if train is not None and len(train):
            found.append((loss, train))
    for val in run.with_role("metric", "val"):
        twin = run.series.get((val.metric, "train"))
        if twin is not None and len(twin) and val.role.direction:
            found.append((val, twin))
    return found


def _why_none(run: Run) -> str:
    if run.main("loss", "val") is None and run.main("loss", "test") is None:
        return "no validation loss in this log"
    return "no training loss in this log"


@dataclass(frozen=True)
class _Matched:
    """Validation and training at the same steps, lower being better, in units of validation."""

    step: Floats
    val: Floats
    train: Floats


def _match(val: Series, train: Series) -> _Matched:
    """Training around each evaluation; evaluations without any training point near are left out."""
    v, t = val.finite, train.finite
    at, place = v.step.astype(np.float64), t.step.astype(np.float64)
    both = np.concatenate([v.value, t.value])
    if len(v) < 2 or len(t) < 1:
        return _Matched(at[:0], at[:0], at[:0])
    unit = float(np.max(np.abs(both)))
    both = both / (unit or 1.0)
    sign = -1.0 if val.role.direction == "max" else 1.0
    level, mean = both[: len(v)] * sign, both[len(v) :] * sign
    half = max(median(at[1:] - at[:-1]), _interval(place)) / 2
    a, b = np.searchsorted(place, at - half), np.searchsorted(place, at + half, "right")
    near = b > a
    total = np.concatenate([[0.0], np.cumsum(mean)])
    train_level = (total[b[near]] - total[a[near]]) / (b - a)[near]
    scale = _scale(level[near])
    return _Matched(at[near], level[near] / scale, train_level / scale)


def _interval(place: Floats) -> float:
    return median(place[1:] - place[:-1]) if len(place) > 1 else 0.0


def _scale(level: Floats) -> float:
    if not len(level):
        return 1.0
    crossing = float(level.min()) <= 0.0 <= float(level.max())
    size = float(np.ptp(level)) if crossing else median(np.abs(level))
    return size if size > 0 else 1.0


def _dropout(run: Run) -> float:
    """Dropout rate where dropout acts from the first record on, else 0."""
    first, last = run.steps or (0, 0)
    for series in run.with_role("dropout", "train"):
        rate = series.finite
        if len(rate) and rate.step[0] <= first + 0.02 * (last - first):
            return float(rate.value[0])
    return 0.0


def _judge(
    val: Series, train: Series, least_widening: float, follow: float, z: float, wide: float
) -> Finding:
    matched = _match(val, train)
    if len(matched.step) < LEAST:
        return inconclusive(
            f"cannot tell: {words.plural(len(matched.step), 'evaluation')} with a training value "
            f"at the same step; {LEAST} are needed to see a gap widen",
            val,
            evidence={"matched": len(matched.step), "matched_needed": LEAST},
        )
    curve = val.finite
    worse = curve_of(curve, val.role.direction).rise()
    if worse is not None and worse.significant and worse.value > 0.02:
        return skip(f"{val.split} {val.metric} gets worse: see overfitting", val)
    for start in (0.5, 0.25):
        found = _widening(matched, start, least_widening, follow, z)
        if found is not None:
            return _widens(val, curve, matched, start, *found, wide)
    gap = median((matched.val - matched.train)[-5:])
    return passed(
        f"The gap between validation and training is steady, at {words.percent(gap, 2)} of the "
        "validation level.",
        val,
        evidence={"gap_share": gap, "matched": len(matched.step)},
    )


def _widening(
    m: _Matched, start: float, least: float, follow: float, z: float
) -> tuple[float, Gain] | None:
    a = int(start * len(m.step))
    x, gap = condense(m.step[a:], (m.val - m.train)[a:])
    _, val = condense(m.step[a:], m.val[a:])
    wider, better = gain(x, gap, x[0], x[-1]), gain(x, val, x[0], x[-1])
    if wider is None or better is None:
        return None
    wider = bent(x, gap, x[0], x[-1], wider)  # a gap that opens ever faster, or levels off
    grown = -wider.value
    k = max(1, len(m.step[a:]) // 8)
    end = median((m.val - m.train)[-k:])
    if end < least:
        return None  # validation no worse than training: a gap that closes from below
    if grown < least or wider.upper(z) > 0 or better.value > follow * grown:
        return None
    return grown, better


def _from_the_start(val: Series, m: _Matched, least: float, dropout: float) -> Finding | None:
    """A note where the gap is wide from the first fifth of the evaluations on."""
    gap = m.val - m.train
    share = gap / np.maximum(m.val, 1e-12) if bool(np.all(m.val > 0)) else gap
    k = max(3, len(gap) // 5)
    first, whole = median(share[:k]), median(share)
    if min(first, whole) < least:
        return None
    return fail(
        f"{val.split} {val.metric} lags far behind training from the start: the gap is "
        f"{words.percent(first, 2)} of the validation level up to step "
        f"{words.step(int(m.step[k - 1]))}, {words.percent(whole, 2)} over the whole run, and "
        f"dropout acts from the first step (rate {words.number(dropout, 2)}).",
        val,
        first_step=int(m.step[0]),
        last_step=int(m.step[k - 1]),
        evidence={
            "gap_share_early": first,
            "gap_share": whole,
            "dropout": dropout,
            "matched": len(gap),
        },
        confidence=0.6,
    )


def _widens(
    val: Series, curve: Series, m: _Matched, start: float, grown: float, better: Gain, wide: float
) -> Finding:
    a = int(start * len(m.step))
    first, last = int(m.step[a]), int(m.step[-1])
    gap = m.val - m.train
    k = max(1, (len(gap) - a) // 8)
    before, after = median(gap[a : a + k]), median(gap[-k:])
    moved = words.percent(abs(better.value), 2)
    change = f"gained {moved}" if better.value > 0 else f"lost {moved}"
    return fail(
        f"The gap between {val.split} and train {val.metric} widened from "
        f"{words.percent(before, 2)} to {words.percent(after, 2)} of the validation level since "
        f"step {words.step(first)}, while validation {change}.",
        val,
        first_step=first,
        last_step=last,
        evidence={
            "gap_share_before": before,
            "gap_share_after": after,
            "widened_by": grown,
            "validation_gain": better.value,
            "level": median(curve.value),
            "matched": len(m.step),
        },
        severity="warning" if grown >= wide else None,
        confidence=0.9,
    )
