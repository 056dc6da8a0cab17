"""The rule ``lr-jump``: a learning rate that jumps where no schedule would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.detect.rates import groups, schedule_of
from trainlens.rules._rates import NO_RATE, described, loss_of, reacted
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.jumps import MOST, Jump, jumps, regular

_STRETCH = 3
"""Points at a wrong rate that a training feels; fewer may be a fault of the log."""
_EXPLAINED = frozenset({"cosine-restarts", "cyclic"})


@dataclass(frozen=True)
class _Resume:
    """Where a later attempt began, and the rate there before and after."""

    step: int
    before: float
    after: float


@rule(
    "lr-jump",
    severity="info",
    about="optimizer",
    source="a rise by a factor within three points that no recognised schedule explains; the "
    "factor is a prior",
)
def lr_jump(run: Run, *, factor: float = 3.0, early: float = 0.2) -> Iterator[Finding]:
    """The learning rate jumps up, or drops and comes back, where no schedule would.

    A jump is a rise to at least `factor` times the value within three logged points. The first
    rise (a warmup, or a first stage with a small rate within the share `early` of the run),
    restarts of a recognised schedule, and jumps that come at regular intervals are none. A resumed
    run that goes on with another learning rate is told apart. It is a warning where the rate
    rises above its earlier peak, or from a level above 5 % of that peak to one that is neither it
    nor near it; where it drops suddenly for three points and more and comes back as suddenly; and
    where the loss rises with it and stays up. What looks like a restart is an information.

    What to do: look at what the training script does at that step: a scheduler built anew on
    resuming, a learning rate set by hand, two schedulers on one optimizer, a checkpoint without
    its scheduler.

    Settings
    --------
    factor : times
        Of the value within three points before: from there on a rise is a jump.
    early : share of the run
        In which a first stage with a small rate may end.
    """
    found = groups(run)
    if not found:
        yield skip(NO_RATE)
    for series in found:
        yield from _judge(run, series, factor, early)


def _judge(run: Run, series: Series, factor: float, early: float) -> Iterator[Finding]:
    curve = series.finite
    if len(curve) < 3:
        yield inconclusive(
            f"cannot tell: {words.plural(len(curve), 'point')} of {series.metric}; 3 are needed",
            series,
            evidence={"points": len(curve), "points_needed": 3},
        )
        return
    if float(curve.value.min()) < 0 or not float(curve.value.max()) > 0:
        yield skip(
            f"{series.metric} is no learning rate: it is zero throughout or below zero", series
        )
        return
    resumes = _resumes(series)
    findings = [_resumed(run, series, r) for r in resumes]
    schedule = schedule_of(series)
    if schedule.family not in _EXPLAINED:
        seen = jumps(curve.step, curve.value, factor, early)
        often = len(seen) > max(5, len(curve) // 4)
        if regular(seen) and not often:
            seen = []
        if often or len(seen) > min(max(5, len(curve) // 10), MOST // 2):
            yield inconclusive(
                f"cannot tell: {series.metric} jumps {len(seen)} times or more in "
                f"{words.step(len(curve))} points, as where several parameter groups share a name",
                series,
                evidence={"jumps": len(seen), "points": len(curve)},
            )
            return
        begun = _begins(series)
        left = [j for j in seen if not any(j.before < b <= j.after for b in begun)]
        findings += [_jumped(run, series, j) for j in left[:5]]
    yield from findings
    if not findings:
        yield passed(described(schedule, int(curve.step[-1])), series, evidence=_numbers(series))


def _numbers(series: Series) -> dict[str, float]:
    found = schedule_of(series)
    held = {"peak": found.peak, "floor": found.floor, "error": found.error}
    if found.warmup is not None:
        held["warmup_steps"] = found.warmup
    if found.horizon is not None:
        held["horizon"] = found.horizon
    return {k: float(v) for k, v in held.items() if np.isfinite(v)}


def _jumped(run: Run, series: Series, jump: Jump) -> Finding:
    loss = loss_of(run)
    above = jump.high > 1.05 * jump.peak
    moved = reacted(loss, jump.before, jump.after)
    stays = moved is not None and _stays_up(run, jump.before)
    up = (
        f"{series.metric} jumps from {words.number(jump.low, 3)} to "
        f"{words.number(jump.high, 3)} at step {words.step(jump.after)}"
    )
    if jump.dropped is not None:
        up = (
            f"{series.metric} drops from {words.number(jump.level, 3)} to "
            f"{words.number(jump.low, 3)} at step {words.step(jump.dropped)} and comes back to "
            f"{words.number(jump.high, 3)} at step {words.step(jump.after)}"
        )
    said = f"{up}, which no schedule explains."
    if above:
        times = words.number(jump.high / jump.peak, 2)
        said += f" That is {times} times its highest value before."
    if moved is not None:
        said += (
            f" The loss rises by {words.percent(float(np.expm1(min(moved, 700.0))), 2)} with it."
        )
    return fail(
        said,
        series,
        first_step=min(jump.before, jump.after) if jump.dropped is None else jump.dropped,
        last_step=jump.after,
        evidence={
            "before": jump.low, "after": jump.high, "peak_before": jump.peak,
            "ratio": min(jump.high / max(jump.low, 1e-300), 1e12),
        },
        severity="warning" if above or stays or _odd(jump) else "info",
        confidence=0.95 if above else 0.85,
    )  # fmt: skip


def _odd(jump: Jump) -> bool:
    """Whether it looks like no restart: between two levels, or a stretch at a wrong one."""
    if jump.dropped is not None:
        return jump.missing >= _STRETCH
    return jump.low > 0.05 * jump.peak and jump.high < 0.9 * jump.peak


def _stays_up(run: Run, before: int) -> bool:
    """Whether the loss ends higher than it was before a step."""
    loss = loss_of(run)
    return (
        loss is not None
        and reacted(loss, before, int(loss.step[-max(1, len(loss) // 10)])) is not None
    )


def _begins(series: Series) -> list[int]:
    if series.attempts < 2:
        return []
    starts = np.flatnonzero(np.diff(series.attempt)) + 1
    return [int(s) for s in series.step[starts][-50:]]


def _resumes(series: Series) -> list[_Resume]:
    """Resumptions after which the rate is another for good, none that started from scratch."""
    found: list[_Resume] = []
    if series.attempts < 2:
        return found
    curve = series.finite
    origin, end = curve.span
    starts = np.flatnonzero(np.diff(series.attempt)) + 1
    edges = np.append(starts, len(series))
    for start, behind in list(zip(starts, edges[1:], strict=True))[-50:]:
        step = int(series.step[start])
        if step - origin < 0.01 * (end - origin):
            continue
        new = series.value[start:behind][:200]
        new = new[np.isfinite(new)]
        old = _before(series, int(start), step)
        if old is None or len(new) < 3:
            continue
        now = float(np.median(new[:3]))
        higher = now > 1.5 * old
        lower = float(new.max()) < old / 1.5
        if (higher or lower) and old > 0:
            found.append(_Resume(step, old, now))
    return found


def _before(series: Series, start: int, step: int) -> float | None:
    """Value at a step in the attempts before, or at the last step below it."""
    at, value = series.step[:start], series.value[:start]
    good = np.flatnonzero((at <= step) & np.isfinite(value))
    if not len(good):
        return None
    near = good[at[good] == at[good].max()]
    return float(value[near[-1]])


def _resumed(run: Run, series: Series, resume: _Resume) -> Finding:
    curve = series.finite
    earlier = curve.value[curve.step < resume.step]
    peak = float(earlier.max()) if len(earlier) else resume.before
    above = resume.after > 1.05 * max(peak, resume.before)
    moved = reacted(loss_of(run), resume.step - 1, resume.step)
    said = (
        f"Resumed at step {words.step(resume.step)} with another learning rate: {series.metric} "
        f"was {words.number(resume.before, 3)} there and goes on with "
        f"{words.number(resume.after, 3)}."
    )
    if moved is not None:
        said += (
            f" The loss rises by {words.percent(float(np.expm1(min(moved, 700.0))), 2)} with it."
        )
    return fail(
        said,
        series,
        first_step=resume.step,
        last_step=resume.step,
        evidence={"before": resume.before, "after": resume.after, "peak_before": peak},
        severity="warning" if above or moved is not None else "info",
        confidence=0.9,
    )
