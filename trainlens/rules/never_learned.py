"""The rule ``never-learned``: a loss that is flat from its first value on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from trainlens import words
from trainlens.detect.curves import curve_of
from trainlens.rules.base import Finding, Status, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.chance import PLAUSIBLE, guessing_among, stuck_at_chance
from trainlens.stats.counting import samples_behind
from trainlens.stats.gains import gain
from trainlens.stats.learned import Learning
from trainlens.stats.noise import median


@rule(
    "never-learned",
    severity="error",
    requires=("non-finite",),
    source="quad-modal seed (loss at 3.43 from the first epoch on, at any learning rate)",
)
def never_learned(
    run: Run, *, min_points: int = 10, flat: float = 0.05, flat_at_chance: float = 0.12
) -> Iterator[Finding]:
    """The loss has not left its first level: nothing has been learned.

    A fault where no first stretch of the run, of whatever length, stands out by 2 % and more than
    noise above what came later, and where the data leave at most `flat` of improvement possible
    (`flat_at_chance` where the level is ln C within 2 %: what guessing among C classes gives). Up
    to half as much again it is a warning, if no more than 0.6 of `flat` is seen.
    A loss that fell is no better than guessing where it then lies at ln C or up to half as much
    again, and an accuracy has stayed at 1 / C all along.
    Without a loss, an accuracy that stays at 1 / C is judged; so is one of validation although
    the training loss falls by a quarter or more. A measure of quality that is 0 to the digit in
    every evaluation while the loss falls is a finding of its own: of the evaluation or the labels,
    not of the model.

    What to do, in this order: check that every batch mixes the classes (sampler), then the
    balance of the classes, then the learning rate, then frozen parameters, then whether the
    gradient reaches them.

    Settings
    --------
    min_points : points
        Fewer are not judged.
    flat : share of the level
        Improvement that the data may still leave possible.
    flat_at_chance : share of the level
        The same at the level of guessing.
    """
    series = run.main("loss", "train") or run.main("loss")
    if series is None:
        accuracy = _accuracy(run)
        if accuracy is None:
            yield skip("no loss and no accuracy in this log")
        else:
            yield _judge_accuracy(accuracy, min_points)
        return
    yield from _at_zero(run, series, min_points)
    if _rewarded(run):
        yield skip("in a log with rewards the loss does not measure what is learned", series)
        return
    curve = series.finite
    found = curve_of(curve).learning
    if found is None or len(curve) < min_points:
        yield _too_short(series, len(curve), min_points)
        return
    judged = _judge(run, curve, found, flat, flat_at_chance)
    if judged.status is not Status.FAIL:
        judged = _no_better_than_guessing(run, curve, min_points) or judged
    yield judged
    if judged.status is Status.PASS and found.drop > 0.25:
        yield from _guessing_elsewhere(run, found.drop, min_points)


def _guessing_elsewhere(run: Run, drop: float, min_points: int) -> Iterator[Finding]:
    """An accuracy of validation that stays at chance while the training loss falls."""
    accuracy = next((s for s in _accuracies(run) if s.split in ("val", "test")), None)
    if accuracy is None or len(accuracy.finite) < min_points:
        return
    judged = _judge_accuracy(accuracy, min_points)
    if judged.failed:
        fallen = words.percent(1.0 - math.exp(-drop), 2)
        carried = f", while the training loss fell by {fallen}: nothing of it carries over."
        yield replace(
            judged,
            message=judged.message.rstrip(".") + carried,
            evidence={**judged.evidence, "training_fell": 1.0 - math.exp(-drop)},
        )


def _no_better_than_guessing(run: Run, curve: Series, min_points: int) -> Finding | None:
    """A loss that came down to what guessing among C classes gives, by an accuracy of 1 / C."""
    held = sorted(_accuracies(run), key=lambda s: s.split == "train")
    accuracy = next((s for s in held if len(s.finite) >= min_points), None)
    judged = _judge_accuracy(accuracy, min_points) if accuracy is not None else None
    if accuracy is None or judged is None or not judged.failed:
        return None
    later = curve.value[len(curve) // 4 :]
    level, guessed = median(later), math.log(judged.evidence["classes"])
    known = curve_of(curve)
    since = gain(known.place, known.level, float(known.place[len(curve) // 4]), 1.0)
    falls = since is None or since.value > 0.05 or since.lower(2.33) > 0.005
    if falls or not 0.98 * guessed <= level <= 1.5 * guessed:
        return None
    classes = words.step(int(judged.evidence["classes"]))
    return fail(
        f"The loss came down to {words.number(level)} and has stayed there: no better than "
        f"guessing among {classes} classes (ln {classes} = {words.number(guessed)}). "
        f"{judged.message[:1].upper()}{judged.message[1:]}",
        curve,
        first_step=int(curve.step[0]),
        last_step=int(curve.step[-1]),
        evidence={
            "level": level,
            "accuracy": judged.evidence["level"],
            "classes": judged.evidence["classes"],
            "points": len(curve),
        },
        confidence=0.95,
    )


def _at_zero(run: Run, loss: Series, enough: int) -> Iterator[Finding]:
    """Measures that never leave 0 although the loss falls; only a note where they are few."""
    fallen = loss.finite.value
    if len(fallen) < 2 or not fallen[-1] < fallen[0]:
        return
    held = [
        s for s in run.with_role("metric")
        if s.role.direction == "max" and len(s.finite) >= 3 and not s.finite.value.any()
    ]  # fmt: skip
    if not held:
        return
    first, n = held[0], len(held[0].finite)
    more = f" and {words.plural(len(held) - 1, 'more measure')}" if held[1:] else ""
    verb = "are" if more else "is"
    yield fail(
        f"{first.split} {first.metric}{more} {verb} exactly 0 in all "
        f"{words.plural(n, 'evaluation')}, while the {loss.split} loss fell from "
        f"{words.number(float(fallen[0]))} to {words.number(float(fallen[-1]))}.",
        first,
        first_step=int(first.finite.step[0]),
        last_step=int(first.finite.step[-1]),
        evidence={"evaluations": n, "measures_at_zero": len(held)},
        severity="warning" if n >= enough else "info",
        confidence=0.9 if n >= enough else 0.5,
    )


def _too_short(series: Series, points: int, needed: int) -> Finding:
    return inconclusive(
        f"cannot tell: {words.plural(points, 'point')} so far; {needed} are needed to call a "
        "curve flat",
        series,
        evidence={"points": points, "points_needed": needed},
    )


def _judge(run: Run, curve: Series, found: Learning, flat: float, at_chance: float) -> Finding:
    evidence = {
        "drop": found.drop,
        "drop_at_most": found.reach,
        "level": median(curve.value),
        "points": len(curve),
    }
    known = curve_of(curve)
    if classes := stuck_at_chance(known.place, known.level, curve.value):
        return _flat(run, curve, found, evidence, classes, flat)
    if found.learned or found.total.lower(2.33) > 0.02:
        fallen = 1.0 - math.exp(-max(found.drop, found.total.value, 0.02))
        return passed(f"It learned: the loss fell by {words.percent(fallen, 2)}.", curve,
                      evidence=evidence)  # fmt: skip
    if found.total.lower(2.33) > 0.005 or (_steady(curve) and found.total.value > 0.005):
        return inconclusive(
            f"the loss has fallen by {words.percent(1 - math.exp(-found.total.value), 2)} only, "
            "though steadily: too little to call it learning, too steady to call it flat",
            curve,
            evidence=evidence,
        )
    if evidence["level"] == 0.0:
        return inconclusive("the loss is 0: nothing is minimised here", curve, evidence=evidence)
    classes = guessing_among(evidence["level"])
    allowed = at_chance if classes else flat
    if not _is_flat(found, allowed):
        return inconclusive(
            f"cannot tell: no improvement so far, but at this noise one below "
            f"{words.percent(-math.expm1(-found.reach), 2)} could not be seen; more points would "
            "settle it",
            curve,
            evidence=evidence,
        )
    if other := _improving(run, curve):
        return inconclusive(
            f"the loss has not moved, but {other.split} {other.metric} improves: this loss may "
            "not be what the training minimises",
            curve,
            evidence=evidence,
        )
    if _warming_up(run, curve):
        return inconclusive(
            "no improvement so far, but the learning rate still rises: its warm-up is not over",
            curve,
            evidence=evidence,
        )
    return _flat(run, curve, found, evidence, classes, flat)


def _steady(curve: Series) -> bool:
    """Whether nearly every point lies below the one before, as noise with a memory does not."""
    return float(np.mean(curve.value[1:] < curve.value[:-1])) >= 0.9


def _is_flat(found: Learning, allowed: float) -> bool:
    """Whether hardly any improvement is possible, or little is seen and not much is possible."""
    if found.total.value < -allowed:
        return False
    seen = max(found.total.value, found.drop)
    return found.reach <= allowed or (seen <= 0.6 * allowed and found.reach <= 1.5 * allowed)


def _flat(
    run: Run, curve: Series, found: Learning, evidence: dict[str, float], classes: int, flat: float
) -> Finding:
    first, last = int(curve.step[0]), int(curve.step[-1])
    level, count = words.number(evidence["level"]), words.plural(len(curve), "point")
    said = f"The loss has not moved from {level} since the first step ({count} up to step "
    reach = f"any improvement is below {words.percent(found.reach, 2)}"
    said += f"{words.step(last)}): {reach if found.reach > 1e-6 else 'not by a digit'}."
    if found.learned:
        said = f"The loss only came down from its random start to {level} and has stayed there "
        said += f"({count} up to step {words.step(last)})."
    if classes:
        evidence["classes"] = classes
        said += f" That is close to ln {words.step(classes)} = {words.number(math.log(classes))}, "
        said += f"what guessing among {words.step(classes)} gives."
    accuracy = _accuracy(run)
    if accuracy is not None and len(accuracy.finite):
        value = median(accuracy.finite.value)
        evidence["accuracy"] = value
        said += f" {accuracy.split} {accuracy.metric} is at {words.number(value)}."
        if _one_answer(accuracy.finite) and not (accuracy.finite.value == value).all():
            values = words.plural(len(np.unique(accuracy.finite.value)), "value")
            said += f" It takes only {values}, as where all samples get the same answer."
    resumed = first > 0.2 * last and first > len(curve)
    if resumed:
        said = said.replace("since the first step", "since the log begins", 1)
        said += f" It begins at step {words.step(first)}: what was learned before is not known."
    confidence = 0.98 if found.reach < 0.02 or classes else 0.9
    unsure = not classes and found.reach > flat
    severity = "info" if resumed else "warning" if unsure else None
    return fail(
        said,
        curve,
        first_step=first,
        last_step=last,
        evidence=evidence,
        severity=severity,
        confidence=0.75 if unsure else confidence,
    )


def _rewarded(run: Run) -> bool:
    return any(re.search("rew|return|episode", s.metric, re.I) for s in run.with_role("metric"))


def _improving(run: Run, curve: Series) -> Series | None:
    """Another loss or measure of this run that did get better."""
    for other in (*run.with_role("metric"), *run.with_role("loss")):
        if (other.metric, other.split) == (curve.metric, curve.split):
            continue
        if other.role.name == "loss" and other.split == curve.split:
            continue  # one part of a flat total may well fall while another rises
        points = other.finite
        if _one_answer(points):
            continue
        found = curve_of(points, other.role.direction).learning if len(points) >= 8 else None
        if found is not None and found.learned and found.drop > 0.1:
            return other
    return None


def _one_answer(accuracy: Series) -> bool:
    """Whether an accuracy takes a few values only: shares of classes that all samples are given.

    Of 100 samples and more, whatever is learned gives more than a dozen values in time.
    """
    n, values = len(accuracy), len(np.unique(accuracy.value))
    alike = n >= 15 and values <= min(12, n // 3) and "acc" in accuracy.metric.lower()
    return alike and (values < 3 or samples_behind(accuracy.value) >= 100)


def _warming_up(run: Run, curve: Series) -> bool:
    logged = run.main("learning-rate")
    if logged is None or len(logged.finite) < 3:
        return False
    rate = logged.finite
    rising = bool((np.diff(rate.value) >= 0).all())
    return rising and rate.value[-1] > 1.02 * rate.value[int(0.8 * len(rate))]


def _accuracies(run: Run) -> list[Series]:
    return [s for s in run.with_role("metric") if "acc" in s.metric.lower()]


def _accuracy(run: Run) -> Series | None:
    return next(iter(_accuracies(run)), None)


def _judge_accuracy(series: Series, min_points: int) -> Finding:
    curve = series.finite
    if len(curve) < min_points:
        return _too_short(series, len(curve), min_points)
    found = curve_of(curve, "max").learning
    level = median(curve.value)
    share = level / 100 if float(curve.value.max()) > 1.5 else level
    near = min(PLAUSIBLE, key=lambda c: abs(1 / c - share))
    if found is not None and (found.learned or found.total.lower(2.33) > 0.05):
        return passed(f"It learned: {series.split} {series.metric} improved.", series)
    flat = found is not None and not found.learned and abs(found.reach) < 0.1
    flat = flat and found is not None and found.total.upper(2.33) > -0.01
    if not flat or abs(share * near - 1) > 0.1:
        return inconclusive(
            f"cannot tell: no loss in this log, and {series.metric} is at no chance level", series
        )
    return fail(
        f"{series.split} {series.metric} has stayed at {words.number(level)}, what guessing among "
        f"{words.step(near)} classes gives, in all {words.plural(len(curve), 'evaluation')}.",
        series,
        first_step=int(curve.step[0]),
        last_step=int(curve.step[-1]),
        evidence={"level": level, "classes": near, "points": len(curve)},
        confidence=0.95,
    )
