"""Causes that lie in the evaluation, not in the model."""

from __future__ import annotations

import math

import numpy as np

from trainlens import words
from trainlens.prescribe.base import Advice, Case, Hypothesis, Remedy
from trainlens.prescribe.expecting import NOT_LOGGED, expect, series_of
from trainlens.prescribe.moments import spoken
from trainlens.rules.base import Finding
from trainlens.run import Series
from trainlens.stats.chance import PLAUSIBLE
from trainlens.stats.noise import median

_COLLAPSED = 1e-3
"""A measure that fell to this share of its level is as good as 0."""

_DO: tuple[Remedy, ...] = (
    (
        "evaluate one training batch in evaluation mode: its loss must be that of training",
        {"validation.on_train_batch": True},
    ),
    (
        "check that the weights that are evaluated are those that are trained (loading of the "
        "checkpoint, averaged weights), and how labels and outputs are matched",
        {},
    ),
)


def broken_evaluation(case: Case, finding: Finding) -> Hypothesis | None:
    """A validation measure at 0, at chance or constant, while the training loss falls.

    A model that gets better on its training data does not lose everything on other data from one
    evaluation to the next.
    """
    series = series_of(case, finding)
    if series is None or series.split == "train":
        return None
    stuck = _stuck(series)
    if stuck is None:
        return None
    since, said = stuck
    fell = trained_since(case, since)
    name = spoken(series)
    text = "the evaluation, its labels or the loading of its checkpoint is broken, not the model"
    if fell is None:
        return Hypothesis(text, 0.55, f"{name} {said}", _DO)
    if fell < 0.02:
        return None
    share = words.percent(fell, 2)
    return Hypothesis(text, 0.92, f"{name} {said}, while the training loss fell by {share}", _DO)


def nothing_carries_over(finding: Finding) -> Advice:
    """An accuracy of validation that guesses, while the training loss fell."""
    fell = words.percent(finding.evidence["training_fell"], 2)
    level = finding.evidence.get("level", 0.0)
    return Advice(
        causes=(
            Hypothesis(
                "labels and inputs of the validation do not belong together, or other weights are "
                "evaluated than are trained",
                0.8,
                f"the training loss fell by {fell}, and a model that has learned anything does "
                "better than guess",
                _DO,
            ),
            Hypothesis(
                "the labels of the training are wrong (shuffled), and it memorises them",
                0.6,
                do=(
                    ("look at ten training samples with their labels, as they enter the model", {}),
                ),
            ),
        ),
        verify=f"{finding.split} {finding.metric} leaves {words.number(level)} within ten epochs",
        expect=expect(finding, ">", 1.5 * level, "end"),
        unmeasured=NOT_LOGGED,
    )


def _stuck(series: Series) -> tuple[int, str] | None:
    """Since which step a measure tells nothing, and how it shows; None of one that moves."""
    value, step = series.finite.value, series.finite.step
    end, n = float(value[-1]), len(value)
    if n >= 3 and value.min() == value.max():
        return int(step[0]), f"is {words.number(end)} at every evaluation"
    if series.role.direction != "max" or n < 2:
        return None
    if n >= 3 and (classes := _chance(value)):
        return int(step[0]), f"stays at {words.number(median(value))}, chance for {classes} classes"
    level = float(np.max(value))
    low = value <= _COLLAPSED * level
    if level <= 0 or not low[-1] or low.all():
        return None
    first = int(np.flatnonzero(~low)[-1]) + 1
    at = words.step(int(step[first]))
    return int(step[first - 1]), f"fell from {words.number(float(value[first - 1]))} to " + (
        f"{words.number(end, 2)} at step {at}"
    )


def _chance(value: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> int:
    """Number C of classes where every value is 1 / C within 3 %, else 0."""
    usual = median(value)
    share = usual / 100 if usual > 1 else usual
    if not 0 < share <= 0.5 or float(np.ptp(value)) > 0.1 * usual:
        return 0
    near = min(PLAUSIBLE, key=lambda c: abs(1 / c - share))
    return near if abs(share * near - 1) < 0.03 else 0


def trained_since(case: Case, step: int) -> float | None:
    """Fall of the training loss since a step as a share of its level; None where it is unknown.

    Where nothing was logged since, the fall over the whole run up to its last record.
    """
    loss = case.run.main("loss", "train")
    held = loss.finite if loss is not None else None
    if held is None or len(held) < 8:
        return None
    at = min(int(np.searchsorted(held.step, step)), len(held) - 4)
    before, after = held.value[max(0, at - 20) : max(at, 1)], held.value[at:]
    if at < 4:
        before = held.value[: max(1, len(held) // 20)]
    start, end = median(before), median(after[-max(3, len(after) // 5) :])
    if start <= 0 or not math.isfinite(end / start):
        return None
    return 1 - end / start
