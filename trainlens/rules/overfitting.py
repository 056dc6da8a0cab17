"""The rule ``overfitting``: validation that gets worse while training goes on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainlens import words
from trainlens.detect.curves import curve_of
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.counting import counting_noise, samples_behind
from trainlens.stats.gains import gain
from trainlens.stats.noise import median
from trainlens.stats.rise import LEAST, Rise
from trainlens.stats.trend import as_share, relative, scale_free


@rule(
    "overfitting",
    severity="warning",
    about="validation",
    source="rise of the last evaluations over the best window, corrected for the winner's curse; "
    "compared with Prechelt (1998), doi:10.1007/3-540-49430-8_3",
)
def overfitting(
    run: Run, *, z: float = 3.0, least_rise: float = 0.02, severe: float = 0.2
) -> Iterator[Finding]:
    """Validation has become worse since its best, beyond noise.

    The last evaluations are compared with the best earlier ones; what the best owes to luck is
    taken off; the rise must exceed `z` standard errors and `least_rise`. Of fewer than 15
    evaluations it also counts that the last three or more lie a fifth above all others since the
    best. Beyond `severe` it is an error: a fifth of the loss is more than most changes of a model
    are worth, so the last checkpoint is of no use. Where the training loss rises as well, it is
    no overfitting.

    What to do: use the checkpoint of the best evaluation, stop earlier, then regularise: more
    data or augmentation, weight decay, dropout, a smaller model or learning rate.

    Settings
    --------
    z : standard errors
        What the rise since the best must exceed.
    least_rise : share of the best value
        What it must exceed as well.
    severe : share of the best value
        A rise from which on it is an error.
    """
    judged = _validation(run)
    if not judged:
        yield skip("no validation loss and no validation metric in this log")
        return
    for series in judged:
        yield _judge(run, series, z, least_rise, severe)


def _validation(run: Run) -> list[Series]:
    losses = [run.main("loss", split) for split in ("val", "test")]
    measures = [s for split in ("val", "test") for s in run.with_role("metric", split)]
    return [s for s in (*losses, *measures) if s is not None and s.role.direction]


def _judge(run: Run, series: Series, z: float, least_rise: float, severe: float) -> Finding:
    curve = series.finite
    known = curve_of(curve, series.role.direction)
    level, found = known.level, known.rise(z)
    if found is None:
        return inconclusive(
            f"cannot tell: {words.plural(len(curve), 'evaluation')} of {_name(series)}; "
            f"{LEAST} are the least that can show a rise",
            series,
            evidence={"evaluations": len(curve), "evaluations_needed": LEAST},
        )
    large = _share(curve, found.value) > least_rise
    if large and (at := _came_at_once(curve, level, found)) is not None:
        return inconclusive(
            f"{_name(series)} is {_percent(curve, found.value)} worse than at its best, but nearly "
            f"all of that came with one evaluation, at step {words.step(at)}: this is a jump, not "
            "overfitting",
            series,
            evidence=_evidence(curve, level, found),
        )
    if not (found.significant and large):
        return _fine(series, curve, level, found, least_rise)
    if _within_counts(curve, found):
        return inconclusive(
            f"{_name(series)} is {_percent(curve, found.value)} worse than at its best, which is "
            f"within the chance of the {words.step(samples_behind(curve.value))} samples that its "
            "values are counts of",
            series,
            evidence=_evidence(curve, level, found),
        )
    if _training_rises(run, series, curve, found):
        return inconclusive(
            f"{_name(series)} is {_percent(curve, found.value)} worse than at its best, but the "
            "training loss rises as well: this is no overfitting",
            series,
            evidence=_evidence(curve, level, found),
        )
    return _worse(run, series, curve, level, found, severe)


def _within_counts(curve: Series, found: Rise) -> bool:
    """Whether a share of right answers fell by less than counting so few samples may bring."""
    if curve.role.direction != "max":
        return False
    lost = _share(curve, found.value) * abs(median(curve.value[-found.window :]))
    return lost < counting_noise(curve.value)


def _came_at_once(curve: Series, level: Floats, found: Rise) -> int | None:
    """Step of the evaluation that brought nearly all of a rise, None where it was gradual.

    A single step must bring most of the rise and explain the curve since shortly before its best
    four times as well as a straight line.
    """
    first = max(int(np.argmin(level)) - 3, 0)
    y = level[first:]
    if len(level) < 8 or len(y) < 5:
        return None
    at = 1 + int(np.diff(y).argmax())
    if y[at] - y[at - 1] < 0.6 * found.value:
        return None
    step = _scatter(y[:at]) + _scatter(y[at:])
    away = np.arange(len(y)) - (len(y) - 1) / 2
    line = _scatter(y - away * float(away @ y / (away @ away)))
    return int(curve.step[first + at]) if step < 0.25 * line else None


def _scatter(y: Floats) -> float:
    return float(np.sum((y - y.mean()) ** 2))


def _share(curve: Series, rise: float) -> float:
    return as_share(rise, curve.value, curve.role.direction)


def _percent(curve: Series, rise: float) -> str:
    return words.percent(_share(curve, rise), 2)


def _name(series: Series) -> str:
    return f"{series.split} {series.metric}"


def _evidence(curve: Series, level: Floats, found: Rise) -> dict[str, float]:
    raw = int(np.argmin(level))
    return {
        "best_step": int(curve.step[raw]),
        "best": float(curve.value[raw]),
        "best_window_step": int(curve.step[found.first]),
        "current": median(curve.value[-found.window :]),
        "last": float(curve.value[-1]),
        "rise": _share(curve, found.value),
        "standard_error": found.error,
        "evaluations": len(curve),
        "window": found.window,
    }


def _fine(series: Series, curve: Series, level: Floats, found: Rise, least_rise: float) -> Finding:
    evidence = _evidence(curve, level, found)
    if _share(curve, found.value) <= least_rise and found.smallest > 0.5:
        return inconclusive(
            f"cannot tell: at the noise of {_name(series)} a rise below "
            f"{_percent(curve, found.smallest)} could not be seen; more evaluations, or more "
            "samples in each, would settle it",
            series,
            evidence=evidence,
        )
    best = f"best {words.with_unit(evidence['best'], series.role.unit)} at step "
    best += words.step(int(evidence["best_step"]))
    if _share(curve, found.value) > least_rise:
        return inconclusive(
            f"{_name(series)} is {_percent(curve, found.value)} worse than at its best ({best}), "
            f"which may be noise: from {_percent(curve, found.smallest)} on it would be sure",
            series,
            evidence=evidence,
        )
    return passed(f"{_name(series)} has not risen from its best ({best}).", series,
                  evidence=evidence)  # fmt: skip


def _training_rises(run: Run, series: Series, curve: Series, found: Rise) -> bool:
    """Whether the training loss has risen about as much since the best evaluation."""
    train = run.main("loss", "train")
    if train is None:
        return False
    points = train.finite
    since = np.searchsorted(points.step, curve.step[found.first])
    if len(points) - since < 5:
        return False
    x = relative(points.step)
    moved = gain(x, scale_free(points.value), float(x[since]), 1.0)
    return moved is not None and moved.upper() < 0 and -moved.value > 0.5 * found.value


def _worse(
    run: Run, series: Series, curve: Series, level: Floats, found: Rise, severe: float
) -> Finding:
    evidence = _evidence(curve, level, found)
    unit = series.role.unit
    best, now = evidence["best"], evidence["last"]
    step, window_step = int(evidence["best_step"]), int(evidence["best_window_step"])
    said = (
        f"Do not use the last checkpoint: {_name(series)} has become worse since step "
        f"{words.step(step)} ({words.number(best)} → {words.with_unit(now, unit)}); "
        f"the best is at step {words.step(step)}"
    )
    if window_step != step and found.window > 1:
        said += f", or about {words.step(window_step)} with {found.window} evaluations averaged"
    said += f". The rise is {_percent(curve, found.value)} after allowing for chance"
    ratio = found.value / max(found.error, 1e-12)
    said += f", {words.number(ratio, 2)} standard errors." if ratio < 1e3 else "."
    said += _about_training(run, step)
    return fail(
        said,
        series,
        first_step=step,
        last_step=int(curve.step[-1]),
        evidence=evidence,
        severity="error" if _share(curve, found.value) > severe else None,
        confidence=min(max(0.8 + 0.02 * (ratio - 3), 0.8), 0.99),
    )


def _about_training(run: Run, since: int) -> str:
    train = run.main("loss", "train")
    if train is None:
        return ""
    points = train.finite
    after = points.value[points.step >= since]
    if len(after) < 4:
        return ""
    k = max(1, len(after) // 10)
    start, end = median(after[:k]), median(after[-k:])
    if end >= start:
        return f" The training loss stayed near {words.number(start)}."
    return f" The training loss fell on ({words.number(start)} → {words.number(end)})."
