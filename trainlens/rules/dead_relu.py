"""The rule ``dead-relu``: units that put out nothing but zeros."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.layers import Layer, fate_of_loss, in_layers, layers
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run
from trainlens.stats.layers import lasting_since

_OF_ACTIVATIONS = re.compile("fraction_of_zero_values", re.IGNORECASE)
"""Zeros among single activations: 90 % of them are usual in a sparse layer that works."""
_SPARSE = 0.98


@rule(
    "dead-relu",
    severity="warning",
    about="model",
    source="AutoTrainer (a zero fraction of .7 in a layer), SageMaker Debugger (half of the units)",
)
def dead_relu(
    run: Run, *, dead: float = 0.7, units: float = 0.5, share: float = 0.5, min_points: int = 3
) -> Iterator[Finding]:
    """Layers most of whose units put out zeros for every input.

    Reads the share of such units in each layer (zero_fraction/LAYER), the median of the second
    half of the run. A fault where a layer is above `dead`, or where `share` of the layers are
    above `units`; a warning where at least a quarter of the layers are above `dead`, one is all
    but dead (95 %), `share` of them are above `units`, or the loss is flat, else an information.
    An error where every layer is dead. A dead unit gets no gradient, so it does not come back by
    itself. Of the share of zeros among all activations (fraction_of_zero_values), which is high
    in healthy sparse layers, only 98 % and more counts.

    What to do: lower the learning rate or warm it up (one large update is what kills units);
    leaky ReLU or GELU; Kaiming initialisation; normalisation before the activation.

    Settings
    --------
    dead : share of the units
        Above it a layer is dead.
    units : share of the units
        Above it a layer counts where many layers do.
    share : share of the layers
        That must be above `units`.
    min_points : points
        Fewer are not judged.
    """
    found = layers(run, "zero-fraction", whole=True)
    known = [(x, level) for x in found if (level := _level(x)) is not None]
    if not known:
        yield skip("shares of units that are always zero are not in this log")
        return
    points = max(len(x.series.finite) for x, _ in known)
    if points < min_points:
        yield inconclusive(
            f"cannot tell: {words.plural(points, 'point')}; {min_points} are needed",
            known[0][0].series,
            evidence={"points": points, "points_needed": min_points},
        )
        return
    yield _judge(run, known, dead, units, share)


def _level(layer: Layer) -> float | None:
    """Share of dead units in the second half of the log, None where it is no share."""
    value = layer.series.finite.value
    if float(value.min()) < 0 or float(value.max()) > 100:
        return None
    level = layer.level() / (100.0 if float(value.max()) > 1.0 else 1.0)
    if _OF_ACTIVATIONS.search(layer.series.metric):
        return level if level >= _SPARSE else 0.0
    return level


def _judge(
    run: Run, known: list[tuple[Layer, float]], dead: float, units: float, share: float
) -> Finding:
    level = np.array([v for _, v in known])
    gone, many = float(np.mean(level >= dead)), float(np.mean(level >= units))
    worst, top = known[int(np.argmax(level))]
    evidence = {
        "layers": len(known),
        "dead_layers": int(np.sum(level >= dead)),
        "layers_half_dead": int(np.sum(level >= units)),
        "largest": top,
        "median": float(np.median(level)),
    }
    if gone == 0 and many < share:
        return passed(
            f"At most {words.percent(top)} of the units of a layer are always zero ({worst.said}).",
            evidence=evidence,
        )
    flat = fate_of_loss(run) == "flat"
    serious = flat or gone >= 0.25 or many >= share or top >= 0.95
    limit = dead if gone else units
    where = in_layers([x for x, v in known if v >= limit], len(known))
    curve = worst.series.finite
    every = bool((level >= dead).all())
    return fail(
        f"At least {words.percent(limit)} of the units put out only zeros {where}; "
        f"{words.percent(top)} in {worst.said}{', and the loss does not move' if flat else ''}.",
        worst.series,
        first_step=_since(worst, limit),
        last_step=int(curve.step[-1]),
        evidence=evidence,
        severity="error" if every and flat else "warning" if serious else "info",
        confidence=0.95 if serious else 0.8,
    )


def _since(layer: Layer, limit: float) -> int:
    """Step since which the share has been above the limit."""
    curve = layer.series.finite
    value = curve.value / (100.0 if float(curve.value.max()) > 1.0 else 1.0)
    return int(curve.step[lasting_since(value >= limit)])
