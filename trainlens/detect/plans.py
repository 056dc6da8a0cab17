"""Planned schedules of the header of a log, beside what was logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainlens.detect.rates import header_total, planned_total
from trainlens.roles import normalise, role_of
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.deviation import Deviation, deviation
from trainlens.stats.planned import PlanError, Planned

_MOST_FIELDS, _MOST_GROUPS = 50, 8
_TRAINING = ("train", "")


@dataclass(frozen=True, eq=False)
class Compared:
    """A logged value beside its plan.

    Parameters
    ----------
    series : Series
        Finite, with points.
    planned : ndarray of shape (n,)
        At its steps, times what multiplies the plan.
    found : Deviation
    missing : str
        Name of the series that multiplies the plan, where it is not in the log.
    """

    series: Series
    planned: Floats
    found: Deviation
    missing: str = ""


def plans(run: Run) -> Iterator[tuple[str, object]]:
    """Fields and their plans, as the header of the log holds them."""
    held = run.config.get("schedules")
    if isinstance(held, Mapping):
        for field, spec in list(held.items())[:_MOST_FIELDS]:
            if field != "total_steps":
                yield str(field), spec


def logged(run: Run, field: str) -> list[tuple[Series, str | None]]:
    """Series of a planned field, and those of its parameter groups with the name of the group.

    What has a plan of its own, and what multiplies a plan, is no group of another field:
    ``lr_factor`` is none of ``lr``.
    """
    own = [(series, None) for series in _named(run, field) if series.split in _TRAINING]
    others = _taken(run) - {field}
    groups = [
        (series, series.metric[len(field) + 1 :])
        for series in run.series.values()
        if len(series)
        and series.split in _TRAINING
        and series.metric.startswith(field)
        and series.metric[len(field) : len(field) + 1] in ("/", "_", "-", ".")
        and normalise(series.metric) != normalise(field)
        and not others & {series.metric, series.name}
    ]
    if not own and not groups and role_of(field).name == "learning-rate":
        rate = run.main("learning-rate")
        own = [(rate, None)] if rate is not None and rate.metric not in others else []
    return [*own[:1], *groups[:_MOST_GROUPS]]


def compare(
    run: Run, series: Series, group: str | None, plan: Planned, tolerance: float = 0.0
) -> Compared | None:
    """Compare a series with its plan.

    Parameters
    ----------
    run : Run
    series : Series
    group : str or None
        Name of a parameter group, whose values are a multiple of the plan.
    plan : Planned
        Where it is multiplied by a series that is not in this log, it is compared without.
    tolerance : float
        Share of the planned value that is no deviation.

    Returns
    -------
    Compared, or None for a series without a finite value

    Raises
    ------
    PlanError
        Nothing says how many steps the training has, or its values are not finite.
    """
    curve = series.finite
    if not len(curve):
        return None
    total = plan.total or header_total(run) or planned_total(run, curve)
    values = plan.value(curve.step, total)
    times = factor_at(run, plan.times, curve.step) if plan.times else None
    known = np.ones_like(values) if times is None else times
    with np.errstate(over="ignore", invalid="ignore"):
        if group is not None:
            values = values * _ratio(plan, group, curve, values * known)
        planned = values * known
        if not np.isfinite(planned).all():
            raise PlanError(f"times {plan.times} it gives values that are not finite")
        found = deviation(curve.step, curve.value, values, tolerance, known)
    return Compared(curve, planned, found, plan.times if times is None else "")


def factor_at(run: Run, name: str, step: NDArray[np.int64] | Floats) -> Floats | None:
    """What a series holds at each step: its last value at or before it, 1 before its first.

    Parameters
    ----------
    run : Run
    name : str
        Of the series. NaN and infinities in it are left out.
    step : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,), or None where the log has no such series
    """
    held = [series.finite for series in _named(run, name) if len(series.finite)]
    if not held:
        return None
    curve = min(held, key=lambda series: series.split not in _TRAINING)
    at = np.searchsorted(curve.step, step, side="right")
    return np.append(1.0, curve.value)[at]


def _named(run: Run, name: str) -> list[Series]:
    """Series of a name in any split, those whose name is exactly that first."""
    wanted = normalise(name)
    exact, near = [], []
    for series in run.series.values():
        if len(series) and name in (series.metric, series.name):
            exact.append(series)
        elif len(series) and normalise(series.metric) == wanted:
            near.append(series)
    return [*exact, *near]


def _taken(run: Run) -> set[str]:
    """Names that are planned themselves, or multiply a plan."""
    held = list(plans(run))
    times = [spec.get("times") for _, spec in held if isinstance(spec, Mapping)]
    return {field for field, _ in held} | {name for name in times if isinstance(name, str)}


def _ratio(plan: Planned, group: str, curve: Series, values: Floats) -> float:
    """Factor of a parameter group: planned, else what the first tenth of the log shows."""
    if plan.ratios and group in plan.ratios:
        return plan.ratios[group]
    some = np.flatnonzero(values[: max(5, len(values) // 10)] > 1e-3 * float(values.max()))
    if not len(some):
        return 1.0
    ratio = float(np.median(curve.value[some] / values[some]))
    return ratio if np.isfinite(ratio) else 1.0
