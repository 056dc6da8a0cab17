"""The aggregates of rliable and ours on the same arrays; skipped where it is not installed."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.diagnosis.tables import Table
from trainlens.comparison import aggregate
from trainlens.run import Floats

RUNS, TASKS, REPS = 10, 20, 10_000
LIMITS = np.linspace(0.0, 1.0, 11)


def why_not() -> str:
    """Why rliable cannot be asked; empty where it can."""
    try:
        import_module("rliable.library")
    except ImportError as error:
        return f"skipped: {error}; pip install rliable"
    return ""


def scores(seed: int = 0) -> tuple[Floats, Floats]:
    """Two algorithms on tasks of unequal difficulty, with runs that fail."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.1, 1.1, TASKS)
    made = [rng.normal(level + gain, 0.15, (RUNS, TASKS)) for gain in (0.0, 0.05)]
    for one in made:
        one[rng.random(one.shape) < 0.05] = 0.0
    return made[1], made[0]


def table() -> Table:
    """A row a statistic: both estimates, both intervals, both times."""
    library, metrics = import_module("rliable.library"), import_module("rliable.metrics")
    x, y = scores()
    body = [
        _interval(name, x, theirs, own, library)
        for name, theirs, own in (
            ("IQM", metrics.aggregate_iqm, aggregate.iqm),
            ("Mean", metrics.aggregate_mean, aggregate.mean),
            ("Median", metrics.aggregate_median, aggregate.median),
            ("Optimality gap", metrics.aggregate_optimality_gap, aggregate.optimality_gap),
        )
    ]
    body += [_improvement(x, y, library, metrics), _profile(x, library)]
    head = ("Statistic", "rliable", "95 %", "seconds", "trainlens", "95 %", "seconds")
    return head, body


def _interval(
    name: str, x: Floats, theirs: Callable[[Floats], float], own: aggregate.Statistic, library: Any
) -> tuple[str, ...]:
    def both(held: Floats) -> Floats:
        return np.array([theirs(held)])

    begin = time.perf_counter()
    points, ends = library.get_interval_estimates({"x": x}, both, reps=REPS)
    middle = time.perf_counter()
    found = aggregate.stratified_bootstrap(x, own, rng=np.random.default_rng(0), reps=REPS)
    end = time.perf_counter()
    return (
        name, f"{points['x'][0]:.4f}", _ends(ends["x"][:, 0]), f"{middle - begin:.2f}",
        f"{float(own(x)):.4f}", _ends(found), f"{end - middle:.2f}",
    )  # fmt: skip


def _improvement(x: Floats, y: Floats, library: Any, metrics: Any) -> tuple[str, ...]:
    reps = REPS // 50  # theirs calls scipy for every task of every resample
    begin = time.perf_counter()
    points, ends = library.get_interval_estimates(
        {"x": (x, y)}, metrics.probability_of_improvement, reps=reps
    )
    middle = time.perf_counter()
    found = aggregate.improvement_bootstrap(x, y, rng=np.random.default_rng(0), reps=REPS)
    end = time.perf_counter()
    return (
        "P(improvement)", f"{float(points['x']):.4f}", _ends(np.ravel(ends["x"])),
        f"{middle - begin:.2f} (a fiftieth)",
        f"{aggregate.probability_of_improvement(x, y):.4f}", _ends(found), f"{end - middle:.2f}",
    )  # fmt: skip


def _profile(x: Floats, library: Any) -> tuple[str, ...]:
    reps = REPS // 10
    begin = time.perf_counter()
    theirs, ends = library.create_performance_profile({"x": x}, LIMITS, reps=reps)
    middle = time.perf_counter()
    own = aggregate.performance_profile(x, LIMITS)
    found = aggregate.stratified_bootstrap(
        x, lambda held: aggregate.performance_profile(held, LIMITS),
        rng=np.random.default_rng(0), reps=reps,
    )  # fmt: skip
    end = time.perf_counter()
    place = len(LIMITS) // 2
    return (
        f"Profile at {LIMITS[place]:g}", f"{theirs['x'][place]:.4f}", _ends(ends["x"][:, place]),
        f"{middle - begin:.2f} (a tenth)", f"{own[place]:.4f}", _ends(found[:, place]),
        f"{end - middle:.2f}",
    )  # fmt: skip


def _ends(ends: Floats) -> str:
    return f"{float(ends[0]):.3f} to {float(ends[1]):.3f}"
