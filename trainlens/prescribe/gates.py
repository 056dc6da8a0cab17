"""Advice on a fusion gate that lets only one side through."""

from __future__ import annotations

import re

from trainlens import words
from trainlens.prescribe.base import Advice, Case, Hypothesis, Remedy, advises
from trainlens.prescribe.expecting import NOT_LOGGED, expect
from trainlens.prescribe.signs.look import named, place, settings
from trainlens.rules.base import Finding
from trainlens.run import Series

_EARLY = 0.25
"""Share of a run in which both branches still look for their features."""

_OPEN: tuple[Remedy, ...] = (
    ("add the alpha-diversity term", {"alpha_diversity.weight": 0.1}),
    ("raise the temperature of the gate", {"gate.temperature": 2.0}),
)
_RAMP: tuple[Remedy, ...] = (
    (
        "let the consistency loss set in when both branches have features: at 10 % of the "
        "training, with its full weight from 20 % on",
        {"clip_loss.warmup_end_progress": 0.1, "clip_loss.ramp_duration_progress": 0.1},
    ),
    (
        "let a tenth of the gradient of the consistency loss into the fused features",
        {"clip_loss.gradient_flow_ratio": 0.1},
    ),
)


@advises("polarized-gate")
def _polarized_gate(case: Case, finding: Finding) -> Advice:
    return Advice(
        causes=tuple(
            h
            for h in (_faster(case, finding), _pulled(case), _unheld(case), _unequal(case))
            if h is not None
        ),
        do=_OPEN,
        verify="the gate's mean stays between 0.1 and 0.9",
        expect=expect(finding, "between", 0.1, "end", upper=0.9),
        unmeasured=NOT_LOGGED,
    )


def _faster(case: Case, finding: Finding) -> Hypothesis:
    """One side has features while the other has none yet: the gate follows the first."""
    slower: Remedy = (
        "lower the learning rate of the stronger branch, as a rule the pretrained one",
        {"groups.clip_backbone": 0.1} if _with_clip(case) else {},
    )
    first = finding.first_step or 0
    share = place(case.run, first)
    early = share <= _EARLY
    said = f"it was shut at step {words.step(first)}, {words.percent(share, 2)} into the run"
    return Hypothesis(
        "one branch learns faster and the gate follows it",
        0.6 if early else 0.4,
        said if early else "",
        (slower,),
    )


def _pulled(case: Case) -> Hypothesis | None:
    """A consistency loss is least where the gate passes the side that it compares with."""
    text = "the consistency loss draws the fused features to one side"
    held = [s.finite for s in named(case.run, "w_clip|clip_weight") if len(s.finite)]
    if not held or not _constant(held[0]):
        return None
    weight = float(held[0].value[0])
    if weight == 0:
        return None
    said = f"{held[0].metric} is {words.number(weight)} from the first step on"
    return Hypothesis(text, 0.5, said, _RAMP)


def _unheld(case: Case) -> Hypothesis:
    text = "the gate has no diversity term or too low a temperature"
    held = [s.finite for s in named(case.run, "alpha_diversity") if len(s.finite)]
    if held and not held[0].value.any():
        return Hypothesis(text, 0.55, f"{held[0].metric} is 0 throughout", _OPEN)
    return Hypothesis(text, 0.4, do=_OPEN)


def _unequal(case: Case) -> Hypothesis | None:
    """Features that are larger than the others decide, whatever they say."""
    text = "the features of the two branches differ in scale"
    same: Remedy = (
        "bring the features of both branches to one scale, with a layer norm in each",
        {"model.norm": "layernorm"},
    )
    for name, value in settings(case.run.config):
        if re.fullmatch(r"(.*[./])?model[./]norm", name) and isinstance(value, str):
            off = value.lower() == "none"
            return Hypothesis(text, 0.5, f"{name} is none", (same,)) if off else None
    return Hypothesis(text, 0.35, do=(same,))


def _constant(series: Series) -> bool:
    return bool((series.value == series.value[0]).all())


def _with_clip(case: Case) -> bool:
    """Whether one of the branches is CLIP's, as far as the log tells."""
    return bool(named(case.run, "w_clip|clip_weight|clip_loss|loss_clip|clip_consistency"))
