"""The rule ``saturated-activation``: activations at their limits."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.layers import Layer, fate_of_loss, in_layers, layers
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run
from trainlens.stats.layers import lasting_since

_MEANT_TO = re.compile(
    r"(^|[._/])(out|output|head|logits?|classifier|gates?|attn|attention|mask|last)\w*([._/]|$)",
    re.IGNORECASE,
)
"""Outputs and gates of a model that is sure of itself are saturated, and should be."""


@rule(
    "saturated-activation",
    severity="warning",
    about="model",
    source="SageMaker Debugger (half of a layer's sigmoid or tanh at their limits)",
)
def saturated_activation(
    run: Run, *, threshold: float = 0.5, share: float = 0.5, min_points: int = 3
) -> Iterator[Finding]:
    """Sigmoid or tanh units that lie at their limits, where they have no slope.

    Reads the share of saturated activations in each layer (saturated_fraction/LAYER), the median
    of the second half of the run. A layer counts above `threshold`; outputs, gates and attention
    are left out where there are others. A warning where `share` of the layers count, or where
    some do and the loss is flat; else an information.

    What to do: normalise the inputs and put a normalisation before the activation; initialise
    for it (Xavier); lower the learning rate; use ReLU or GELU within the network.

    Settings
    --------
    threshold : share of the activations
        Above it a layer counts.
    share : share of the layers
        That must count for a warning.
    min_points : points
        Fewer are not judged.
    """
    found = [x for x in layers(run, "saturation", whole=True) if _is_share(x)]
    found = [x for x in found if not _MEANT_TO.search(x.name)] or found
    if not found:
        yield skip("shares of saturated activations are not in this log")
        return
    points = max(len(x.series.finite) for x in found)
    if points < min_points:
        yield inconclusive(
            f"cannot tell: {words.plural(points, 'point')}; {min_points} are needed",
            found[0].series,
            evidence={"points": points, "points_needed": min_points},
        )
        return
    yield _judge(run, found, threshold, share)


def _is_share(layer: Layer) -> bool:
    value = layer.series.finite.value
    return float(value.min()) >= 0 and float(value.max()) <= 100


def _judge(run: Run, found: list[Layer], threshold: float, share: float) -> Finding:
    scale = [100.0 if float(x.series.finite.value.max()) > 1.0 else 1.0 for x in found]
    level = np.array([x.level() / unit for x, unit in zip(found, scale, strict=True)])
    part = float(np.mean(level >= threshold))
    worst = found[int(np.argmax(level))]
    evidence = {
        "layers": len(found),
        "saturated_layers": int(np.sum(level >= threshold)),
        "largest": float(level.max()),
        "threshold": threshold,
    }
    if part == 0:
        return passed(
            f"At most {words.percent(float(level.max()))} of the activations of a layer are "
            f"saturated ({worst.said}).",
            evidence=evidence,
        )
    flat = fate_of_loss(run) == "flat"
    bad = [x for x, v in zip(found, level, strict=True) if v >= threshold]
    curve = worst.series.finite
    above = curve.value / scale[found.index(worst)] >= threshold
    return fail(
        f"At least {words.percent(threshold)} of the activations are saturated "
        f"{in_layers(bad, len(found))}; "
        f"{words.percent(float(level.max()))} in {worst.said}"
        f"{', and the loss does not move' if flat else ''}.",
        worst.series,
        first_step=int(curve.step[lasting_since(above)]),
        last_step=int(curve.step[-1]),
        evidence=evidence,
        severity="warning" if flat or part >= share else "info",
        confidence=0.95 if flat else 0.85,
    )
