"""The rule ``update-ratio``: updates too large or too small for the weights they change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.detect.layers import (
    Layer,
    fate_of_loss,
    in_layers,
    layers,
    learning_rate_at,
    warming_up,
)
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run
from trainlens.stats.layers import is_weight
from trainlens.stats.noise import median


@rule(
    "update-ratio",
    severity="warning",
    about="optimizer",
    requires=("non-finite",),
    source="the rule of thumb that an update is a thousandth of its weights (Karpathy), two "
    "decades around it; SageMaker Debugger's limits are 1e-8 and 10",
)
def update_ratio(
    run: Run,
    *,
    smallest: float = 1e-5,
    largest: float = 0.1,
    share: float = 0.5,
    min_points: int = 10,
) -> Iterator[Finding]:
    """Size of an update relative to the weights, lastingly outside of what training needs.

    Reads |update| / |weights| of each layer (update_ratio/LAYER), or its logarithm to base 10.
    A layer is judged by its median over the part of the log in which the learning rate is at
    least half of its peak, so that neither warm-up nor decay counts; biases, normalisations and
    layers that do not change at all are left out. Above `largest` the weights are replaced every
    few steps: a warning where `share` of the layers are, else an information. Below `smallest`
    hardly anything changes: a warning where `share` of the layers are and the loss is flat, or too
    noisy to tell while all updates in a row come to less than 0.1 % of the weights.

    What to do: scale the learning rate by what is missing to 1e-3; give layers of their own a
    group of their own; clip the gradient where single updates are the large ones.

    Settings
    --------
    smallest : update over weights
        Below it hardly anything changes.
    largest : update over weights
        Above it the weights are replaced every few steps.
    share : share of the layers
        Outside of the two: from there on it is a warning.
    min_points : points
        Fewer are not judged.
    """
    found = layers(run, "update-ratio", whole=True)
    found = [x for x in found if is_weight(x.name)] or found
    if not found:
        yield skip("sizes of updates relative to the weights are not in this log")
        return
    logs = _logarithms(found)
    known = [k for x in found if (k := _known(run, x, min_points, logs)) is not None]
    if not known:
        moving = any(bool(x.series.finite.value.any()) for x in found)
        yield inconclusive(
            f"cannot tell: fewer than {min_points} update ratios at half the peak of the learning "
            "rate or more" if moving else "the update ratio is 0 throughout: nothing is updated",
            found[0].series,
        )  # fmt: skip
        return
    yield _judge(run, known, smallest, largest, share)


@dataclass(frozen=True)
class _Known:
    layer: Layer
    level: float
    low: float
    high: float
    first: int
    last: int


def _logarithms(found: list[Layer]) -> bool:
    """Whether the log holds logarithms: ratios themselves are never below 0."""
    lowest = min(float(x.series.finite.value.min()) for x in found)
    return -30 <= lowest < 0 and max(float(x.series.finite.value.max()) for x in found) <= 6


def _known(run: Run, layer: Layer, least: int, logs: bool) -> _Known | None:
    """Logarithms to base 10 of a layer's ratios, where the learning rate is high."""
    curve = layer.series.finite
    good = learning_rate_at(run, curve) >= 0.5
    if not logs:
        good &= curve.value > 0
    at = np.flatnonzero(good)
    if len(at) < least:
        return None
    value = curve.value[at] if logs else np.log10(curve.value[at])
    low, top = np.quantile(value, [0.2, 0.8]).tolist()
    late = median(value[len(value) // 2 :])
    first, last = int(curve.step[at[0]]), int(curve.step[at[-1]])
    return _Known(layer, late, low, top, first, last)


def _judge(run: Run, known: list[_Known], smallest: float, largest: float, share: float) -> Finding:
    few, many = np.log10(smallest), np.log10(largest)
    # Lasting: most points of the run and of its second half lie beyond.
    over = [k for k in known if k.level > many and k.low > many - 0.3]
    under = [k for k in known if k.level < few and k.high < few]
    if len(over) >= max(1, len(under)):
        part = len(over) / len(known)
        return _beyond(over, known, "above", largest, "warning" if part >= share else "info", "")
    if under:
        return _under(run, under, known, smallest, share)
    levels = np.array([k.level for k in known])
    middle = 10.0 ** median(levels)
    return passed(
        f"Updates are {words.number(middle, 2)} of the weights in the median layer, from "
        f"{words.number(10.0 ** float(levels.min()), 2)} to "
        f"{words.number(10.0 ** float(levels.max()), 2)}.",
        known[0].layer.series,
        evidence={"median": middle, "layers": len(known)},
    )


def _under(
    run: Run, under: list[_Known], known: list[_Known], smallest: float, share: float
) -> Finding:
    fate = fate_of_loss(run)
    if fate != "fell" and warming_up(run):
        return inconclusive("updates are tiny, but the learning rate still warms up")
    most = len(under) >= share * len(known)
    # Whatever the noise of the loss: so many such updates in a row move nothing.
    way = max(10.0 ** min(k.high, 0.0) * (k.last - k.first + 1) for k in under)
    moves = fate == "fell" or (fate == "" and way > 1e-3)
    severity = "warning" if most and not moves else "info"
    end = {
        "flat": ", and the loss does not move",
        "fell": ", though the loss falls",
        "": "" if moves else ": all of them together change the weights by less than 0.1 %",
    }[fate]
    return _beyond(under, known, "below", smallest, severity, end)


def _beyond(
    beyond: list[_Known], known: list[_Known], side: str, limit: float, severity: str, end: str
) -> Finding:
    pick = max if side == "above" else min
    worst = pick(beyond, key=lambda k: k.level)
    where = in_layers([k.layer for k in beyond], len(known))
    ratio = 10.0**worst.level if worst.level < 300 else float("inf")
    return fail(
        f"Updates stay {side} {words.number(limit)} of the weights {where}; "
        f"{words.number(ratio, 2)} in {worst.layer.said}{end}.",
        worst.layer.series,
        first_step=worst.first,
        last_step=worst.last,
        evidence={
            "ratio": min(ratio, 1e300),
            "median": min(10.0 ** min(median(np.array([k.level for k in beyond])), 300.0), 1e300),
            "layers_beyond": len(beyond),
            "layers": len(known),
            "limit": limit,
        },
        severity=severity,
        confidence=0.9 if severity == "warning" else 0.8,
    )
