"""The same questions of real logs with a learning rate: read, cut, and asked as the monitor asks.

Every loss and every measure of quality with 12 values and more counts once. The run's own end is
the plan, where its configuration holds none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import trainlens
from benchmarks.outlook.ask import AROUND, CUTS
from benchmarks.outlook.score import Asked
from trainlens.monitor.outlook import chance
from trainlens.monitor.target import Target, best_window, curve
from trainlens.run import Run, Series
from trainlens.stats.noise import second_difference_noise
from trainlens.stats.outlook import window, windowed

LEAST = 12


def asked(folder: Path) -> Iterator[tuple[Asked, str]]:
    """Questions and what came of them, with the reasons of refusals."""
    seen: set[tuple[object, ...]] = set()
    for run in _runs(folder):
        rates = run.main("learning-rate")
        if rates is None or len(rates.finite) < 3:
            continue
        planned = run if "max_steps" in run.config else _with_plan(run, rates)
        for key, series in run.series.items():
            mark = (*key, len(series), float(np.nansum(series.value)))
            judged = series.role.name in ("loss", "metric") and series.role.direction
            if judged and len(series.finite) >= LEAST and mark not in seen:
                seen.add(mark)
                yield from _of_series(planned, series)


def _runs(folder: Path) -> Iterator[Run]:
    for path in sorted(p for p in folder.iterdir() if p.is_dir()):
        try:
            yield from trainlens.load(path)
        except trainlens.TrainlensError:
            continue


def _with_plan(run: Run, rates: Series) -> Run:
    return replace(run, config={**run.config, "max_steps": max(rates.span[1], 2)})


def _of_series(run: Run, series: Series) -> Iterator[tuple[Asked, str]]:
    direction = series.role.direction
    sign = 1.0 if direction == "min" else -1.0
    y = curve(series, direction)[1]
    windows = windowed(y, window(len(y)))
    best, last = float(windows.min()), float(windows[-1])
    for cut in CUTS:
        part = _cut(run, cut)
        held = part.series.get((series.metric, series.split))
        if held is None or len(held.finite) < 3:
            continue
        so_far = best_window(*curve(held, direction))
        gain = max(so_far - best, second_difference_noise(y[-20:]))
        for around in AROUND:
            aim = best + gain * around
            if so_far <= aim:
                continue
            told = chance(part, Target(series.metric, series.split, sign * aim, "", direction))
            reached = best <= aim
            if told.low is None or told.high is None:
                yield Asked(None, reached), told.because
                continue
            ends = sorted((sign * told.low, sign * told.high))
            yield Asked(told.probability, reached, ends[0] <= last <= ends[1]), ""


def _cut(run: Run, share: float) -> Run:
    """The run as it was then: each series to the same share of its own steps."""
    series = {}
    for key, s in run.series.items():
        held = s.effective
        if len(held):
            first, last = min(int(held.step[0]), 0), int(held.step[-1])
            at = held.step <= first + share * (last - first)
            series[key] = held.take(np.flatnonzero(at))
    return replace(run, series={k: s for k, s in series.items() if len(s)})
