"""Advice on gradients, layers, parameters and classes."""

from __future__ import annotations

import math
import re

from trainlens import words
from trainlens.detect.layers import layers
from trainlens.prescribe.base import Advice, Case, Expectation, Remedy, advises
from trainlens.prescribe.expecting import (
    NOT_LOGGED,
    about,
    each,
    every_layer,
    expect,
    norm_is,
    series_of,
)
from trainlens.prescribe.remedies import CLIP, KAIMING, peak_lr, rounded, scaled_lr, warmup
from trainlens.rules.base import Finding

_GELU: Remedy = ("replace ReLU by GELU or leaky ReLU", {"model.activation": "gelu"})
_NORM: Remedy = ("put a normalisation before the activations", {"model.norm": "layernorm"})
_NORM_AS_WELL: Remedy = ("if that is not enough, put a normalisation before the activations", {})
_UNFREEZE: Remedy = (
    "freeze nothing for a hundred steps, and see whether every parameter gets a gradient",
    {"freeze": []},
)
_COUNT: Remedy = (
    "log how many parameters get a gradient, and the gradient norm of each layer",
    {"record.gradients": "layers"},
)


@advises("gradient-vanishing")
def _vanishing(case: Case, finding: Finding) -> Advice:
    if "first_layer" in finding.evidence:
        return Advice(
            causes=(
                "saturating activations (sigmoid, tanh) in a deep network",
                "weights that start too small",
                "no normalisation and no residual connections on the way",
            ),
            do=(_NORM, KAIMING, _GELU),
            verify="the first layer gets at least a thousandth of the gradient of the last",
            expect=expect(finding, ">=", _share_of(finding, "last_layer"), "median"),
            unmeasured=NOT_LOGGED,
        )
    lowered = scaled_lr(case.run, 0.3, "lower")
    if "usual" not in finding.evidence:
        return Advice(
            causes=(
                "the loss is cut off from the parameters (detach, no_grad, argmax)",
                "the output is saturated from the start",
                "nearly all parameters are frozen",
            ),
            do=(_COUNT, _UNFREEZE, KAIMING),
            verify="the gradient norm of the first step is above a thousandth of the loss",
            expect=norm_is(finding, case, ">", _share_of(finding, "loss"), "first"),
            unmeasured=NOT_LOGGED,
        )
    at = words.step(finding.first_step or 0)
    return Advice(
        causes=(
            "an update was so large that it killed the units or saturated the output",
            "the loss was clipped, masked or replaced by a constant",
            "parameters were frozen at that step",
        ),
        do=(
            (f"look at what changed shortly before step {at}", {}),
            CLIP,
            lowered,
            warmup(case.run),
        ),
        verify="the gradient norm stays within a factor of 100 of its usual level",
        expect=norm_is(finding, case, ">=", finding.evidence["usual"] / 100, "end"),
        unmeasured=NOT_LOGGED,
    )


def _share_of(finding: Finding, key: str) -> float | None:
    """A thousandth of a number of the finding."""
    held = finding.evidence.get(key)
    return held / 1000 if held is not None else None


@advises("frozen-parameters")
def _frozen(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "requires_grad was switched off for too much of the model",
            "the optimizer was built before the parameters were unfrozen or replaced",
            "the loss does not depend on them (a detached or unused branch)",
        ),
        do=(_UNFREEZE, _COUNT),
        verify="the number of parameters with a gradient is the one that you expect",
        expect=_thawed(case, finding),
        unmeasured="how many parameters are to learn is yours to know",
    )


