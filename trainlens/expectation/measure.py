"""The number that an expectation speaks of, taken from a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from trainlens import words
from trainlens.detect.layers import gradient_norm
from trainlens.expectation.statement import GAP, Expectation
from trainlens.roles import ROLES, normalise
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.nearby import interval, nearest
from trainlens.stats.summaries import summary

__all__ = ["Measured", "measure"]


@dataclass(frozen=True, eq=False)
class Measured:
    """A number taken from a run, or why there is none.

    Parameters
    ----------
    value : float
        NaN where there is none.
    points : int
        Of how many points.
    series : Series or None
        The points that counted: of the range that was asked for, or the gap. None without any.
    complete : bool
        Whether the log reaches the end of the range, or the place, that was asked for.
    why : str
        Why there is no number; empty where there is one.
    """

    value: float
    points: int = 0
    series: Series | None = None
    complete: bool = True
    why: str = ""


def measure(run: Run, asked: Expectation) -> tuple[Measured, ...]:
    """What an expectation speaks of, in a run.

    Parameters
    ----------
    run : Run
    asked : Expectation

    Returns
    -------
    tuple of Measured
        One for each series that is meant, at least one.
    """
    found = list(
        _gaps(run, asked) if asked.split == GAP else _found(run, asked.metric, asked.split)
    )
    if not found:
        return (Measured(float("nan"), why=_missing(run, asked)),)
    return tuple(_measured(run, series, asked) for series in found)


# --- which series is meant ------------------------------------------------------------------


def _found(run: Run, metric: str, split: str) -> list[Series]:
    """Series by their name, else by their name in the log, else by their role."""
    here = [s for s in run.series.values() if split in ("*", s.split)]
    if metric.endswith("/*") and metric[:-2] in ROLES:
        return [s for s in here if s.role.name == metric[:-2]]
    if "*" in metric:
        return [s for s in here if fnmatchcase(s.metric, metric)]
    exact = [s for s in here if s.metric == metric]
    exact = exact or [s for s in here if s.name == metric]
    exact = exact or [s for s in here if normalise(s.metric) == normalise(metric)]
    if exact or metric not in ROLES:
        return exact
    of_role = [s for s in run.with_role(metric) if split in ("*", s.split)]
    if metric == "gradient-norm" and split == "train" and (whole := gradient_norm(run)) is not None:
        return [whole]  # put together, where only the norms of layers are logged
    return of_role if split == "*" else of_role[:1]


def _gaps(run: Run, asked: Expectation) -> Iterator[Series]:
    """Validation minus train, where both are logged of one metric; of the losses also of two."""
    for val in _found(run, asked.metric, "val"):
        train = run.series.get((val.metric, "train"))
        if train is None and val is run.main("loss", "val"):
            train = run.main("loss", "train")
        if train is not None:
            yield _difference(val.effective, train.effective)


def _difference(val: Series, train: Series) -> Series:
    """Validation minus the training value at the same step, or nearest within half an interval."""
    place = train.step.astype(np.float64)
    at = nearest(place, val.step.astype(np.float64))
    near = np.flatnonzero(np.abs(place[at] - val.step) <= _reach(place)) if len(place) else at[:0]
    kept = val.take(near)
    with np.errstate(over="ignore", invalid="ignore"):
        return replace(kept, value=kept.value - train.value[at[near]])


def _missing(run: Run, asked: Expectation) -> str:
    if asked.split == GAP:
        return f"no {asked.metric} of both training and validation in this log"
    have = [f"{s.split}/{s.metric}" for s in run.training_series]
    hint = words.nearest(f"{asked.split}/{asked.metric}", sorted(have)[:12])
    return f"no {asked.split}/{asked.metric} in this log; {hint}"


# --- which points of it, and what of them ---------------------------------------------------


def _measured(run: Run, series: Series, asked: Expectation) -> Measured:
    unit = series.unit
    if asked.unit and unit and asked.unit != unit:
        why = f"{series.split}/{series.metric} is in {unit}, the expectation in {asked.unit}"
        return Measured(float("nan"), series=series, why=why)
    held = series.effective
    place = _places(run, held, asked.axis)
    if place is None:
        why = f"the epochs of {series.split}/{series.metric} are not in this log"
        return Measured(float("nan"), series=series, why=why)
    if asked.at is not None:
        return _point(held, place, asked)
    return _range(held, place, asked)


def _places(run: Run, held: Series, axis: str) -> Floats | None:
    """Step or epoch of each point; None where the epochs are unknown."""
    if axis == "step":
        return held.step.astype(np.float64)
    if not np.isnan(held.epoch).all():
        return held.epoch
    logged = run.main("epoch")
    if logged is None or not len(logged.finite):
        return None
    known = logged.finite
    return np.interp(held.step.astype(np.float64), known.step.astype(np.float64), known.value)


def _point(held: Series, place: Floats, asked: Expectation) -> Measured:
    good = np.flatnonzero(np.isfinite(held.value) & np.isfinite(place))
    at, name = float(asked.at or 0.0), f"{held.split}/{held.metric}"
    where = f"{asked.axis} {words.number(at, 12)}"
    if not len(good):
        return Measured(float("nan"), series=held, complete=False, why=f"{name} has no number")
    reach = _reach(place[good])
    one = int(good[np.argmin(np.abs(place[good] - at))])
    if abs(place[one] - at) > reach:
        top = float(place[good].max())
        ends = f"; it ends at {words.number(top, 12)}" if top < at else ""
        why = f"{name} has no point at {where}{ends}"
        return Measured(float("nan"), series=held, complete=top >= at, why=why)
    return Measured(float(held.value[one]), 1, held.take(np.array([one])))


def _range(held: Series, place: Floats, asked: Expectation) -> Measured:
    low = -np.inf if asked.first is None else asked.first
    high = np.inf if asked.last is None else asked.last
    reached = asked.last is None or bool((place + _reach(place) >= high).any())
    inside = np.flatnonzero((place >= low) & (place <= high))
    part, place = held.take(inside), place[inside]
    if not len(part):
        why = f"{held.split}/{held.metric} has no point there"
        return Measured(float("nan"), series=part, complete=reached, why=why)
    value = _statistic(asked.stat, part, place)
    why = "" if np.isfinite(value) else _why_not(asked.stat, part)
    return Measured(value, len(part), part, reached, why)


def _statistic(name: str, part: Series, place: Floats) -> float:
    good = np.isfinite(part.value)
    if name == "count":
        return float(len(part))
    if name == "nonfinite":
        return float(len(part) - good.sum())
    if name == "best":
        name = {"min": "min", "max": "max"}.get(part.role.direction, "")
    return summary(name, place[good], part.value[good]) if name and good.any() else float("nan")


def _why_not(name: str, part: Series) -> str:
    series, good = f"{part.split}/{part.metric}", int(np.isfinite(part.value).sum())
    if name == "best" and not part.role.direction:
        return f"it is not known whether {series} is better high or low; say what it means (roles)"
    if not good:
        return f"{series} has no number there"
    return f"{words.plural(good, 'point')} of {series} there {'is' if good == 1 else 'are'} too few"


def _reach(place: Floats) -> float:
    """Half a logging interval: so far from a point its value may stand for another place."""
    return interval(np.unique(place[np.isfinite(place)])) / 2
