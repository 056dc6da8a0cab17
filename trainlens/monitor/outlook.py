"""Early-stop advice: how likely it is that a run still reaches its target."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trainlens import verdict, words
from trainlens.detect.plans import factor_at, plans
from trainlens.detect.rates import header_total, planned_total
from trainlens.expectation.measure import measure
from trainlens.expectation.statement import Expectation
from trainlens.monitor.model import Chance
from trainlens.monitor.target import Target, best_window, curve, of_run, parse
from trainlens.roles import role_of
from trainlens.run import Ints, Run, Series
from trainlens.stats.annealing import Rate
from trainlens.stats.blocks import Floats
from trainlens.stats.outlook import EARLIEST, LEAST, Outlook, Unknowable, outlook
from trainlens.stats.planned import PlanError, Planned
from trainlens.stats.planned import parse as parse_plan
from trainlens.stats.prolonged import Future, Untold, end_of, prolonged
from trainlens.stats.schedule import recognise

__all__ = ["STOP", "Target", "chance", "of_run", "parse"]

STOP = 0.05
"""Below this probability a run is not worth going on."""

_MOST_RATES = 5000
_NEAR = 0.1


@dataclass(frozen=True, eq=False)
class _Plan:
    """The rest of a run, in the steps of its learning rate; no future at the planned end."""

    end: float
    futures: tuple[Future, ...]


def chance(run: Run, target: Target) -> Chance:
    """How likely a run is to reach its target by the end that is planned for it.

    Parameters
    ----------
    run : Run
    target : Target

    Returns
    -------
    Chance
        Advice ``stop`` below a probability of `STOP`, ``reached`` where the best window of the
        evaluations so far has passed the target, empty where it cannot be known: no such series,
        fewer than 8 evaluations, less than 15 % of the plan, no planned end, no learning rate, a
        schedule that cannot be carried on, values that are not finite, a curve that has left its
        course.
    """
    try:
        return _judged(run, target)
    except (Unknowable, Untold) as error:
        return _told(target, because=f"Cannot be known: {error}.")


def _judged(run: Run, target: Target) -> Chance:
    series = _series(run, target)
    name, unit = verdict.capitalised(verdict.spoken(series)), series.unit
    x, y = curve(series, target.direction)
    sign = 1.0 if target.direction == "min" else -1.0
    aim = sign * target.value
    best = best_window(x, y)
    if best <= aim and len(y) >= 3:
        said = words.with_unit(sign * best, unit)
        because = f"{name} has reached {said} already; the target is {_value(target, unit)}."
        return _told(target, 1.0, advice="reached", because=because)
    _check_finite(run, series)
    if len(y) < LEAST:
        raise Unknowable(f"{words.plural(len(y), 'evaluation')} so far, {LEAST} are needed")
    rates = run.main("learning-rate")
    x = _aligned(x, rates)
    now = float(x[-1])
    plan = _planned(run, series, rates, now)
    if not plan.futures:
        because = (
            f"{name} is at the planned end, with {words.with_unit(sign * best, unit)} at best; "
            f"the target was {_value(target, unit)}."
        )
        return _told(target, 0.0, because=because)
    curves = [(f.weight, Rate.of(f.place, f.value, plan.end)) for f in plan.futures]
    found = outlook(
        x, y, plan.end, curves, aim,
        start=_warm(plan.futures[0], now), limits=_limits(series, sign),
    )  # fmt: skip
    return _advised(target, found, sign, name, unit, now / plan.end, plan)


def _series(run: Run, target: Target) -> Series:
    asked = Expectation(target.metric, target.split, "<", target.value, "end", unit=target.unit)
    found = measure(run, asked)[0]
    if found.series is None or (found.why and not len(found.series.finite)):
        raise Unknowable(found.why or "no such series in this log")
    series = found.series
    if target.unit and series.unit and target.unit != series.unit:
        raise Unknowable(found.why)
    way = series.role.direction
    if way and way != target.direction:
        raise Unknowable(
            f"{series.split}/{series.metric} is better {'low' if way == 'min' else 'high'}, "
            "the target asks for the opposite"
        )
    return series


def _check_finite(run: Run, series: Series) -> None:
    for one in (series, run.main("loss", "train")):
        if one is not None and len(one) and not math.isfinite(one.effective.value[-1]):
            raise Unknowable(f"the newest value of {verdict.spoken(one)} is not finite")


# --- the plan -------------------------------------------------------------------------------


def _planned(run: Run, series: Series, rates: Series | None, now: float) -> _Plan:
    """The planned end, and the learning rates that may lead there from `now`.

    Raises
    ------
    Unknowable, Untold
    """
    counted = rates if rates is not None and len(rates.finite) >= 3 else None
    total = planned_total(run, counted if counted is not None else series)
    if (written := _of_header(run, counted, total)) is not None:
        return written if _goes_on(now, written.end) else _Plan(written.end, ())
    if counted is None:
        raise Unknowable("the learning rate is not in this log, and so not whether it will fall")
    good = counted.finite
    step = np.linspace(0, len(good) - 1, min(len(good), _MOST_RATES)).round().astype(np.intp)
    x, y = good.step[step], good.value[step]
    schedule = recognise(x, y)
    end = total or end_of(schedule)
    if not end or not 0 < end < math.inf:
        raise Unknowable("the log does not say when the run is planned to end")
    if not _goes_on(now, end):
        return _Plan(end, ())
    return _Plan(end, prolonged(schedule, x.astype(np.float64), y, end))


def _goes_on(now: float, end: float) -> bool:
    """Whether the planned end is still to come.

    Raises
    ------
    Unknowable
        It is too far away.
    """
    if now < EARLIEST * end:
        done = words.percent(max(now, 0.0) / end, 2)
        raise Unknowable(f"{done} of the plan is done, {words.percent(EARLIEST)} are needed")
    return now < 0.999 * end


def _of_header(run: Run, rates: Series | None, total: float | None) -> _Plan | None:
    """The schedule that the header plans, None without one or where the log does not follow it."""
    held = (spec for field, spec in plans(run) if role_of(field).name == "learning-rate")
    try:
        plan = parse_plan(next(held, None))
        end = plan.total or header_total(run) or total
        if end is None:
            return None
        place = np.linspace(0.0, end, 2001)
        value = _multiplied(run, plan, place, plan.value(place, end))
        if rates is not None:
            good = rates.finite
            wanted = _multiplied(run, plan, good.step, plan.value(good.step, end))
            if float(np.median(np.abs(wanted - good.value))) > _NEAR * float(value.max()):
                return None
    except PlanError:
        return None
    return _Plan(end, (Future(place, value),))


def _multiplied(run: Run, plan: Planned, step: Floats | Ints, value: Floats) -> Floats:
    """Planned values times the logged series that multiplies them; its last value stays."""
    times = factor_at(run, plan.times, step) if plan.times else None
    if times is None:
        return value
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.asarray(value * times)
    if not np.isfinite(found).all():
        raise PlanError("values that are not finite")
    return found


def _aligned(x: Floats, rates: Series | None) -> Floats:
    """Places in the steps of the learning rate, where a series counts something else."""
    if rates is None or not len(rates.finite):
        return x
    last, own = float(rates.finite.step[-1]), float(x[-1])
    if own > 0 and last > 0 and not 0.5 <= own / last <= 2.0:
        return x * (last / own)
    return x


def _warm(future: Future, now: float) -> float:
    """Place at which the first rise of the rate ends; 0 where it does not begin low."""
    value = future.value[future.place <= now]
    if len(value) < 2 or value[0] >= 0.9 * value.max():
        return 0.0
    return float(future.place[int(np.argmax(value >= 0.98 * value.max()))])


def _limits(series: Series, sign: float) -> tuple[float, float]:
    """Between which the values lie by what they are; lower is better."""
    value = series.finite.value
    low, high = float(value.min()), float(value.max())
    if sign > 0:
        return (0.0, math.inf) if low >= 0 else (-math.inf, math.inf)
    if low >= 0 and high <= 1:
        return (-1.0, 0.0)
    return (-100.0, 0.0) if low >= 0 and series.unit == "%" else (-math.inf, math.inf)


# --- what is said ---------------------------------------------------------------------------


def _advised(
    target: Target, found: Outlook, sign: float, name: str, unit: str, done: float, plan: _Plan
) -> Chance:
    low, high = sorted((sign * found.low, sign * found.high))
    stop = found.probability < STOP
    said = [words.with_unit(v, unit) for v in (sign * found.best, sign * found.expected)]
    because = (
        f"{name} is at {said[0]} at best after {words.percent(done, 2)} of the plan and is "
        f"expected to end at {said[1]} ({words.number(low)} to {words.number(high)}); "
        f"the target is {_value(target, unit)}"
    )
    return _told(
        target, found.probability, sign * found.expected, low, high,
        "stop" if stop else "go on", f"{because}{_of_rate(found, unit, plan)}.",
    )  # fmt: skip


def _of_rate(found: Outlook, unit: str, plan: _Plan) -> str:
    """What the learning rate has to do with it."""
    if len(plan.futures) > 1:
        return "; whether the learning rate will fall is not known, so both is counted"
    if -found.gain > max(found.noise, 0.2 * abs(found.now - found.expected)):
        gain = words.with_unit(-found.gain, unit, 2)
        return f"; {gain} of the change is for the learning rate that is still to fall"
    return ""


def _value(target: Target, unit: str) -> str:
    return words.with_unit(target.value, unit)


def _told(
    target: Target,
    probability: float | None = None,
    expected: float | None = None,
    low: float | None = None,
    high: float | None = None,
    advice: str = "",
    because: str = "",
) -> Chance:
    return Chance(
        target.metric, target.split, target.value, target.of,
        probability, expected, low, high, advice, because,
    )  # fmt: skip