def _thawed(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """What had a gradient has one again, and what has none gets one."""
    numbers = finding.evidence
    if "with_gradient" in numbers:
        if numbers["with_gradient"] == 0:
            return expect(finding, ">", 0.0, "min")
        return expect(finding, ">=", numbers.get("at_most"), "end")
    if "layers_logged" in numbers:
        still = [x for x in layers(case.run, "gradient-norm") if x.series.finite.value[-1] == 0]
        return each(still, ">", 0.0, "last")
    return norm_is(finding, case, ">", 0.0, "min")


@advises("class-imbalance")
def _imbalance(case: Case, finding: Finding) -> Advice:
    balanced: Remedy = ("draw the classes evenly into each batch", {"sampler": "stratified"})
    if "classes_in_batch" in finding.evidence:
        return Advice(
            causes=(
                "the data is sorted by class and hardly shuffled",
                "the sampler draws from few classes at a time",
            ),
            do=(balanced,),
            verify="a batch holds about as many classes as a random one would",
            expect=expect(
                finding, ">=", 0.8 * finding.evidence.get("expected", math.nan), "median"
            ),
            unmeasured=NOT_LOGGED,
        )
    top, low = finding.evidence.get("largest", 0.9), finding.evidence.get("smallest", 0.0)
    least = low if 0 < low < top else (1 - top)
    ratio = rounded(min(max(top / least, 1.0), 1e4)) if least > 0 else 100.0
    return Advice(
        causes=(
            "the data set holds hardly anything else",
            "the labels were mapped to the wrong class",
            "a filter or a split removed the other classes",
        ),
        do=(
            balanced,
            (
                "or weight the loss by the inverse of the class counts: "
                f"{words.number(ratio)} for the rarest, 1 for the largest",
                {"loss.class_weights": "inverse", "loss.largest_weight": ratio},
            ),
            ("judge by balanced accuracy or macro F1", {"metric": "balanced_accuracy"}),
        ),
        verify="each class is recalled better than by always naming the largest one",
        unmeasured="the data stays as it is; how well each class is recalled is not in this log",
    )


@advises("dead-relu")
def _dead(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "one update was too large (learning rate, no warm-up, no clipping) and killed units",
            "biases or inputs are far below zero",
            "weights that start too large or too small for ReLU",
        ),
        do=(scaled_lr(case.run, 0.3, "lower"), warmup(case.run), _GELU, KAIMING),
        verify="less than a third of the units of each layer are always zero",
        expect=every_layer(case.run, "zero-fraction", "<", 1 / 3),
        unmeasured=NOT_LOGGED,
    )


@advises("saturated-activation")
def _saturated(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "weights or inputs are too large for sigmoid or tanh",
            "the learning rate is too high",
        ),
        do=(
            ("scale the inputs to mean 0 and standard deviation 1", {"data.normalize": True}),
            _NORM,
            ("initialise for tanh and sigmoid with Xavier", {"model.init": "xavier"}),
            scaled_lr(case.run, 0.3, "lower"),
        ),
        verify="less than half of the activations of each layer are at their limits",
        expect=every_layer(case.run, "saturation", "<", 0.5),
        unmeasured=NOT_LOGGED,
    )


@advises("update-ratio")
def _update_ratio(case: Case, finding: Finding) -> Advice:
    level, peak = finding.evidence.get("median", 0.0), peak_lr(case.run)
    limit = finding.evidence.get("limit", 1.0)
    large = limit > 1e-3
    factor = min(max(1e-3 / level, 0.01), 100.0) if level > 0 else 0.3
    remedy = scaled_lr(case.run, rounded(factor), "lower" if large else "raise")
    if not large:
        return Advice(
            causes=(
                "the learning rate is too small for these layers",
                "their gradient is tiny (vanishing, or clipped away)",
                "their weights are far larger than those of the others",
            ),
            do=(
                remedy,
                (
                    "give these layers a learning rate of their own",
                    {"groups.scale": factor, **_named_below(case, finding, limit)},
                ),
            ),
            verify="updates of these layers are about a thousandth of their weights",
            expect=_updates(finding, ">", limit),
            unmeasured=NOT_LOGGED,
        )
    own = "" if peak is None else f" (now {words.number(peak)})"
    return Advice(
        causes=(
            f"the learning rate is too high for these layers{own}",
            "their weights are tiny (zero initialisation, strong weight decay)",
            "the gradient is not clipped",
        ),
        do=(remedy, CLIP, warmup(case.run)),
        verify="updates of these layers are about a thousandth of their weights",
        expect=_updates(finding, "<", limit),
        unmeasured=NOT_LOGGED,
    )


