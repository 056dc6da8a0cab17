"""Advice on what validation shows."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np

from trainlens import words
from trainlens.detect.companion import training_at
from trainlens.expectation import measure
from trainlens.expectation.statement import GAP
from trainlens.prescribe.base import (
    EXCLUDED,
    Advice,
    Case,
    Expectation,
    Hypothesis,
    Remedy,
    advises,
)
from trainlens.prescribe.evaluating import broken_evaluation, trained_since
from trainlens.prescribe.expecting import NOT_LOGGED, about, expect, noise_of, series_of
from trainlens.prescribe.moments import broke_first, rate_jump, resumed, spoken
from trainlens.prescribe.signs.look import number_set, place, settings
from trainlens.roles import normalise
from trainlens.rules.base import Finding
from trainlens.run import Series
from trainlens.stats.noise import median

_SEEDS = ("val_seed", "eval_seed", "validation_seed")
_SAMPLES = ("val_samples", "eval_samples", "validation_samples")
_DECAY: Remedy = (
    "regularise: weight decay 0.05, dropout 0.1 after the warmup, more augmentation",
    {"optimizer.weight_decay": 0.05, "dropout.target": 0.1},
)


@advises("overfitting")
def _overfitting(case: Case, finding: Finding) -> Advice:
    if "best_step" not in finding.evidence:
        return _gap_growth(case, finding)  # a wide gap, not a rise: no checkpoint is better
    best = int(finding.evidence["best_step"])
    series = series_of(case, finding)
    causes = (
        broken_evaluation(case, finding),
        broke_first(case, series, finding.last_step or best, "validation became worse"),
        _overconfident(case, finding, best),
        _memorised(case, best),
        _unregularised(case),
        Hypothesis("training went on past the point where it helps", 0.42, _where(case, best)),
    )
    return Advice(
        causes=tuple(h for h in causes if h is not None),
        do=(
            (f"use the checkpoint of step {words.step(best)}", {"checkpoint.step": best}),
            (
                "stop early on the validation value, with patience for its noise",
                {
                    "early_stopping.monitor": f"{finding.split}/{finding.metric}",
                    "early_stopping.patience": 5,
                },
            ),
            _DECAY,
        ),
        verify=f"the next run ends no worse than this one was at step {words.step(best)}",
        expect=_ends_as_good(series, finding),
        unmeasured=NOT_LOGGED,
    )


def _where(case: Case, best: int) -> str:
    share = words.percent(place(case.run, best), 2)
    return f"the best evaluation is at {share} of the run"


def _ends_as_good(series: Series | None, finding: Finding) -> tuple[Expectation, ...]:
    best = finding.evidence.get("best")
    if series is None or best is None:
        return ()
    op = ">=" if series.role.direction == "max" else "<="
    return expect(series, op, best, "end", atol=noise_of(series))


def _overconfident(case: Case, finding: Finding, best: int) -> Hypothesis | None:
    """The loss rises while a measure of skill still gets better: it is only surer of its errors."""
    series = series_of(case, finding)
    if series is None or series.role.name != "loss":
        return None
    for other in case.run.with_role("metric", series.split):
        held = other.finite
        if not other.role.direction or len(held) < 3:
            continue
        sign = 1 if other.role.direction == "max" else -1
        top = int(np.argmax(sign * held.value))
        at = int(np.argmin(np.abs(held.step.astype(np.float64) - best)))
        gained = sign * float(held.value[top] - held.value[at])
        if top <= at or gained <= 0.01 * max(abs(float(held.value[at])), 1e-300):
            continue
        step = int(held.step[top])
        return Hypothesis(
            "overconfidence, not a loss of skill",
            0.8,
            f"{spoken(series)} is best at step {words.step(best)}, but {spoken(other)} at step "
            f"{words.step(step)} ({words.number(float(held.value[at]))} → "
            f"{words.number(float(held.value[top]))})",
            (
                (
                    f"where {other.metric} is what counts, use the checkpoint of step "
                    f"{words.step(step)}",
                    {"checkpoint.step": step},
                ),
                (
                    f"stop early on {spoken(other)} instead of the loss",
                    {
                        "early_stopping.monitor": f"{other.split}/{other.metric}",
                        "early_stopping.mode": other.role.direction,
                        "early_stopping.patience": 5,
                    },
                ),
                ("smooth the labels by 0.1", {"loss.label_smoothing": 0.1}),
            ),
        )
    return None


def _memorised(case: Case, best: int) -> Hypothesis:
    text = "the model memorises the training data"
    fell = trained_since(case, best)
    if fell is None:
        return Hypothesis(text, 0.5)
    if fell < 0.01:
        said = "the training loss has not fallen since either"
        return Hypothesis(text, 0.25, said)
    return Hypothesis(text, 0.6, f"the training loss fell by {words.percent(fell, 2)} since")


def _unregularised(case: Case) -> Hypothesis:
    text = "too little regularisation for this amount of data"
    off = []
    for names in (("weight_decay", "wd"), ("dropout", "dropout_rate", "drop_rate")):
        found = number_set(case.run, *names)
        if found is not None and found[1] == 0:
            off.append(f"{found[0]} is 0")
    return Hypothesis(text, 0.55 if off else 0.45, " and ".join(off), (_DECAY,))


@advises("gap-growth")
def _gap_growth(case: Case, finding: Finding) -> Advice:
    if "gap_share_early" in finding.evidence:
        return _wide_from_the_start(case, finding)
    causes = (
        broken_evaluation(case, finding),
        Hypothesis("the training data is being memorised, not yet at the cost of validation", 0.5),
        "training and validation measure different things (dropout, augmentation)",
    )
    widened = finding.evidence.get("gap_share_after")
    return Advice(
        causes=tuple(c for c in causes if c is not None),
        do=(
            ("keep validating; stop when the validation value itself rises", {}),
            ("regularise more if a smaller gap matters", {"optimizer.weight_decay": 0.05}),
        ),
        verify="the gap at the same step is smaller in the next run and validation is no worse",
        expect=_narrower(case, finding) if widened is not None else (),
        unmeasured=NOT_LOGGED,
    )


def _wide_from_the_start(case: Case, finding: Finding) -> Advice:
    """Of a gap that was there before anything could be learnt by heart, under dropout."""
    last = case.run.steps[1] if case.run.steps else 0
    start = max(1, round(last / 6))
    rate = finding.evidence.get("dropout", 0.1)
    late: Remedy = (
        f"begin with dropout at step {words.step(start)}, a sixth of the run (late dropout: Liu et "
        "al. 2023, arXiv:2303.01500)",
        {"dropout.start": start, "dropout.target": rate},
    )
    few = "the training data are few, or unlike those of the validation"
    more: Remedy = ("train on more different samples, such as those of other people", {})
    return Advice(
        causes=(
            Hypothesis(few, 0.55, do=(more,)),
            Hypothesis("dropout from the first step hinders the first features", 0.4, do=(late,)),
        ),
        verify="the gap over the same steps is smaller in the next run, on the same samples, and "
        "validation ends no worse",
        expect=_narrower_early(case, finding),
        unmeasured="the evaluations scatter more than a smaller gap would show",
    )


def _narrower_early(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """A smaller gap over the first steps, where the scatter of evaluations lets that be seen."""
    series = series_of(case, finding)
    if series is None or finding.last_step is None or series.role.direction == "max":
        return ()
    gap = Expectation(series.metric, GAP, "<", 0.0, "mean", last=finding.last_step)
    now = measure(case.run, gap)[0].value
    points = series.finite
    error = (noise_of(series) or 0.0) / math.sqrt(np.sum(points.step <= finding.last_step) or 1)
    if not (now > 0 and math.isfinite(now)) or 2 * error > 0.05 * now:
        return ()
    return (replace(gap, value=about(0.95 * now)),)


def _narrower(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    """A smaller gap where both are logged, and a validation that is no worse."""
    series = series_of(case, finding)
    if series is None:
        return ()
    gap = Expectation(series.metric, GAP, "<", 0.0, "end")
    now = measure(case.run, gap)[0].value if series.split == "val" else math.nan
    smaller = replace(gap, value=about(0.95 * now)) if now > 0 and math.isfinite(now) else None
    best = _no_worse(case, finding)
    return (smaller, *best) if smaller is not None and series.role.direction != "max" else best


def _no_worse(case: Case, finding: Finding) -> tuple[Expectation, ...]:
    series = series_of(case, finding)
    if series is None:
        return ()
    value = series.finite.value
    best = float(value.max() if series.role.direction == "max" else value.min())
    op = ">=" if series.role.direction == "max" else "<="
    stat = "max" if series.role.direction == "max" else "min"
    return expect(series, op, best, stat, atol=noise_of(series))


@advises("validation-jump")
def _validation_jump(case: Case, finding: Finding) -> Advice:
    series = series_of(case, finding)
    step = finding.first_step or 0
    loss = case.run.main("loss", "train")
    causes: list[Hypothesis | None] = [
        broken_evaluation(case, finding),
        broke_first(case, series, finding.last_step or step, "the jump"),
    ]
    trained = _trained(case, series, finding)
    if loss is not None:
        causes += [rate_jump(case, loss, step), resumed(loss, step), trained]
    causes.append(_chance(finding))
    if trained is None or trained.weight < 0.5:  # else nothing is wrong with the evaluation
        causes += [
            _episodes(series) or _unseeded(case),
            Hypothesis(
                "a bad checkpoint of moving statistics (batch norm, weight averaging)", 0.35
            ),
        ]
    return Advice(
        causes=tuple(h for h in causes if h is not None),
        do=(_more_often(series),),
        verify="the spread of the next ten evaluations is smaller",
        expect=_half_way(series, finding),
        unmeasured=NOT_LOGGED,
    )


def _more_often(series: Series | None) -> Remedy:
    if series is None or len(series.finite) < 3:
        return "validate more often for a while, or on more samples", {}
    every = median(np.diff(series.finite.step).astype(np.float64))
    half = max(1, round(min(every, 2.0**53) / 2))
    return (
        f"validate every {words.plural(half, 'step')} for a while, or on more samples",
        {"validation.every_steps": half},
    )


def _chance(finding: Finding) -> Hypothesis:
    text = "chance, where the validation set is small"
    z = finding.evidence.get("z")
    if z is None:
        return Hypothesis(text, 0.3)
    said = f"it is {words.number(max(z, 0.0), 2)} sigma of the noise between evaluations"
    if finding.confidence <= 0.5:
        return Hypothesis(text, 0.6, said)
    return Hypothesis("not chance", EXCLUDED, said)


def _episodes(series: Series | None) -> Hypothesis | None:
    """Of rewards: nothing is validated, episodes are played."""
    if series is None or not re.search("rew|return|episode|score", series.metric, re.I):
        return None
    return Hypothesis(
        "each evaluation plays other episodes, and few of them",
        0.5,
        do=(("play more episodes in each evaluation, from fixed seeds", {"val_seed": 42}),),
    )


def _unseeded(case: Case) -> Hypothesis:
    text = "the validation batches differ between evaluations (no fixed seed)"
    fix: Remedy = ("fix the validation order", {"val_seed": 42})
    found = number_set(case.run, *_SEEDS)
    if found is not None:
        said = f"{found[0]} is {words.number(found[1])}"
        return Hypothesis("not another order of the validation data", 0.05, said)
    held = {name for name, value in settings(case.run.config) if value is None}
    for name in sorted(held):
        if normalise(name).strip("_").endswith(_SEEDS):
            drawn: Remedy = ("evaluate on the same samples each time", fix[1])
            return Hypothesis(text, 0.95, f"{name} is none", (drawn,))
    return Hypothesis(text, 0.5, do=(fix,))


def _samples_set(case: Case) -> tuple[str, int] | None:
    """The setting that says on how many samples is validated, and how many."""
    for name, value in settings(case.run.config):
        called = normalise(name).strip("_").endswith(_SAMPLES)
        if called and isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return name, value
    return None


def _trained(case: Case, series: Series | None, finding: Finding) -> Hypothesis | None:
    """Whether the training loss moved at the same time; None where that is not clear."""
    if series is None or finding.first_step is None:
        return None
    held = series.finite
    at = int(np.searchsorted(held.step, finding.first_step))
    # What may be chance is told from the evaluation before on.
    at += at < len(held) and float(held.value[at]) == finding.evidence.get("before")
    found = training_at(case.run, held.step, at)
    if found is None:
        return None
    share = finding.evidence.get("share", 1.0)
    worse = -share if series.role.direction == "max" else share
    if found.explains(worse, of_loss=series.role.direction != "max"):
        said = (
            f"the training loss rose from {words.number(found.before)} to "
            f"{words.number(found.after)} at the same time"
        )
        return Hypothesis("the model itself became worse", 0.8, said)
    if not found.calm:
        return None
    return Hypothesis("not a collapse of the model", 0.02, "the training loss went on as before")


def _half_way(series: Series | None, finding: Finding) -> tuple[Expectation, ...]:
    before, value = finding.evidence.get("before"), finding.evidence.get("value")
    if series is None or before is None or value is None or finding.first_step is None:
        return ()
    held = series.finite
    inside = (held.step >= finding.first_step) & (held.value == value)
    if not inside.any():
        return ()
    at = int(held.step[int(np.argmax(inside))])
    op = "<" if value > before else ">"
    return expect(series, op, before / 2 + value / 2, at=at)


@advises("validation-noise")
def _validation_noise(case: Case, finding: Finding) -> Advice:
    series = series_of(case, finding)
    noise, samples = finding.evidence.get("noise"), finding.evidence.get("samples")
    larger: Remedy = ("evaluate on four times as many samples, which halves the noise", {})
    few = Hypothesis("the validation set is small", 0.5)
    if samples:
        count = 4 * max(1, round(min(samples, 1e12)))
        text = f"evaluate on {words.step(count)} samples, which halves the noise"
        larger = (text, {"validation.samples": count})
        said = f"the steps of its values are those of about {words.step(round(samples))} samples"
        few = Hypothesis("the validation set is small", 0.7, said)
    elif (told := _samples_set(case)) is not None:
        name, now = told
        text = f"evaluate on {words.step(4 * now)} samples instead of {words.step(now)}"
        larger = (
            f"{text}, which halves the noise of drawing them",
            {"validation.samples": 4 * now},
        )
        few = Hypothesis("the validation set is small", 0.6, f"{name} is {words.step(now)}")
    return Advice(
        causes=(
            few,
            _episodes(series) or _unseeded(case),
            Hypothesis("the learning rate is so large that the model jumps about", 0.35),
        ),
        do=(larger, ("compare means over several evaluations, not single ones", {})),
        verify="the scatter between evaluations is half of what it was",
        unmeasured=NOT_LOGGED,
        expect=() if series is None or not noise else expect(series, "<", 0.7 * noise, "noise"),
    )
