"""The rule ``premature-lr-decay``: the learning rate is used up long before the run ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.detect.curves import curve_of
from trainlens.detect.rates import follows_loss, planned_total, schedule_of
from trainlens.rules._rates import NO_RATE, described, loss_of
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.gains import Gain, gain
from trainlens.stats.noise import median, robust_scale
from trainlens.stats.trend import relative, scale_free

_HORIZONS = frozenset({"linear", "cosine", "polynomial", "one-cycle", "warmup-stable-decay"})
_BY_DESIGN = frozenset({"exponential", "inverse-sqrt"})


@dataclass(frozen=True)
class _Low:
    """Since when the rate is low: step, place in the planned run, and what was planned."""

    step: int
    place: float
    whole: float
    planned: bool
    after: float


@rule(
    "premature-lr-decay",
    severity="warning",
    about="optimizer",
    source="DECODE seed (plateau patience 10 to 50): below 10 % of the peak before 60 % of the "
    "planned steps",
)
def premature_lr_decay(
    run: Run, *, low: float = 0.1, premature: float = 0.6, min_points: int = 10
) -> Iterator[Finding]:
    """The learning rate stays below a tenth of its peak from early on, and training goes on.

    Low is below the share `low` of the peak; early is before the share `premature` of the planned
    steps, taken from the configuration or the logged progress, else of the log. A schedule with
    an end (cosine, linear, ...) that ends early was given the wrong number of steps. One that
    decays by its nature (exponential, inverse square root), drops in steps or on a plateau is
    only blamed where the loss was still falling before and stands still after, or where it is low
    within the first 30 % of the run and the loss, which had fallen until then, is flat since, or
    where steps or a plateau have lowered it before the loss had fallen at all.
    Steps that take it there behind 40 % may be a plan: they are told as information, unless the
    header says that the rate follows the loss.

    What to do: give the schedule the number of steps that are trained; on a plateau, wait longer
    (patience 50) and lower it less (factor 0.7).

    Settings
    --------
    low : share of the peak
        Below it the rate counts as low.
    premature : share of the planned steps
        Before it that is early.
    min_points : points
        Fewer are not judged.
    """
    series = run.main("learning-rate")
    if series is None:
        yield skip(NO_RATE)
        return
    curve = series.finite
    if len(curve) < min_points:
        yield inconclusive(
            f"cannot tell: {words.plural(len(curve), 'point')} of {series.metric}; "
            f"{min_points} are needed",
            series,
            evidence={"points": len(curve), "points_needed": min_points},
        )
        return
    yield _judge(run, series, curve, low, premature)


def _judge(run: Run, series: Series, curve: Series, low: float, premature: float) -> Finding:
    # The few highest values may be a fault of their own.
    top = max(2, len(curve) // 100)
    peak = float(np.partition(curve.value, len(curve) - top)[len(curve) - top])
    if not peak > 0 or float(curve.value.min()) < 0:
        return skip(f"{series.metric} is zero or below at most points", series)
    above = np.flatnonzero(curve.value >= 0.999 * low * peak)
    last = int(above[-1]) if len(above) else 0
    if last >= len(curve) - 1:
        share = float(curve.value[-1]) / peak
        return passed(
            f"The learning rate is at {words.percent(min(share, 1.0), 2)} of its peak at the end "
            "of the log.",
            series,
            evidence={"share": share},
        )
    found = _since(run, curve, last)
    evidence = {"low_since": found.step, "place": found.place, "peak": peak, "steps": found.whole}
    if found.place >= premature:
        return passed(
            f"The learning rate falls below {words.percent(low)} of its peak at "
            f"{words.percent(found.place, 2)} of the run.",
            series,
            evidence=evidence,
        )
    if found.after < 0.1:
        return inconclusive(
            f"cannot tell yet: the learning rate is below {words.percent(low)} of its peak since "
            f"step {words.step(found.step)}, and hardly any training has followed",
            series,
            evidence=evidence,
        )
    return _early(run, series, found, low, evidence)


def _since(run: Run, curve: Series, last: int) -> _Low:
    origin = float(max(min(curve.span[0], 0), curve.span[0] if curve.span[0] < 0 else 0))
    end, step = float(curve.span[1]), int(curve.step[last + 1])
    total = planned_total(run, curve)
    if curve.span[0] > end / 2:
        origin = float(curve.span[0])
    whole = max(total or end, end)
    width = max(whole - origin, 1.0)
    return _Low(step, (step - origin) / width, whole, total is not None, (end - step) / width)


def _early(
    run: Run, series: Series, found: _Low, low: float, evidence: dict[str, float]
) -> Finding:
    schedule, last = schedule_of(series), int(series.span[1])
    loss = loss_of(run)
    unmoved = loss is not None and _never_fell(loss)
    learning = None if unmoved else _learning(loss, found.step)
    if learning is not None:
        evidence |= {"gain_before": learning.before.value, "gain_after": learning.after.value}
    fixed = schedule.family in _HORIZONS and (schedule.horizon or np.inf) < 0.8 * found.whole
    stopped = learning is not None and learning.stopped
    spent = learning is not None and found.place <= 0.3 and learning.spent
    designed = schedule.family in _HORIZONS | _BY_DESIGN and not fixed
    hasty = unmoved and not designed
    if not (fixed or stopped or spent or hasty) or (designed and found.place > 0.25):
        return passed(
            f"{described(schedule, last)} It is below {words.percent(low)} of its peak since "
            f"{words.percent(found.place, 2)} of the run, without harm that the loss shows.",
            series,
            evidence=evidence,
        )
    whole = "planned" if found.planned else "logged"
    said = (
        f"The learning rate is below {words.percent(low)} of its peak since step "
        f"{words.step(found.step)}, {words.percent(found.place, 2)} of the "
        f"{words.step(round(found.whole))} {whole} steps."
    )
    if fixed and schedule.horizon is not None:
        said += f" Its schedule ends at step {words.step(round(schedule.horizon))}."
    if stopped:
        said += " The loss was still falling then and has stood still since."
    elif spent:
        said += " The loss had fallen until about then and has been flat since."
    elif hasty:
        said += " It was lowered before the loss had fallen at all."
    going = learning is not None and learning.going
    late = schedule.family == "step" and found.place > 0.4 and not fixed
    plan = late and not follows_loss(run)
    return fail(
        said,
        series,
        first_step=found.step,
        last_step=max(last, found.step),
        evidence=evidence,
        severity="info" if going or plan else "warning",
        confidence=0.95 if fixed else 0.85,
    )


def _never_fell(loss: Series) -> bool:
    """Whether the loss is flat from its first value on: see never-learned."""
    found = curve_of(loss).learning
    return found is not None and not found.learned and found.reach < 0.12


@dataclass(frozen=True)
class _Learning:
    """What the loss gained in the stretch before a step, and from a little after it on."""

    before: Gain
    after: Gain
    left: float
    fallen: float
    spread: float

    @property
    def stopped(self) -> bool:
        """Falling before, still after: a power law would gain `left` times as much."""
        falling = self.before.value > 0.01 and self.before.lower(2.0) > 0
        healthy = self.left * self.before.value
        still = self.after.value < 0.4 * healthy and self.after.upper(1.0) < healthy
        return falling and (still or self.after.upper() < 0.003)

    @property
    def spent(self) -> bool:
        """Fallen clearly by then, flat after; only a loss that had settled before is excused."""
        fell = self.fallen > max(0.1, 3 * self.spread)
        flat = self.after.upper() < max(0.2 * self.fallen, 0.003)
        return fell and flat and self.before.upper() > 0.03

    @property
    def going(self) -> bool:
        """It gains as much as before."""
        return self.after.lower() > 0 and self.after.value > 0.5 * self.before.value


def _learning(loss: Series | None, step: int) -> _Learning | None:
    if loss is None or len(loss) < 30:
        return None
    x, y = relative(loss.step), scale_free(loss.value)
    place = float(x[min(int(loss.step.searchsorted(step)), len(x) - 1)])
    before = gain(x, y, place / 2, place)
    after = gain(x, y, place + 0.1 * (1 - place), 1.0)
    now = y[(x >= place / 2) & (x <= place)]
    if before is None or after is None or len(now) < 3:
        return None
    spread = robust_scale(y[x >= place + 0.1 * (1 - place)])
    return _Learning(before, after, 1 - place, median(y[:3]) - median(now), spread)
