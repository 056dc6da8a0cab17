"""Causes that are moments: what happened right before something went wrong.

Each function gives a hypothesis, or None where the log does not point at that cause.
"""

from __future__ import annotations

import math

from trainlens import words
from trainlens.detect.layers import gradient_norm
from trainlens.prescribe.base import EXCLUDED, LIKELY, Case, Hypothesis, Remedy
from trainlens.prescribe.remedies import (
    CLIP,
    clip_at,
    go_back,
    level_before,
    rounded,
    scaled_lr,
    warmup,
)
from trainlens.prescribe.signs import look, moment, rate
from trainlens.run import Series

SKIP_BAD: Remedy = (
    "skip updates whose gradient is not finite, and log them",
    {"guard.skip_nonfinite": True},
)
_BROKEN, _LARGE = 0.95, 0.8


def ago(step: int, before: int) -> str:
    """``40 steps before``, or ``at the same step``."""
    gone = before - step
    return f"{words.plural(gone, 'step')} before" if gone > 0 else "at the same step"


def broke_first(case: Case, series: Series | None, step: int, what: str) -> Hypothesis | None:
    """Another series that was NaN before.

    Parameters
    ----------
    case : Case
    series : Series or None
        The one that went wrong.
    step : int
        Where it did.
    what : str
        What happened there: ``the loss became NaN``.
    """
    found = [
        b for b in moment.broken_before(case.run, step, series)
        if b.step < step or (b.step == step and _is_part(b.series, series))
    ]  # fmt: skip
    if not found:
        return None
    first = found[0]
    name = spoken(first.series)
    more = len(found) - 1
    others = f", and {words.plural(more, 'other series', 'other series')} after it" if more else ""
    find: Remedy = (f"find the first bad value in what {name} is computed from", {})
    if first.step == step:
        said = f"{name} was NaN from the same step on{others}"
        return Hypothesis(f"the term {name} of the loss", 0.55, said, (find,))
    return Hypothesis(
        f"{name} broke first",
        _BROKEN,
        f"{name} was NaN from {words.steps(first.step, None)} on, {ago(first.step, step)} {what}"
        f"{others}",
        (SKIP_BAD, find, go_back(first.step)),
    )


def _is_part(part: Series, series: Series | None) -> bool:
    """Whether one is a term of the other, a total loss."""
    both = series is not None and part.role.name == series.role.name == "loss"
    return both and series is not None and part.role.priority < series.role.priority


def spoken(series: Series) -> str:
    """A series as it is called in a sentence: ``val/loss``, ``value_normalizer``."""
    plain = series.split == "train" or series.role.name in ("other", "system")
    return series.metric if plain else f"{series.split}/{series.metric}"


def rate_jump(
    case: Case, series: Series, step: int, back: int = moment.BEFORE
) -> Hypothesis | None:
    """The learning rate jumped up shortly before."""
    since = look.points_back(series, step, back)
    move = rate.jump(case.run, since, step)
    if move is None:
        return None
    return Hypothesis(
        "the learning rate jumped",
        0.9,
        f"it rose {words.number(move.times, 3)} times, from {words.number(move.before)} to "
        f"{words.number(move.after)}, at step {words.step(move.step)}, {ago(move.step, step)}",
        (
            (
                f"keep the learning rate at {words.number(rounded(move.before))} there, or ramp it "
                "up over 100 steps",
                {"optimizer.lr": rounded(move.before)},
            ),
        ),
    )


def warmup_over(
    case: Case, series: Series, step: int, back: int = moment.BEFORE
) -> Hypothesis | None:
    """The warmup had just ended: the learning rate was at its peak."""
    end = rate.warmup_end(case.run)
    if end is None:
        return None
    since = look.points_back(series, step, back)
    if not since <= end <= step:
        return None
    held = rate.rate_of(case.run)
    peak = f" at {words.number(float(held.value.max()))}" if held is not None else ""
    return Hypothesis(
        "the peak of the learning rate is more than the model bears",
        LIKELY,
        f"the warmup had ended{peak} at step {words.step(end)}, {ago(end, step)}",
        (lower_rate(case, 0.5), warmup(case.run, at_least=2 * end)),
    )


def cut(case: Case) -> float:
    """Factor by which to lower a learning rate: more, where a run was lost to it."""
    return 0.3 if case.faults("divergence") or case.faults("non-finite") else 0.5


def clip(case: Case, step: int) -> Remedy:
    """To clip at twice the usual norm before the first trouble, or lower than it is clipped now."""
    norm = gradient_norm(case.run)
    limit = look.number_set(case.run, *LIMITS)
    top = None
    if norm is not None and len(norm.finite):
        steps = [f.first_step for rule in _TROUBLE for f in case.faults(rule)]
        first = min([step, *(s for s in steps if s is not None)])
        top = 2 * level_before(norm.finite, first)
    if limit is not None and limit[1] > 0 and (top is None or limit[1] <= top):
        return clip_at(limit[1] / 2)
    return clip_at(top) if top is not None else CLIP


_TROUBLE = ("non-finite", "divergence", "gradient-explosion", "loss-spike")
LIMITS = ("max_grad_norm", "clip_grad_norm", "gradient_clip_val", "grad_clip", "clip_grad",
          "clip_norm", "gradient_clip", "grad_norm_clip", "grad_clip_norm")  # fmt: skip
