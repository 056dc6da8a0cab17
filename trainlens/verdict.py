"""The one-sentence verdict of a run: the same words in every output."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Run, Series
from trainlens.stats.noise import median, second_difference_noise

# Of equally grave and sure findings, the one that decides what to do next speaks first.


def sentence(diagnosis: Diagnosis) -> str:
    """What to know about a run in one or two sentences.

    Parameters
    ----------
    diagnosis : Diagnosis

    Returns
    -------
    str
        The gravest finding with its numbers and steps, or how the run stands where there is
        none, or what is missing to tell.
    """
    serious = [f for f in diagnosis.findings if f.severity is not Severity.INFO]
    notes = len(diagnosis.findings) - len(serious)
    if serious:
        rest = len(serious) - 1
        besides = f" And {words.plural(rest, 'more finding')}." if rest else ""
        return gravest(diagnosis) + besides
    if diagnosis.verdict == "inconclusive":
        return f"Cannot tell: {reason(diagnosis)}."
    moved, worse = _trend(diagnosis.run)
    # "Healthy" and "is getting worse" in one breath would be believed by nobody.
    state = (
        f"No fault found, but {moved[:1].lower()}{moved[1:]}"
        if worse
        else f"Healthy so far. {moved}"
    )
    known = "".join(f" {s.sentence}." for s in suppressed(diagnosis.results))
    return state + (f" {words.plural(notes, 'note')} below." if notes else "") + known


def gravest(diagnosis: Diagnosis) -> str:
    """The gravest warning or error with its numbers and steps; empty where there is none."""
    lead = next((f for f in diagnosis.findings if f.severity is not Severity.INFO), None)
    return _FAULTS.get(lead.rule, _plainly)(diagnosis.run, lead) if lead else ""


@dataclass(frozen=True)
class Suppressed:
    """Faults that do not count, for one reason.

    Parameters
    ----------
    reason : str
    found : tuple of Finding
    """

    reason: str
    found: tuple[Finding, ...]

    @property
    def sentence(self) -> str:
        """How many, and why, without a full stop."""
        reason = words.shortened(self.reason.rstrip("."), 200)
        return f"{words.plural(len(self.found), 'finding')} suppressed: {reason}"

    @property
    def rules(self) -> str:
        """What they were found by, and where."""
        named = [
            f"{f.rule} at {words.steps(f.first_step, f.last_step)}" if _placed(f) else f.rule
            for f in self.found
        ]
        more = len(named) - 5
        return ", ".join(named[:5]) + (f" and {more} more" if more > 0 else "")


def suppressed(results: Iterable[Finding]) -> list[Suppressed]:
    """The faults that do not count, by the reason that was given."""
    held: dict[str, list[Finding]] = {}
    for f in results:
        if f.suppressed:
            held.setdefault(f.suppressed, []).append(f)
    return [Suppressed(reason, tuple(found)) for reason, found in held.items()]


def reason(diagnosis: Diagnosis) -> str:
    """Why a run cannot be judged, as far as its results tell."""
    if not diagnosis.run.points:
        return "this log holds no point"
    for status in (Status.INCONCLUSIVE, Status.SKIP):
        reasons = [f.message for f in diagnosis.results if f.status is status and f.message]
        if reasons:
            # What most rules lack is what the log lacks.
            return max(reasons, key=reasons.count).rstrip(".")
    return "no rule applies to this log"


# --- how a healthy run stands ---------------------------------------------------------------


def trend(run: Run) -> str:
    """How the most telling quantity moved in the last quarter of a run, as a sentence.

    The move is called one only if it exceeds twice the standard error of its two medians, from
    the step-to-step noise (MAD of second differences).
    """
    return _trend(run)[0]


def _trend(run: Run) -> tuple[str, bool]:
    """The sentence of `trend`, and whether the move is for the worse."""
    series = leading(run)
    if series is None:
        return "No loss and no measure of quality is in this log.", False
    name = capitalised(spoken(series))
    held = series.finite
    late = held.step[0] + 0.75 * (held.step[-1] - held.step[0])
    value = held.value[held.step.searchsorted(late) :]
    if len(value) < 6:
        value = held.value[-6:]
    if len(value) < 6:
        few = words.plural(len(value), "finite point")
        return f"{name} has {few}: too few to see a trend.", False
    third = len(value) // 3
    before, after = median(value[:third]), median(value[-third:])
    # The noise of values near the largest float overflows to infinity: no move can be told.
    with np.errstate(over="ignore", invalid="ignore"):
        change = after - before
        error = 1.2533 * second_difference_noise(held.value) * math.sqrt(2 / third)
    if not abs(change) > 2 * error or before == 0:
        return f"{name} has been level over the last quarter of the run.", False
    share = words.percent(abs(change / before), 2)
    wanted = series.role.direction == ("min" if change < 0 else "max")
    verb = "falling" if change < 0 else "rising"
    still = "still " if wanted else ""
    return f"{name} is {still}{verb} ({share} in the last quarter of the run).", not wanted


def leading(run: Run) -> Series | None:
    """The series that a verdict is about: validation before training, quality before loss."""
    for split in ("val", "test", "train"):
        for role in ("metric", "loss"):
            if split == "train" and role == "metric":
                continue
            held = [s for s in run.with_role(role, split) if len(s.finite)]
            if held:
                return held[0]
    held = [s for s in run.training_series if s.role.direction and len(s.finite)]
    return held[0] if held else None


def spoken(series: Series) -> str:
    """A metric as a colleague would name it: ``validation MPJPE``, ``training loss``."""
    return named(series.metric, series.split, series.role.name, series.role.priority)


def named(metric: str, split: str, role: str, priority: int) -> str:
    """What `spoken` says of a metric of this name, split, role and priority of the role."""
    split = {"train": "training", "val": "validation", "test": "test"}.get(
        split, words.shortened(split)
    )
    if role == "loss" and priority == 3:
        return f"{split} loss"
    name = words.shortened(metric)
    short = name.isalpha() and len(name) <= 5 and name.islower()
    return f"{split} {name.upper() if short else name}"


def capitalised(text: str) -> str:
    """The text with a capital first letter, the rest untouched."""
    return text[:1].upper() + text[1:]


# --- what is wrong --------------------------------------------------------------------------

_TITLES = {
    "lr-jump": "Learning-rate jump",
    "premature-lr-decay": "Early learning-rate decay",
    "non-finite": "Non-finite values",
    "gap-growth": "Generalization gap",
    "out-of-memory": "Out of memory",
    "dead-relu": "Dead ReLU units",
    "single-class-batch": "Single-class batches",
    "missing-warmup": "No warmup",
    "reported-anomaly": "Reported by the training",
    "plan-deviation": "Schedule differs from the plan",
}


def title(rule: str) -> str:
    """A rule name as the title of its findings.

    Examples
    --------
    >>> title("validation-jump"), title("lr-jump")
    ('Validation jump', 'Learning-rate jump')
    """
    return _TITLES.get(rule) or capitalised(rule.replace("-", " "))


def headline(finding: Finding) -> str:
    """Title of a finding with the step where it begins: ``Validation jump at step 12 000``."""
    name = title(finding.rule)
    return f"{name} at {words.steps(finding.first_step, None)}" if _placed(finding) else name


_ALL_ALONG = frozenset({"class-imbalance", "never-learned", "validation-noise"})
"""Rules whose findings are about all of a run, though they name its steps."""


def _placed(finding: Finding) -> bool:
    return finding.first_step is not None and finding.rule not in _ALL_ALONG


def _plainly(run: Run, finding: Finding) -> str:
    return f"{headline(finding)}: {first_sentence(finding.message)}"


def first_sentence(text: str) -> str:
    """The text up to its first full stop, which ends it."""
    head = text.split(". ", 1)[0].rstrip(".")
    return f"{head}."


def _since(run: Run, finding: Finding) -> str:
    if finding.first_step is None:
        return ""
    end = f" of {words.step(run.steps[1])}" if run.steps else ""
    return f" at step {words.step(finding.first_step)}{end}"


def _series(run: Run, finding: Finding) -> Series | None:
    held = run.series.get((finding.metric, finding.split))
    return held if held is not None and len(held.finite) else None


def _overfitting(run: Run, finding: Finding) -> str:
    series = _series(run, finding)
    if series is None or "best_step" not in finding.evidence:
        return capitalised(first_sentence(finding.message))
    held = series.finite
    best = int(np.argmax(held.value) if series.role.direction == "max" else np.argmin(held.value))
    verb = "fallen" if held.value[-1] < held.value[best] else "risen"
    unit = f"{words.THIN}{series.role.unit}" if series.role.unit else ""
    # Its parts stay on one line: no break around the arrow.
    move = f"{words.number(held.value[best])}\u00a0→\u00a0{words.number(held.value[-1])}{unit}"
    return (
        f"Do not use the last checkpoint: {spoken(series)} has {verb} since "
        f"step {words.step(int(held.step[best]))} ({move}); the best is at "
        f"{words.step(int(held.step[best]))}."
    )


def _stagnation(run: Run, finding: Finding) -> str:
    series = _series(run, finding)
    if series is None or finding.first_step is None:
        return f"Stopped learning{_since(run, finding)}: {first_sentence(finding.message)}"
    value = series.finite.value[series.finite.step >= finding.first_step]
    part = max(1, len(value) // 5)
    moved = ""
    if len(value) > 1 and np.median(value[:part]) != 0:
        share = abs(float(np.median(value[-part:]) / np.median(value[:part])) - 1)
        moved = f": {spoken(series)} moved by {words.percent(share, 2)} since"
    return f"Stopped learning{_since(run, finding)}{moved}.{_low_rate(run, finding.first_step)}"


def _low_rate(run: Run, step: int) -> str:
    rate = run.main("learning-rate")
    if rate is None or not len(rate.finite):
        return ""
    held = rate.finite
    at = held.value[max(0, int(np.searchsorted(held.step, step, side="right")) - 1)]
    peak = float(held.value.max())
    if peak <= 0 or at > 0.1 * peak:
        return ""
    share = words.percent(float(at) / peak, 2)
    return f" The learning rate was already at {share} of its peak."


def _divergence(run: Run, finding: Finding) -> str:
    return f"Diverged{_since(run, finding)}: {first_sentence(finding.message)}"


def _non_finite(run: Run, finding: Finding) -> str:
    return f"Broken{_since(run, finding)}: {first_sentence(finding.message)}"


def _never_learned(run: Run, finding: Finding) -> str:
    return f"Never learned: {first_sentence(finding.message)}"


_FAULTS: dict[str, Callable[[Run, Finding], str]] = {
    "overfitting": _overfitting,
    "stagnation": _stagnation,
    "divergence": _divergence,
    "non-finite": _non_finite,
    "never-learned": _never_learned,
}
