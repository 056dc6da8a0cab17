"""The rule ``poor-initialization``: signals that grow or die on their way through a new model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.layers import Layer, fate_of_loss, layers
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run
from trainlens.stats.layers import is_weight, rank_correlation
from trainlens.stats.noise import median


@rule(
    "poor-initialization",
    severity="warning",
    about="model",
    source="SageMaker Debugger (a ratio of 10 between layers); growth with depth: He et al. 2015",
)
def poor_initialization(
    run: Run,
    *,
    ratio: float = 10.0,
    serious: float = 100.0,
    weights: float = 1000.0,
    first_points: int = 3,
) -> Iterator[Finding]:
    """The first values of weights and activations differ too much between layers.

    Reads the standard deviation of activations (activation_std/LAYER) and weights
    (weight_std/LAYER) at the first `first_points` points. Activations that grow or shrink with
    depth by `serious`, or by `ratio` where the loss is flat, are a warning; by `ratio` alone an
    information. The spread of weights depends on the size of a layer, so it counts from `ratio`
    only where the loss is flat, else from `weights`, as an information.

    What to do: Kaiming initialisation for ReLU, Xavier for tanh and sigmoid; normalisation
    layers; scale the branches of residual blocks by 1 / sqrt(number of blocks).

    Settings
    --------
    ratio : times
        Between layers, from which on it is told.
    serious : times
        Between activations of layers, from which on it is a warning.
    weights : times
        Between weights of layers, where the loss is not flat.
    first_points : points
        That are looked at.
    """
    activations = _first(layers(run, "activation-std"), first_points)
    spread = _first([x for x in layers(run, "weight-std") if is_weight(x.name)], first_points)
    if not activations and not spread:
        yield skip("standard deviations of activations or weights are not in this log")
        return
    if late := _late(run, [x for x, _ in (*activations, *spread)]):
        yield inconclusive(
            f"the log begins at step {words.step(late)}: how the model was initialised is not known"
        )
        return
    flat = fate_of_loss(run) == "flat"
    found = [
        # A bias may grow within a few steps: what one value shows is enough, if it is much.
        _at_once(activations, flat, serious) or _with_depth(activations, flat, ratio, serious),
        _apart(spread, flat, ratio, weights),
    ]
    kept = [f for f in found if f is not None]
    faults = [f for f in kept if f.failed]
    yield from faults or kept[:1] or [inconclusive("fewer than three layers are in this log")]


def _first(found: list[Layer], points: int) -> list[tuple[Layer, float]]:
    known = [(x, median(x.series.finite.value[:points])) for x in found]
    return [(x, level) for x, level in known if level >= 0]


def _late(run: Run, found: list[Layer]) -> int:
    """First step of a log that begins too late to show a new model, else 0."""
    first = min(int(x.series.finite.step[0]) for x in found)
    points = max(len(x.series.finite) for x in found)
    last = run.steps[1] if run.steps else first
    return first if first > 1000 and (first > last / 10 or points == 1) else 0


def _at_once(known: list[tuple[Layer, float]], flat: bool, serious: float) -> Finding | None:
    """What the very first values show, where that is serious."""
    first = [(x, float(x.series.finite.value[0])) for x, _ in known]
    if any(v <= 0 for _, v in first):
        return None
    found = _with_depth(first, flat, serious, serious)
    return found if found is not None and found.failed else None


def _with_depth(known: list[tuple[Layer, float]], flat: bool, ratio: float, serious: float) -> (
    Finding | None
):  # fmt: skip
    if len(known) < 3:
        return None
    level = np.array([v for _, v in known])
    dead = [x.name for x, v in known if v == 0]
    first, last = known[0][0], known[-1][0]
    evidence = {
        "first": float(level[0]),
        "last": float(level[-1]),
        "layers": len(known),
        "layers_without_signal": len(dead),
    }
    if dead:
        return _fault(
            first,
            f"The activations of {', '.join(dead[:5])} are constant from the start: nothing "
            "passes through.",
            evidence,
            "warning" if flat or len(dead) >= len(known) / 4 else "info",
        )
    logs = np.log(level)
    change = float(logs[-1] - logs[0])
    times = float(np.exp(min(abs(change), 700.0)))
    steady = abs(rank_correlation(level)) >= 0.7
    evidence["ratio"] = times
    if not steady or times < ratio:
        return passed(
            f"The activations of {first.name} start at a standard deviation of "
            f"{words.number(float(level[0]), 2)}, those of {last.name} at "
            f"{words.number(float(level[-1]), 2)}.",
            first.series,
            evidence=evidence,
        )
    return _fault(
        first,
        f"Activations {'grow' if change > 0 else 'shrink'} on their way through the new model: "
        f"their standard deviation is {words.number(float(level[0]), 2)} in {first.name} and "
        f"{words.number(float(level[-1]), 2)} in {last.name}, {words.number(times, 2)} times "
        f"{'more' if change > 0 else 'less'}{', and the loss does not move' if flat else ''}.",
        evidence,
        "warning" if flat or times >= serious else "info",
    )


def _apart(known: list[tuple[Layer, float]], flat: bool, ratio: float, weights: float) -> (
    Finding | None
):  # fmt: skip
    if len(known) > 2 and ratio * known[-1][1] < min(v for _, v in known[:-1]):
        # A last layer may well start at 0: its outputs have targets of their own.
        known = known[:-1]
    if len(known) < 2:
        return None
    level = np.array([v for _, v in known])
    zero = [x.name for x, v in known if v == 0]
    evidence = {"layers": len(known), "largest": float(level.max()), "constant": len(zero)}
    if len(zero) == len(known) or (zero and flat):
        return _fault(
            known[0][0],
            f"The weights of {', '.join(zero[:5])} start as one and the same number: their units "
            "cannot become different.",
            evidence,
            "warning",
        )
    known = [(x, v) for x, v in known if v > 0]
    large, small = max(known, key=lambda k: k[1]), min(known, key=lambda k: k[1])
    times = float(np.exp(min(np.log(large[1]) - np.log(small[1]), 700.0)))
    evidence |= {"smallest": small[1], "ratio": times}
    said = (
        f"The weights of {large[0].name} start with a standard deviation of "
        f"{words.number(large[1], 2)}, those of {small[0].name} with {words.number(small[1], 2)}"
    )
    if times < (ratio if flat else weights):
        return passed(f"{said}.", large[0].series, evidence=evidence)
    moves = ", and the loss does not move" if flat else ""
    text = f"{said}, {words.number(times, 2)} times less{moves}."
    return _fault(large[0], text, evidence, "warning" if flat else "info")


def _fault(layer: Layer, text: str, evidence: dict[str, float], severity: str) -> Finding:
    first = int(layer.series.finite.step[0])
    return fail(
        text,
        layer.series,
        first_step=first,
        last_step=first,
        evidence=evidence,
        severity=severity,
        confidence=0.85 if severity == "warning" else 0.7,
    )
