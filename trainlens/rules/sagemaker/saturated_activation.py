"""``saturated-activation`` of the sagemaker profile: SaturatedActivation of SageMaker Debugger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from trainlens import words
from trainlens.rules.base import Finding, inconclusive, rule, skip
from trainlens.rules.sagemaker._ranges import ranges
from trainlens.rules.sagemaker._steps import DOCUMENTED, Looked, finite, shares, told
from trainlens.run import Run

_INPUTS = {kind: rf"{kind}[\w./-]*?[/._](?=min|max)" for kind in ("tanh", "sigmoid")}


@dataclass(frozen=True)
class _Limits:
    tanh: tuple[float, float]
    sigmoid: tuple[float, float]

    def of(self, kind: str) -> tuple[float, float]:
        return self.tanh if kind == "tanh" else self.sigmoid


@rule(
    "saturated-activation",
    profile="sagemaker",
    severity="warning",
    about="model",
    source=f"{DOCUMENTED}: SaturatedActivation (gradients of tanh and sigmoid below 1e-7)",
)
def saturated_activation(
    run: Run,
    *,
    threshold_tanh_min: float = -9.4999,
    threshold_tanh_max: float = 9.4999,
    threshold_sigmoid_min: float = -23.0,
    threshold_sigmoid_max: float = 16.99999,
    threshold_layer: float = 50.0,
) -> Iterator[Finding]:
    """SaturatedActivation: more than half of the tanh or sigmoid units of a layer are saturated.

    SageMaker Debugger counts the inputs of each unit outside of -9.4999 to 9.4999 (tanh) or -23 to
    16.99999 (sigmoid). Logs hold, at best, the share of saturated units (saturated_fraction/LAYER),
    which fires above `threshold_layer` per cent at a single point, or the smallest and the largest
    input of a layer (tanh_input/min and tanh_input/max, sigmoid_input_min ...): it fires where
    both lie beyond the same limit, so that every unit does. Where only one of them does, nobody
    can tell how many units that are.

    Settings
    --------
    threshold_tanh_min : unit of the inputs
        Below it a tanh is saturated.
    threshold_tanh_max : unit of the inputs
        Above it a tanh is saturated.
    threshold_sigmoid_min : unit of the inputs
        Below it a sigmoid is saturated.
    threshold_sigmoid_max : unit of the inputs
        Above it a sigmoid is saturated.
    threshold_layer : % of the units
        Above it a layer is a fault.
    """
    limits = _Limits(
        (threshold_tanh_min, threshold_tanh_max), (threshold_sigmoid_min, threshold_sigmoid_max)
    )
    asked = [*_by_share(run, threshold_layer), *_by_extremes(run, limits)]
    if not asked:
        yield skip("neither shares of saturated units nor extremes of their inputs in this log")
    yield from asked


def _by_share(run: Run, threshold: float) -> Iterator[Finding]:
    looked = [
        Looked(s, percent > threshold, percent)
        for s in finite(run, "saturation")
        if (percent := shares(s)) is not None
    ]
    if looked:
        yield told(
            looked,
            lambda name, value: f"{name} is {words.number(value)} %",
            f"In no layer are more than {words.number(threshold)} % of the units saturated.",
            {"threshold_layer": threshold},
        )


def _by_extremes(run: Run, limits: _Limits) -> Iterator[Finding]:
    for kind, pattern in _INPUTS.items():
        least, most = limits.of(kind)
        looked, touched = [], []
        for low, high in ranges(run, pattern, "min|minimum", "max|maximum"):
            looked.append(Looked(low, (low.value > most) | (high.value < least)))
            touched.append(bool(((low.value < least) | (high.value > most)).any()))
        if not looked:
            continue
        finding = told(
            looked,
            partial(_all_beyond, kind),
            f"No layer has all inputs of {kind} outside of {words.number(least)} to "
            f"{words.number(most)}.",
            {"threshold_min": least, "threshold_max": most},
        )
        if any(touched) and not finding.failed:
            yield inconclusive(
                f"cannot tell: some inputs of {kind} lie outside of {words.number(least)} to "
                f"{words.number(most)}, and extremes do not tell how many",
                looked[touched.index(True)].series,
                evidence={"layers": len(looked), "layers_beyond": sum(touched)},
            )
        else:
            yield finding


def _all_beyond(kind: str, name: str, value: float) -> str:
    return f"Every input of {kind} is beyond its limit: {name} is {words.number(value)}"
