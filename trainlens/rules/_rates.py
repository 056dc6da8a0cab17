"""A schedule in words, for the rules that speak of one."""

from __future__ import annotations

import math

from trainlens import words
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.noise import lag1_autocorrelation, median, robust_scale
from trainlens.stats.schedule import Schedule
from trainlens.stats.trend import scale_free

NO_RATE = "no learning rate in this log"

_FALLS = {
    "linear": "a straight line", "cosine": "cosine", "exponential": "exponential decay",
    "inverse-sqrt": "inverse square root",
}  # fmt: skip


def described(found: Schedule, last: int) -> str:
    """A schedule in a sentence, up to the last step of the log.

    Parameters
    ----------
    found : Schedule
    last : int
        Last step of the log.
    """
    before = ""
    if found.warmup and found.family != "ramp":
        shape = "Curved warmup" if found.curved else "Linear warmup"
        before = f"{shape} over {_steps(found.warmup)}, then "
    text = before + _body(found, last)
    return f"{text[:1].upper()}{text[1:]}."


def _body(s: Schedule, last: int) -> str:
    peak = f"the peak {words.number(s.peak, 3)}"
    if s.family == "constant":
        return f"constant at {words.number(s.peak, 3)}"
    if s.family == "step":
        return f"{s.levels} levels from {words.number(s.peak, 3)} to {_floor(s)}"
    if s.family in ("cosine-restarts", "cyclic"):
        what = "cosine" if s.family == "cosine-restarts" else "triangular cycles"
        return (
            f"{what} with {words.plural(len(s.restarts), 'restart')} between {peak} and {_floor(s)}"
        )
    if s.family == "ramp":
        length = f" over {_steps(s.warmup)}" if s.warmup else ""
        return f"rising to {words.number(s.peak, 3)}{length}"
    if s.family == "unknown":
        return f"no schedule that is known here, between {words.number(s.peak, 3)} and {_floor(s)}"
    if s.family == "warmup-stable-decay":
        start = words.step(round(s.decay_start or 0))
        return (
            f"constant at {words.number(s.peak, 3)} up to step {start}, then a decay{_end(s, last)}"
        )
    if s.family == "one-cycle":
        return f"down to {_floor(s)} of one cycle with {peak}"
    name = _FALLS.get(s.family, f"polynomial decay (power {words.number(s.power, 2)})")
    return f"{name}{_end(s, last)}"


def _end(s: Schedule, last: int) -> str:
    peak = f"of the peak {words.number(s.peak, 3)}"
    if s.horizon is None or s.horizon > 1.02 * last:  # what comes behind the log is a guess
        return f", at {words.percent(s.last / s.peak, 2)} {peak} at step {words.step(last)}"
    share = words.percent(max(s.floor, 0.0) / s.peak, 2)
    return f" to {share} {peak} at step {words.step(round(s.horizon))}"


def _floor(s: Schedule) -> str:
    return words.number(s.floor, 3)


def _steps(count: float) -> str:
    return words.plural(max(round(count), 1), "step")


def loss_of(run: Run) -> Series | None:
    """The loss that shows how training took something, of finite values; None without one."""
    found = run.main("loss", "train") or run.main("loss")
    return found.finite if found is not None and len(found.finite) else None


def reacted(loss: Series | None, first: int, last: int) -> float | None:
    """By how much the loss rose between the points before `first` and those after `last`.

    Returns
    -------
    float, relative; None without enough points, and where it is no more than noise
    """
    if loss is None or len(loss) < 12:
        return None
    a, b = int(loss.step.searchsorted(first, "right")), int(loss.step.searchsorted(last, "left"))
    width = min(max(len(loss) // 50, 5), 50)
    level = scale_free(loss.value)
    before, after = level[max(0, a - width) : a], level[b : b + width]
    if len(before) < 4 or len(after) < 4:
        return None
    moved = median(after) - median(before)
    error = _error(before) + _error(after)
    return moved if moved > 0.03 and moved > 4 * error else None


def _error(part: Floats) -> float:
    around = part - median(part)
    rho = min(max(lag1_autocorrelation(around), 0.0), 0.9)
    spread = max(robust_scale(around), float(around.std()) / 3)
    return spread * math.sqrt(1.57 * (1 + rho) / (1 - rho) / len(part))
