"""Remedies that several advisers give, with values from the log where it has them."""

from __future__ import annotations

from trainlens import words
from trainlens.detect.rates import planned_total
from trainlens.prescribe.base import Remedy
from trainlens.prescribe.signs import rate
from trainlens.run import Run, Series
from trainlens.stats.noise import median

_SEED_RATE = 5e-4
"""A learning rate from which nearly every model moves (DECODE and quad-modal seeds)."""


def peak_lr(run: Run) -> float | None:
    """Largest learning rate of a run, None where none is logged."""
    series = run.main("learning-rate")
    if series is None or not len(series.finite):
        return None
    peak = float(series.finite.value.max())
    return peak if peak > 0 else None


def rounded(value: float) -> float:
    """A value of two digits: a setting, not a measurement."""
    return float(f"{value:.2g}")


def scaled_lr(run: Run, factor: float, verb: str) -> Remedy:
    """To `verb` (raise, lower) the learning rate by a factor, with its value where it is known."""
    peak = peak_lr(run)
    if peak is None:
        text = f"{verb} the learning rate to {words.number(factor)} times what it was"
        return f"{text} (it is not in this log)", {"lr.scale": factor}
    return set_lr(run, rounded(peak * factor), verb)


def set_lr(run: Run, value: float, verb: str) -> Remedy:
    """To `verb` (raise, lower) the peak learning rate to a value."""
    peak = peak_lr(run)
    was = f" from {words.number(peak)}" if peak is not None else ""
    return f"{verb} the peak learning rate{was} to {words.number(value)}", {"optimizer.lr": value}


def raised_lr(run: Run) -> Remedy:
    """To raise a learning rate that moves nothing: five times, and to 5e-4 at least."""
    peak = peak_lr(run)
    if peak is None:
        return scaled_lr(run, 5.0, "raise")
    return set_lr(run, rounded(max(5 * peak, _SEED_RATE)), "raise")


def horizon(run: Run) -> Remedy:
    """To stretch the schedule to the whole run, as planned or as trained."""
    series = run.main("learning-rate")
    planned = planned_total(run, series) if series is not None else None
    total = max(round(planned or 0), run.steps[1] if run.steps else 0, 1)
    return (
        f"stretch the schedule to the {words.step(total)} steps that are trained",
        {"scheduler.total_steps": total},
    )


PATIENCE: Remedy = (
    "if the schedule lowers it on a plateau, wait longer: patience 50, factor 0.7",
    {"plateau.patience": 50, "plateau.factor": 0.7, "plateau.min_lr": 1e-6},
)
WAIT: Remedy = (
    "on a plateau, wait longer and lower the rate less: patience 50, factor 0.7",
    PATIENCE[1],
)


def warmup(run: Run, at_least: int = 100) -> Remedy:
    """To warm up over a twentieth of the run, 100 steps at least."""
    last = run.steps[1] if run.steps else 0
    length = max(at_least, int(rounded(0.05 * last)))
    return (
        f"warm the learning rate up over the first {words.step(length)} steps",
        {"scheduler.warmup_steps": length},
    )


def gentle_start(run: Run) -> tuple[Remedy, ...]:
    """For a run that begins anew at a constant rate: a warmup over a sixth of it, then a cosine.

    The sixth, and the thousandth at which it begins, are those of the quad-modal seed.
    """
    if rate.constant(run) in (None, 0.0):
        return ()
    last = run.steps[1] if run.steps else 0
    length = max(1, int(rounded((planned_total(run, run.main("learning-rate")) or last) / 6)))
    text = (
        "once the loss can fall, begin gently: warm the learning rate up from 0.1 % of its peak "
        f"over the first {words.step(length)} steps, a sixth of the run, then a cosine to 1 %"
    )
    return ((text, {
        "scheduler.kind": "cosine", "scheduler.warmup_steps": length,
        "scheduler.warmup_start": 0.001, "scheduler.floor": 0.01,
    }),)  # fmt: skip


def clip_at(limit: float) -> Remedy:
    """To clip the gradient norm at a value."""
    limit = rounded(max(limit, 1e-8))
    return f"clip the gradient norm at {words.number(limit)}", {"gradient.clip_norm": limit}


def go_back(step: int) -> Remedy:
    """To go on from a checkpoint before a step."""
    step = max(step, 0)
    return f"go back to a checkpoint before step {words.step(step)}", {"resume.before_step": step}


def level_before(series: Series, step: int | None) -> float:
    """Median of a finite series before a step; of all of it where hardly anything is before."""
    value = series.value if step is None else series.value[series.step < step]
    if len(value) < 5:
        value = series.value
    return median(value) if len(value) else 1.0


CLIP: Remedy = ("clip the gradient norm at 1.0", {"gradient.clip_norm": 1.0})
KAIMING: Remedy = (
    "initialise for the activation: Kaiming for ReLU, Xavier for tanh and sigmoid",
    {"model.init": "kaiming"},
)
