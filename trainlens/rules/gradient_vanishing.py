"""The rule ``gradient-vanishing``: a gradient too small to train with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from trainlens import words
from trainlens.detect.layers import (
    Layer,
    fate_of_loss,
    gradient_norm,
    layers,
    rewarded,
    warming_up,
)
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.gains import gain
from trainlens.stats.layers import is_weight, rank_correlation, resolution
from trainlens.stats.noise import median, second_difference_noise
from trainlens.stats.stretches import steady_levels
from trainlens.stats.trend import relative, scale_free

_SOLVED = 0.2
"""A loss below this share of what it was while the gradient was of its usual size has gone on."""
_NOISELESS = 1e-4
"""Relative noise of a loss below this is that of full-batch training."""


@rule(
    "gradient-vanishing",
    severity="warning",
    about="optimizer",
    requires=("non-finite",),
    source="Diffold seed; per layer AutoTrainer (first / last below 1e-3)",
)
def gradient_vanishing(
    run: Run,
    *,
    decay: float = 1e-3,
    tiny: float = 1e-5,
    layer_ratio: float = 1e-3,
    min_points: int = 20,
) -> Iterator[Finding]:
    """The gradient all but disappears while there is still something to learn.

    Three signs: the norm falls to `decay` of its usual level and stays there, but the loss does
    not follow it down; the norm is below `tiny`, and below `tiny` times the loss, from the start
    and the loss is flat; or, where norms of layers are logged, the first layer gets less than
    `layer_ratio` of the gradient of the last. A norm that shrinks with the loss is that of a run
    that converges. Layers are a fault only where the loss is flat: normalised updates (Adam) may
    train the first ones all the same.

    What to do: check that the loss is connected to the parameters (no detach, no saturated
    output), then activations and initialisation (ReLU or GELU, Kaiming, normalisation, residual
    connections), then the learning rate that killed the units.

    Settings
    --------
    decay : share of the usual norm
        To which it must fall and stay.
    tiny : unit of the norm
        What a norm is below from the start.
    layer_ratio : times
        Norm of the first layer over that of the last, below which it is told.
    min_points : points
        Fewer are not judged.
    """
    series = gradient_norm(run)
    if series is None:
        yield skip("no gradient norm in this log")
        return
    curve = series.finite
    if len(curve) < min_points:
        yield inconclusive(
            f"cannot tell: {words.plural(len(curve), 'gradient norm')}; {min_points} are needed",
            series,
            evidence={"points": len(curve), "points_needed": min_points},
        )
        return
    if float(curve.value.min()) < 0:
        yield skip(f"{series.metric} is no norm: it has values below 0", series)
        return
    found = _from_start(run, curve, tiny) or _decayed(run, curve, decay)
    depth = _through_layers(run, layer_ratio)
    if depth is None or (found is not None and found.failed):
        yield found or _in_order(curve)
        return
    yield depth


def _in_order(curve: Series) -> Finding:
    level, last = median(curve.value), median(curve.value[-max(3, len(curve) // 20) :])
    return passed(
        f"The gradient norm ends at {words.number(last)}, its median is {words.number(level)}.",
        curve,
        evidence={"median": level, "last": last, "points": len(curve)},
    )


def _from_start(run: Run, curve: Series, tiny: float) -> Finding | None:
    """A gradient of nearly nothing in the whole log, and a loss that has not moved."""
    loss = run.main("loss", "train") or run.main("loss")
    if loss is None or not len(loss.finite):
        return None
    size = median(np.abs(loss.finite.value))
    top = float(np.quantile(curve.value, 0.9))
    # A log may sum the loss and average the gradient, or scale one of them: small must be both.
    limit = tiny * min(size, 1.0)
    if not top <= limit or size == 0 or rewarded(run):
        return None
    fate = fate_of_loss(run)
    if fate == "fell":
        return None
    if warming_up(run):
        return inconclusive(
            "the gradient is tiny and the loss flat, but the learning rate still warms up", curve
        )
    level = median(curve.value)
    if fate != "flat" and top > 0.01 * limit:
        return inconclusive(
            f"the gradient norm is {words.number(level)}, little for a loss of "
            f"{words.number(size)}, but at this noise it cannot be seen whether the loss moves",
            curve,
        )
    moves = "does not move" if fate == "flat" else "does not fall by more than its noise"
    return fail(
        f"The gradient norm is {words.number(level)} from the start, "
        f"{words.number(level / size, 2)} times the loss of {words.number(size)}, and the loss "
        f"{moves}: hardly any gradient reaches the parameters.",
        curve,
        first_step=int(curve.step[0]),
        last_step=int(curve.step[-1]),
        evidence={"norm": level, "loss": size, "points": len(curve)},
        severity="error" if fate == "flat" else "warning",
        confidence=0.95 if fate == "flat" else 0.8,
    )


@dataclass(frozen=True)
class _Decay:
    """Where a norm left its usual level for good."""

    usual: float
    last: float
    good: tuple[int, int]
    low: int

    @classmethod
    def of(cls, value: Floats, share: float) -> _Decay | None:
        level, edge = steady_levels(value, least=3)
        # A level counts that was held for a while; the first steps may be far above it.
        usual = float(sliding_window_view(level, max(2, len(level) // 12)).min(axis=1).max())
        above = np.flatnonzero(level > share * usual)
        first = int(above[-1]) + 1 if len(above) else len(level)
        if (
            usual == 0.0
            or share * usual < resolution(value)
            or len(level) - first < max(2, round(0.06 * len(level)))
        ):
            return None
        good = int(np.flatnonzero(level >= 0.3 * usual)[-1])
        last = median(value[edge[first] :])
        return cls(
            usual, last, (int(edge[max(good - 2, 0)]), int(edge[good + 1])), int(edge[first])
        )


def _decayed(run: Run, curve: Series, share: float) -> Finding | None:
    fell = _Decay.of(curve.value, share)
    if fell is None:
        return None
    first, last = int(curve.step[fell.low]), int(curve.step[-1])
    evidence = {"usual": fell.usual, "level": fell.last, "points": len(curve)}
    said = (
        f"The gradient norm fell from its usual {words.number(fell.usual)} to "
        f"{words.number(fell.last)} by step {words.step(first)} and stays there"
    )
    loss = run.main("loss", "train") or run.main("loss")
    if loss is None or rewarded(run):
        return inconclusive(
            f"{said}; without a loss in the log this may be convergence", curve, evidence=evidence
        )
    good, rest = (int(curve.step[fell.good[0]]), int(curve.step[fell.good[1] - 1])), loss.finite
    before = rest.value[(rest.step >= good[0]) & (rest.step <= good[1])]
    after = rest.value[rest.step >= first]
    if len(before) < 2 or len(after) < 3:
        return inconclusive(f"{said}; too few losses tell what came of it", curve)
    then, now = median(before), median(after[-max(3, len(after) // 2) :])
    evidence |= {"loss_before": then, "loss_after": now}
    # Norms that are large at the very start only are those of any run that begins to learn.
    early = fell.good[1] <= 0.12 * len(curve)
    if not (then > 0 and now > (0.9 if early else _SOLVED) * then):
        return passed(
            f"The gradient norm shrinks to {words.number(fell.last)} as the loss does, "
            f"to {words.number(now)}: it converges.",
            curve,
            evidence=evidence,
        )
    tail = rest.take(np.flatnonzero(rest.step >= first))
    tail = tail.take(np.arange(len(tail) // 3, len(tail)))
    still = gain(relative(tail.step), scale_free(tail.value), 0.0, 1.0)
    if still is not None and still.lower(3.0) > 0.01:
        return passed(f"{said}, while the loss goes on falling.", curve, evidence=evidence)
    if now < then and _noiseless(rest.value[rest.step < first], after):
        return inconclusive(
            f"{said}, at a loss of {words.number(now)}; in training without noise that may be "
            "the minimum",
            curve,
            evidence=evidence,
        )
    return fail(
        f"{said}, but the loss is at {words.number(now)}, it was {words.number(then)} before: "
        "training has stopped without having solved anything.",
        curve,
        first_step=first,
        last_step=last,
        evidence=evidence,
        severity="error",
        confidence=0.9,
    )


def _noiseless(before: Floats, after: Floats) -> bool:
    """Whether a loss has no noise, in one of two stretches at least."""
    known = [np.log(v[v > 0]) for v in (before, after)]
    known = [v for v in known if len(v) >= 5]
    if known and _wanders(known[-1]):
        return False
    return any(
        second_difference_noise(v) < _NOISELESS or (len(v) >= 10 and bool((v[1:] < v[:-1]).all()))
        for v in known
    )


def _wanders(level: Floats) -> bool:
    """Whether a curve goes up as well as down, as means over an epoch so far do."""
    change = level[1:] - level[:-1]
    up, down = int((change > 0).sum()), int((change < 0).sum())
    return min(up, down) > 0.2 * (up + down) and float(np.ptp(level)) > 10 * _NOISELESS


def _through_layers(run: Run, ratio: float) -> Finding | None:
    """Whether the gradient is lost on its way from the last layers to the first."""
    found = layers(run, "gradient-norm")
    found = [x for x in found if is_weight(x.name)] or found
    known = [(x, level) for x in found if (level := x.level()) > 0 and len(x.series.finite) >= 5]
    if len(known) < 3 or (run.main("loss", "train") or run.main("loss")) is None:
        return None
    norms = np.array([v for _, v in known])
    head = max(1, len(norms) // 8)
    # Logarithms: the quotient of two norms may fit no float.
    first, last = median(np.log(norms[:head])), median(np.log(norms[-head:]))
    if first - last >= np.log(ratio) or (len(norms) >= 4 and rank_correlation(norms) < 0.6):
        return None
    return _lost(run, [x for x, _ in known], norms, float(np.exp(first - last)))


def _lost(run: Run, found: list[Layer], level: Floats, ratio: float) -> Finding:
    fate = fate_of_loss(run)
    series = found[0].series.finite
    because = {
        "flat": "and the loss does not move",
        "fell": "though the loss falls",
        "": "and it cannot be seen whether the loss falls",
    }[fate]
    severity = {"flat": "error", "fell": "info", "": "info"}[fate]
    if fate == "flat" and warming_up(run):
        severity = "info"
    half = series.step[len(series) // 2]
    return fail(
        f"The gradient gets lost on its way back: {found[0].name} gets "
        f"{words.number(float(level[0]))}, {found[-1].name} {words.number(float(level[-1]))} "
        f"({words.number(ratio, 2)} of it arrives), {because}.",
        series,
        first_step=int(half),
        last_step=int(series.step[-1]),
        evidence={
            "first_layer": float(level[0]),
            "last_layer": float(level[-1]),
            "ratio": ratio,
            "layers": len(found),
        },
        severity=severity,
        confidence=0.9 if fate == "flat" else 0.75,
    )
