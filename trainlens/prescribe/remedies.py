"""Remedies that several advisers give, with values from the log where it has them."""

from __future__ import annotations

from trainlens import words
from trainlens.prescribe.base import Remedy
from trainlens.run import Run, Series
from trainlens.stats.noise import median


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
    new = rounded(peak * factor)
    text = f"{verb} the peak learning rate from {words.number(peak)} to {words.number(new)}"
    return text, {"optimizer.lr": new}


def warmup(run: Run) -> Remedy:
    """To warm up over a twentieth of the run, 100 steps at least."""
    last = run.steps[1] if run.steps else 0
    length = max(100, int(rounded(0.05 * last)))
    return (
        f"warm the learning rate up over the first {words.step(length)} steps",
        {"scheduler.warmup_steps": length},
    )


def level_before(series: Series, step: int | None) -> float:
    """Median of a finite series before a step; of all of it where hardly anything is before."""
    value = series.value if step is None else series.value[series.step < step]
    if len(value) < 5:
        value = series.value
    return median(value) if len(value) else 1.0


CLIP: Remedy = ("clip the gradient norm at 1.0", {"gradient.clip_norm": 1.0})