def _named_below(case: Case, finding: Finding, limit: float) -> dict[str, list[str]]:
    """The layers whose updates are below a limit, where the log has layers."""
    if re.search(r"log", finding.metric, re.IGNORECASE):
        limit = math.log10(limit)
    found = [x.name for x in layers(case.run, "update-ratio") if x.name and x.level() < limit]
    return {"groups.layers": found} if found else {}


def _updates(finding: Finding, op: str, limit: float) -> tuple[Expectation, ...]:
    """The worst layer is back within the limit; its logarithm, where that is logged."""
    if "limit" not in finding.evidence:
        return ()
    logs = re.search(r"log", finding.metric, re.IGNORECASE) is not None
    return expect(finding, op, math.log10(limit) if logs else limit, "median")


@advises("poor-initialization")
def _initialization(case: Case, finding: Finding) -> Advice:
    grows = bool(re.search("grow", finding.message))
    layers = max(1, int(finding.evidence.get("layers", 1)))
    scale = rounded(layers**-0.5)
    branches: Remedy = (
        f"scale the last weights of each residual branch by {words.number(scale)}, "
        f"1 / sqrt of {words.plural(layers, 'layer')}",
        {"model.branch_scale": scale},
    )
    return Advice(
        causes=(
            "residual branches add up without being scaled"
            if grows
            else "weights that start too small for the activation",
            "one and the same standard deviation for layers of different size",
            "no normalisation between the layers",
        ),
        do=(KAIMING, _NORM_AS_WELL, *((branches,) if grows else ())),
        verify="standard deviations of the first activations differ by less than ten times",
        expect=_even(case, finding),
        unmeasured=NOT_LOGGED,
    )


def _even(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """No layer starts far from what the one that is named starts with now, in the way it does."""
    if series_of(case, finding) is None:
        return ()
    held = case.run.series[finding.metric, finding.split]
    role, start = held.role.name, float(held.finite.value[0])
    if role not in ("activation-std", "weight-std") or not 0 < start < 1e300:
        return () if role != "weight-std" else expect(held, ">", 0.0, "first")
    every = f"{role}/*"
    if role == "weight-std":  # of the layer with the largest: the others are below it
        low, high = about(start / 100), about(start)
        return (Expectation(every, "train", "between", low, "first", upper=high),)
    # One side alone: what helps may well move all layers, the first one too.
    if finding.evidence.get("last", 0.0) > start:
        return (Expectation(every, "train", "<", about(10 * start), "first"),)
    return (Expectation(every, "train", ">", about(start / 10), "first"),)


@advises("unchanged-parameters")
def _unchanged(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the optimizer does not hold these parameters",
            "they are frozen (requires_grad is off)",
            "updates are rounded away (weights in bfloat16, a tiny learning rate)",
        ),
        do=(
            _UNFREEZE,
            ("keep the weights that are updated in float32", {"precision.master": "float32"}),
            _COUNT,
        ),
        verify="the norm of every layer that should learn differs from one look to the next",
        expect=_moves(case, finding),
        unmeasured=NOT_LOGGED,
    )


def _moves(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """What stood still over the looks of the finding does not over the same steps."""
    if "unchanged" in finding.evidence:
        return expect(finding, "<", finding.evidence["unchanged"] / 2, "end")
    first, last = finding.first_step, finding.last_step
    still = [
        x
        for x in layers(case.run, "weight-norm", whole=True)
        if len(set(x.series.finite.value[x.series.finite.step >= (first or 0)].tolist())) == 1
    ]
    return each(still, ">", 0.0, "std", first=first, last=last)
