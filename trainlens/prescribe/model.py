"""Causes that last from the first step on: sampler, classes, learning rate, frozen layers, flow.

The order of the functions is that in which to look at a loss that never moves (quad-modal seed).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from trainlens import words
from trainlens.detect.layers import gradient_norm, one_class_batches
from trainlens.prescribe.base import EXCLUDED, OPEN, PROVEN, Case, Hypothesis, Remedy
from trainlens.prescribe.remedies import raised_lr, scaled_lr, set_lr
from trainlens.prescribe.signs.look import named, setting, settings
from trainlens.prescribe.signs.rate import rate_of
from trainlens.rules.base import Finding, Severity
from trainlens.stats.noise import median

_TINY, _SMALL, _LARGE = 1e-7, 2e-5, 0.5
"""Peak learning rates below which hardly any optimizer moves a model, or few, or above most do."""

_NORMS = ("norm", "norm_layer", "norm_type", "normalization", "normalisation")
_BATCH_NORM = re.compile(r"batch_?norm|(?:^|\W)(?:sync)?bn(?:\W|$)")

STRATIFIED = ("mix the classes in every batch", {"sampler": "stratified"})
RESAMPLE = (
    "resample the classes, or weight the loss by their inverse frequency",
    {"sampler": "stratified", "loss.class_weights": "inverse"},
)


def sampler(case: Case) -> Hypothesis:
    """Whether every batch holds one class."""
    held = case.run.main("batch-classes")
    value = held.finite.value if held is not None else np.empty(0)
    if not len(value):
        ask: Remedy = (
            "count the classes in the first five batches; mix them",
            {"sampler": "stratified"},
        )
        return Hypothesis("every batch holds one class (a broken sampler)", 0.5, do=(ask,))
    single = float(np.mean(value <= 1))
    if single > 0.5:
        share = "every batch" if single == 1 else f"{words.percent(single)} of the batches"
        said = f"{share} {'holds' if single == 1 else 'hold'} one class"
        return Hypothesis("a broken sampler", PROVEN, said, mixing(case))
    usual = words.plural(int(median(value)), "class", "classes")
    every = "each batch holds" if value.min() == value.max() else "the batches hold a median of"
    return Hypothesis("not the sampler", EXCLUDED, f"{every} {usual}")


def mixing(case: Case) -> tuple[Remedy, ...]:
    """What helps against batches of one class; batch normalisation makes them hopeless."""
    named_so = _batch_norm(case)
    if not named_so:
        return (STRATIFIED,)
    by_sample: Remedy = (
        f"replace the batch normalisation ({named_so}), which takes away what all samples of a "
        "batch share, here their class: normalise each sample by itself, and divide the features "
        "before the classifier by their length",
        {"model.norm": "layernorm"},
    )
    return STRATIFIED, by_sample


def _batch_norm(case: Case) -> str:
    """Setting that says that the model normalises over the batch, empty without one."""
    for name, value in settings(case.run.config):
        last = re.split(r"[./]", name)[-1].lower()
        if last in _NORMS and isinstance(value, str) and _BATCH_NORM.search(value.lower()):
            return f"{name}: {value}"
    return ""


def balance(case: Case) -> Hypothesis:
    """Whether one class makes up nearly all of the data."""
    if faults := case.faults("class-imbalance"):
        said = _first(faults[0])
        return Hypothesis("the classes are out of balance", 0.97, said, (RESAMPLE,))
    share = _majority(case)
    if share is None:
        ask: Remedy = ("count the classes of the data set; resample if one is above 90 %", {})
        return Hypothesis("one class makes up more than 90 % of the data", 0.46, do=(ask,))
    if share > 0.9:
        said = f"the largest holds {words.percent(share, 2)} of the samples"
        return Hypothesis("the classes are out of balance", 0.97, said, (RESAMPLE,))
    said = f"the largest holds {words.percent(share, 2)} of the samples"
    weight = EXCLUDED if share < 0.6 else 0.2
    return Hypothesis("not the balance of the classes", weight, said)


def _majority(case: Case) -> float | None:
    """Share of the largest class, as far as the log has it."""
    for series in named(case.run, "majority_(?:share|fraction|ratio)|(?:max|largest)_class_share"):
        if len(series.finite):
            share = median(series.finite.value)
            share = share / 100 if share > 1 else share
            if share < 1 or not one_class_batches(case.run):
                return share
    for words_ in ("class_shares?", "class_counts?"):
        counts = [s for s in named(case.run, words_) if len(s.finite)]
        last = [float(s.finite.value[-1]) for s in counts]
        if len(last) > 1 and sum(last) > 0:
            return max(last) / sum(last)
    return None


def rate_size(case: Case, finding: Finding) -> Hypothesis:
    """Whether the learning rate is too small, too large, or neither."""
    held = rate_of(case.run)
    exploded = _exploded(case)
    if held is None:
        if exploded:
            do = (scaled_lr(case.run, 0.1, "lower"),)
            return Hypothesis("the learning rate is too large", 0.8, exploded, do)
        do = (raised_lr(case.run),)
        return Hypothesis("the learning rate is far too small or too large", 0.42, do=do)
    peak = float(held.value.max())
    moved = _moved(finding)
    if exploded:
        said = f"its peak is {words.number(peak)}, and {exploded}"
        do = (scaled_lr(case.run, 0.1, "lower"),)
        return Hypothesis("the learning rate is too large", 0.92, said, do)
    said = f"its peak is {words.number(peak)}{moved}"
    if peak == 0:
        do = (set_lr(case.run, 5e-4, "raise"),)
        return Hypothesis("the learning rate is 0", PROVEN, f"it is 0 in every record{moved}", do)
    if peak < _SMALL:
        weight = 0.95 if peak < _TINY else 0.6
        return Hypothesis("the learning rate is too small", weight, said, (raised_lr(case.run),))
    if peak > _LARGE:
        do = (scaled_lr(case.run, 0.1, "lower"),)
        return Hypothesis("the learning rate is too large", 0.6, said, do)
    text = "the learning rate is too small for this model"
    return Hypothesis(text, 0.42, said, (raised_lr(case.run),))


def _moved(finding: Finding) -> str:
    reach = finding.evidence.get("drop")
    if reach is None:
        return ""
    # Below what noise makes of nothing, a digit behind the point says enough.
    return f", and the loss moved by {min(max(100 * reach, 0.0), 100.0):.1f} %"


def _exploded(case: Case) -> str:
    """What speaks for steps that are too large, empty without."""
    for rule, said in (
        ("non-finite", "values became NaN or infinite"),
        ("gradient-explosion", "the gradient norm exploded"),
        ("divergence", "the loss diverged"),
    ):
        found = [f for f in case.faults(rule) if f.severity.value != "info"]
        if found:
            return f"{said} at step {words.step(found[0].first_step or 0)}"
    loss = case.run.main("loss", "train")
    value = loss.finite.value if loss is not None else np.empty(0)
    if len(value) >= 5 and value[0] > 0 and float(value[1:].max()) > 2 * float(value[0]):
        return (
            f"the loss rose from {words.number(float(value[0]))} to "
            f"{words.number(float(value[1:].max()))}"
        )
    return ""


def frozen(case: Case) -> Hypothesis:
    """Whether the layers that should learn are frozen."""
    unfreeze: Remedy = ("unfreeze at least one encoder", {"freeze": []})
    found = (*case.faults("frozen-parameters"), *case.faults("unchanged-parameters"))
    if faults := [f for f in found if f.severity is not Severity.INFO and not _of_few(f)]:
        said = _first(faults[0])
        return Hypothesis("the layers that should learn are frozen", 0.97, said, (unfreeze,))
    count = _count_with_gradient(case)
    if count == 0:
        said = "no parameter has a gradient"
        return Hypothesis("every layer is frozen", PROVEN, said, (unfreeze,))
    if count is not None:
        said = f"{words.plural(int(count), 'parameter')} get a gradient"
        return Hypothesis("not frozen parameters", 0.05, said)
    named_so = _frozen_by_setting(case)
    if named_so:
        said = f"the configuration says {named_so}"
        text = "the layers that should learn are frozen"
        return Hypothesis(text, 0.6, said, (unfreeze,))
    return Hypothesis("the layers that should learn are frozen", 0.36, do=(unfreeze,))


def _of_few(finding: Finding) -> bool:
    """Whether it is known to be about less than half of the parameters, such as idle biases."""
    unchanged, total = (finding.evidence.get(key, 0.0) for key in ("unchanged", "total"))
    return 0 < unchanged < total / 2


def _count_with_gradient(case: Case) -> float | None:
    pattern = "params?_with_grads?|parameters_with_grad(?:ient)?s?|trainable_params?"
    for series in named(case.run, pattern):
        if len(series.finite):
            return median(series.finite.value)
    return None


def _frozen_by_setting(case: Case) -> str:
    for name in ("freeze_backbone", "freeze_encoder", "freeze", "frozen", "freeze_layers",
                 "frozen_stages", "freeze_feature_extractor"):  # fmt: skip
        found = setting(case.run, name)
        if found and _is_on(found[1]):
            return f"{found[0]}: {str(found[1])[:40].lower()}"
    return ""


def _is_on(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in ("", "false", "no", "none", "0", "-1", "[]", "off")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value > 0
    return bool(value)


def flow(case: Case) -> Hypothesis:
    """Whether a gradient reaches the parameters."""
    log: Remedy = (
        "log the number of parameters with a gradient and the gradient norm",
        {"record.gradient_norm": True},
    )
    text = "no gradient reaches the parameters (detached loss, dead activations)"
    if faults := case.faults("gradient-vanishing"):
        return Hypothesis("the gradient vanishes", 0.93, _first(faults[0]), (log,))
    held = gradient_norm(case.run)
    value = held.finite.value if held is not None else np.empty(0)
    if not len(value):
        return Hypothesis(text, 0.33, do=(log,))
    usual = median(value)
    check: Remedy = (
        "check that the loss is computed from what the model returns, without detach",
        {},
    )
    if usual == 0:
        said = "the gradient norm is 0"
        return Hypothesis("no gradient reaches the parameters", PROVEN, said, (check,))
    if usual < 1e-7:
        said = f"the gradient norm is {words.number(usual, 2)}"
        return Hypothesis("the gradient vanishes", 0.9, said, (check,))
    said = f"the gradient norm is {words.number(usual, 3)}"
    return Hypothesis("not the flow of gradients", EXCLUDED, said)


def labels(finding: Finding) -> Hypothesis | None:
    """Labels that say nothing about the inputs: only where the level is that of guessing."""
    classes = int(finding.evidence.get("classes", 0))
    if not classes:
        return None
    level = finding.evidence.get("level")
    at = f" ({words.number(level)})" if level is not None else ""
    return Hypothesis(
        "the labels do not belong to the inputs (shuffled, shifted by one), or the output does "
        "not depend on the input",
        OPEN + 0.03,
        f"the level{at} is what guessing among {words.step(classes)} classes gives",
        (("look at ten samples with their labels, as they enter the model", {}),),
    )


def _first(finding: Finding) -> str:
    """The first sentence of a finding as a reason: without its stop, first letter small."""
    text = finding.message.split(". ", 1)[0].rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