"""Names that people give to the limit of the gradient norm."""


def lower_rate(case: Case, factor: float) -> Remedy:
    """To lower the peak learning rate."""
    return scaled_lr(case.run, factor, "lower")


def resumed(series: Series, step: int, back: int = moment.BEFORE) -> Hypothesis | None:
    """The run had just been resumed."""
    at = moment.resumed(series, step, back)
    if at is None:
        return None
    return Hypothesis(
        "the resume did not restore everything (optimizer, scheduler, data order, loss scale)",
        0.85,
        f"the run was resumed at step {words.step(at)}, {ago(at, step)}",
        (
            (
                "restore optimizer, scheduler, scaler, data position and random state with the "
                "weights",
                {"resume.full_state": True},
            ),
        ),
    )


def new_epoch(case: Case, series: Series, step: int) -> Hypothesis | None:
    """An epoch had just begun."""
    epoch = moment.new_epoch(case.run, series, step)
    if epoch is None:
        return None
    return Hypothesis(
        "the order of the data",
        0.7,
        f"it begins with epoch {words.step(epoch)}",
        (
            (
                "shuffle anew in every epoch, and see whether the next epoch begins the same way",
                {"data.reshuffle": True},
            ),
        ),
    )


def new_phase(
    case: Case, series: Series, step: int, back: int = moment.BEFORE
) -> Hypothesis | None:
    """The data had just changed, as far as the log tells."""
    found = moment.new_phase(case.run, series, step, back)
    if found is None:
        return None
    return Hypothesis(
        "the data changed",
        0.85,
        f"{found.series.metric} went from {words.number(found.before)} to "
        f"{words.number(found.after)} at step {words.step(found.step)}, {ago(found.step, step)}",
        (
            (
                "change over slowly, or warm the learning rate up again there",
                {"scheduler.rewarm_steps": 100},
            ),
            (f"look at the batches from step {words.step(found.step)} on", {}),
        ),
    )


def overflow(case: Case, step: int, after: int = 0) -> Hypothesis | None:
    """The loss scale of mixed precision had collapsed."""
    found = moment.overflow(case.run, step, after)
    if found is None:
        return None
    return Hypothesis(
        "overflow in half precision",
        0.9,
        f"{found.series.metric} fell from {words.number(found.before)} to "
        f"{words.number(found.after)} by step {words.step(found.step)}: nearly every gradient "
        "overflowed",
        (("train in bfloat16, which needs no loss scale", {"precision": "bf16"}), SKIP_BAD),
    )


def gradient(case: Case, series: Series, first: int, last: int) -> Hypothesis | None:
    """What the gradient norm did before, as a word for or against the optimizer."""
    norm = moment.norm_around(case.run, series, first, last)
    if norm is None:
        return None
    usual = words.number(norm.usual, 3)
    if norm.when == "before":
        many = "∞" if math.isinf(norm.times) or norm.peak >= 1e308 else words.number(norm.times, 3)
        return Hypothesis(
            "the optimizer took steps that were too large",
            _LARGE,
            f"the gradient norm rose to {many} times its usual {usual} at step "
            f"{words.step(norm.step)}, {ago(norm.step, first)}",
            (clip(case, first), lower_rate(case, cut(case))),
        )
    if norm.when == "with":
        return Hypothesis(
            "a learning rate near the edge of stability",
            0.3,
            "the gradient norm rose with it, not before",
            (clip(case, first),),
        )
    return Hypothesis(
        "not the optimizer",
        EXCLUDED,
        f"the gradient norm was as usual before it ({usual})",
    )


def too_early(case: Case, step: int, share: float) -> Hypothesis | None:
    """Trouble at the very start without a warmup; that it came late speaks against."""
    if faults := case.faults("missing-warmup"):
        said = faults[0].message.split(". ", 1)[0].rstrip(".")
        return Hypothesis("no warmup", 0.85, said[:1].lower() + said[1:], (warmup(case.run),))
    high = rate.starts_high(case.run)
    at = look.place(case.run, step)
    if high is None or not high:
        return None
    percent = words.percent(at, 2)
    if at > share:
        return Hypothesis("not the missing warmup", EXCLUDED, f"it began at {percent} of the run")
    held = rate.rate_of(case.run)
    first = f" ({words.number(float(held.value[0]))})" if held is not None else ""
    return Hypothesis(
        "no warmup",
        0.7,
        f"the learning rate starts at its peak{first}, and it began at {percent} of the run",
        (warmup(case.run),),
    )


def moments(
    case: Case, series: Series, step: int, what: str, back: int = moment.BEFORE
) -> tuple[Hypothesis, ...]:
    """Every cause of this kind that the log points at, for something that began at a step.

    Parameters
    ----------
    case : Case
    series : Series
        The one that went wrong.
    step : int
    what : str
        What happened there: ``the spike``.
    back : int
        Logged points before it that are looked at.
    """
    told = (
        broke_first(case, series, step, what),
        overflow(case, step),
        rate_jump(case, series, step, back),
        resumed(series, step, back),
        new_phase(case, series, step, back),
        warmup_over(case, series, step, back),
        new_epoch(case, series, step),
    )
    return tuple(h for h in told if h is not None)
