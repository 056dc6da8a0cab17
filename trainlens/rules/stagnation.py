"""The rule ``stagnation``: a loss that fell and then stopped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.detect.curves import curve_of
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats, block_medians
from trainlens.stats.chance import stuck_at_chance
from trainlens.stats.gains import gain
from trainlens.stats.noise import median
from trainlens.stats.plateau import Plateau, Stages, onset_of, plateau
from trainlens.stats.trend import as_share, relative


@rule(
    "stagnation",
    severity="warning",
    requires=("non-finite", "divergence"),
    source="equivalence of the gain since the onset with zero, against the gain before it; "
    "time is counted in learning rate where the log has one",
)
def stagnation(
    run: Run, *, min_points: int = 30, least_gain: float = 0.005, premature: float = 0.6
) -> Iterator[Finding]:
    """The loss fell, then stopped while a healthy run would have gone on.

    The gain since a point f of the run is compared with the gain between f / 2 and f. A power law
    gains at least (1 - f) times as much, whatever its unit, floor and exponent; a run that
    stopped gains nothing. It is called stagnant where the first is refuted, the second fits, and
    the loss missed is worth at least `least_gain`.

    Where the log has the learning rate, time is counted in learning rate: a curve that flattens
    because its schedule ends has converged. A learning rate that fell below 10 % of its peak
    before the share `premature` of the run is no excuse, it is the likely cause.

    An information only where the loss had come below 4 % of its start by then.

    What to do: look at the learning rate first (decayed too early, or too high to settle), then
    at frozen parameters, then at capacity and data; stop the run if nothing can be changed.

    Settings
    --------
    min_points : points
        Fewer are not judged.
    least_gain : share of the loss
        What the gain that is missed must be worth.
    premature : share of the run
        A rate that is low before it is no excuse, it is the likely cause.
    """
    series = run.main("loss", "train") or run.main("loss")
    if series is None:
        yield skip("no loss in this log")
        return
    if any(re.search("rew|return|episode", s.metric, re.I) for s in run.with_role("metric")):
        yield skip("in a log with rewards the loss does not measure what is learned", series)
        return
    curve = series.finite
    if len(curve) < min_points:
        yield inconclusive(
            f"cannot tell: {words.plural(len(curve), 'point')} of the loss so far; "
            f"{min_points} are needed to see whether it has stopped falling",
            series,
            evidence={"points": len(curve), "points_needed": min_points},
        )
        return
    yield _judge(run, curve, least_gain, premature)


_SOLVED = 0.04
"""A loss below this share of its start has next to nothing left to fall."""


@dataclass(frozen=True)
class _Rate:
    """The learning rate at each point of a loss, as share of its peak, and its running sum."""

    share: Floats
    spent: Floats

    def low_from(self, x: Floats) -> float:
        """Place in the run since which the rate has stayed below 10 % of its peak."""
        above = np.flatnonzero(self.share >= 0.0999)
        last = int(above[-1]) if len(above) else -1
        return 1.0 if last + 1 >= len(x) else float(x[last + 1])


_EARLY, _SURGE = 0.2, 0.25


def _without_surge(x: Floats, y: Floats) -> Floats:
    """A curve without its rise above its first values, where it has one early on.

    What a loss loses that has blown up without warmup only brings it back: no pace of learning
    that what follows could be measured by.
    """
    head = median(y[: max(3, len(y) // 500)])
    _, early = block_medians(x, y, 200)
    early = early[: max(1, int(_EARLY * len(early)))]
    limit = head + _SURGE
    return np.minimum(y, limit) if float(early.max()) > limit else y


def _judge(run: Run, curve: Series, least_gain: float, premature: float) -> Finding:
    known = curve_of(curve)
    x, start = known.place, known.learning
    y = _without_surge(x, known.level)
    never = start is not None and not start.learned and start.reach < 0.12
    if never or stuck_at_chance(x, y, curve.value):
        return skip("the loss never fell by more than its noise: see never-learned", curve)
    rate = _rate(run, curve)
    stopped = plateau(rate.spent, y, least_gain=least_gain) if rate is not None else None
    if stopped is not None and rate is not None:
        return _stopped(curve, x, y, rate.spent, stopped, rate)
    stages = Stages.of(x, y, least_gain)
    flat = plateau(x, y, least_gain=least_gain, stages=stages)
    if rate is None:
        return _stopped(curve, x, y, x, flat, None) if flat else _going_on(curve, x, y)
    if flat and float(rate.share[int(np.searchsorted(x, flat.onset)) :].min()) > 0.8:
        return _stopped(curve, x, y, x, flat, rate)  # the rate explains nothing: by either clock
    flat = flat or plateau(x, y, least_gain=least_gain, share=0.4, stages=stages)
    # Levelling off is convergence only where the learning rate has decayed.
    if flat is None or float(rate.share[-1]) > 0.5:
        ended = _flat_since_decay(x, y, rate, least_gain, premature)
        return _converged(curve, rate, ended) if ended else _going_on(curve, x, y)
    if rate.low_from(x) < premature:
        return _stopped(curve, x, y, x, flat, rate)
    return _converged(curve, rate, flat.onset)


def _flat_since_decay(
    x: Floats, y: Floats, rate: _Rate, least_gain: float, premature: float
) -> float:
    """Place since which the rate has been low, late in the run, and the loss flat; else 0."""
    place = rate.low_from(x)
    since = gain(x, y, place, 1.0, least=8) if premature <= place <= 0.9 else None
    flat = since is not None and -least_gain < since.lower() <= since.upper() < least_gain
    return place if flat else 0.0


def _converged(curve: Series, rate: _Rate, onset: float) -> Finding:
    return passed(
        f"Converged: the loss levels off as the learning rate decays to "
        f"{words.percent(float(rate.share[-1]), 2)} of its peak, "
        f"{words.percent(_fallen(curve))} below its start.",
        curve,
        evidence={"final_rate_share": float(rate.share[-1]), "onset": onset},
    )


def _fallen(curve: Series) -> float:
    """Share of its start that a loss has lost by its end.

    The start is its very first value where that is higher than the first few: of a steep fall,
    those tell little of where it began.
    """
    y = curve_of(curve).level
    head = max(1, len(y) // 50)
    start = max(median(y[:head]), float(y[0]))
    return 1.0 - math.exp(min(0.0, median(y[-head * 5 :]) - start))


def _rate(run: Run, curve: Series) -> _Rate | None:
    logged = run.main("learning-rate")
    known = logged.finite if logged is not None else None
    if known is None or len(known) < 2:
        return None
    step, place = known.step.astype(np.float64), curve.step.astype(np.float64)
    peak = float(known.value.max())
    covered = (min(step[-1], place[-1]) - max(step[0], place[0])) >= 0.8 * (place[-1] - place[0])
    if peak <= 0 or float(known.value.min()) < 0 or not covered:
        return None
    share = np.interp(place, step, known.value / peak)
    x = relative(curve.step)
    passed_by = x.copy()
    passed_by[1:] -= x[:-1]
    spent = (share * passed_by).cumsum()
    return _Rate(share, spent / spent[-1]) if spent[-1] > 0 else None


def _stopped(
    curve: Series, x: Floats, y: Floats, clock: Floats, found: Plateau, rate: _Rate | None
) -> Finding:
    at = int(np.searchsorted(clock, onset_of(clock, y, found)))
    at = min(at, len(curve) - 2)
    first, last = int(curve.step[at]), int(curve.step[-1])
    moved = gain(x, y, float(x[at]), 1.0)
    bound = max(0.001, _fell(curve, moved.upper() if moved else found.since.upper()))
    share = 1.0 - float(x[at])
    since = _fell(curve, moved.value if moved else found.since.value)
    before = _fell(curve, found.before.value)
    said = (
        f"Stopped learning at step {words.step(first)} of {words.step(last)}: the loss moved by "
        f"less than {words.percent(bound, 2)} in the {words.percent(share, 2)} of the run since, "
        f"after {words.percent(before, 2)} in the stretch before."
    )
    evidence = {
        "onset_share": float(x[at]),
        "moved": since,
        "moved_at_most": bound,
        "moved_before": before,
        "standard_errors": found.score,
        "points": len(curve),
    }
    if rate is not None:
        # A little behind the onset, which is not known to the point.
        share = float(rate.share[min(at + len(curve) // 20, len(curve) - 1)])
        evidence["rate_share_at_onset"] = share
        said += _about_rate(share)
    fallen = _fallen(curve)
    solved = fallen > 1 - _SOLVED and float(curve.value.min()) > 0
    if solved:
        said += f" It is {words.percent(fallen, 3)} below its start: there is little left to learn."
    return fail(
        said,
        curve,
        first_step=first,
        last_step=last,
        evidence=evidence | {"fallen": fallen},
        severity="info" if solved else None,
        confidence=min(max(0.7 + 0.05 * (found.score - 1.8), 0.7), 0.98),
    )


def _fell(curve: Series, gain: float) -> float:
    """A fall of the scale-free level as share of the value."""
    return -as_share(-gain, curve.value)


def _about_rate(share: float) -> str:
    for limit in (0.02, 0.1):
        if share < limit:
            text = words.percent(limit)
            return f" The learning rate was already below {text} of its peak."
    return f" The learning rate was at {words.percent(share, 2)} of its peak."


def _going_on(curve: Series, x: Floats, y: Floats) -> Finding:
    for start, where in ((0.75, "last quarter"), (0.5, "second half")):
        moved = gain(x, y, start, 1.0)
        if moved is not None and moved.value > 0 and moved.lower() > 0:
            fell = _fell(curve, moved.value)
            return passed(
                f"Still falling: {words.percent(fell, 2)} in the {where} of the run.",
                curve,
                evidence={"gain": fell, "error": moved.error, "from": start},
            )
    moved = moved or gain(x, y, float(x[0]), 1.0)
    if moved is None:
        return inconclusive("cannot tell: all points lie at the start of the run", curve)
    seen = _fell(curve, moved.upper() - moved.value)
    return inconclusive(
        f"cannot tell whether the loss still falls: at this noise an improvement below "
        f"{words.percent(seen, 2)} in the second half could not be seen; "
        "a longer run, or a loss averaged over more batches, would settle it",
        curve,
        evidence={
            "gain": _fell(curve, moved.value),
            "error": moved.error,
            "smallest_visible": seen,
        },
    )
