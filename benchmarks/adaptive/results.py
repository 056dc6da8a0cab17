"""Both tasks, all methods, some seeds each; judged by the comparison of runs."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import trainlens
from benchmarks.adaptive.training import CONTROL, METHODS, STALL, Result, Task, train
from benchmarks.table import Row
from trainlens.comparison.arms import grouped

SEEDS = 5
ARMS = {"stall": tuple(METHODS), "control": ("fixed", "plateau", "seed", "robust")}
"""Methods of each task; the first is what the others are held against."""

_ABOUT = {
    "fixed": "fixed rate",
    "plateau": "ReduceLROnPlateau",
    "seed": 'mode "seed"',
    "recipe": 'mode "seed", rate x5, 10 epochs of warmup',
    "robust": 'mode "robust"',
}
TARGETS = ((50, 3.5), (200, 2.0), (300, 1.0))
"""Losses that the stalled training is to come below, and by which epoch."""


def workers() -> Executor:
    """Two processes to train in."""
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


def trained(task: Task, seeds: int, folder: Path, pool: Executor) -> dict[str, list[Result]]:
    """All methods of a task with all seeds; the logs land in `folder`."""
    asked = [(METHODS[name], seed) for name in ARMS[task.name] for seed in range(seeds)]
    methods, numbers = zip(*asked, strict=True)
    many = len(asked)
    found = pool.map(train, [task] * many, methods, numbers, [folder] * many)
    out: dict[str, list[Result]] = {name: [] for name in ARMS[task.name]}
    for (method, _), result in zip(asked, found, strict=True):
        out[method.name].append(result)
    return out


def late(losses: Sequence[float]) -> float:
    """Mean of the last tenth: what the comparison scores a run by."""
    part = losses[-max(1, len(losses) // 10) :]
    return math.fsum(part) / len(part)


def verdicts(task: Task, folder: Path) -> dict[str, str]:
    """What the comparison of runs says of each method against the first."""
    arms = grouped(list(trainlens.load(folder)), "method")
    by_name = {arm.name.removeprefix("method="): arm for arm in arms}
    first, *others = (by_name[name] for name in ARMS[task.name])
    found = trainlens.compare(first, others, metrics=["loss"])
    return {row.candidate.removeprefix("method="): row.verdict for row in found.rows}


def rows(task: Task, seeds: int, pool: Executor) -> Iterator[Row]:
    """Table of one task: final losses of a method beside those of the fixed rate."""
    with tempfile.TemporaryDirectory() as place:
        found = trained(task, seeds, Path(place), pool)
        said = verdicts(task, Path(place)) if seeds >= 3 else {}
    base = _mean(found["fixed"])
    for name, results in found.items():
        each = " ".join(f"{late(result.losses):.3g}" for result in results)
        note = [f"seeds: {each}"]
        if name != "fixed":
            changes = " ".join(str(len(result.changes)) for result in results)
            note += [f"changes of the rate: {changes}"] if METHODS[name].manager else []
            note += [f"compare: {said[name]}"] if name in said else []
        if task.name == STALL.name:
            note += [reached(results)]
        peer = "" if name == "fixed" else "fixed rate"
        theirs = math.nan if name == "fixed" else base
        title = f"{task.name}, {_ABOUT[name]}"
        yield Row(title, peer, theirs, _mean(results), note="; ".join(note), unit="")


def reached(results: Sequence[Result]) -> str:
    """Median loss at the epochs that have a target."""
    told = []
    for epoch, target in TARGETS:
        values = sorted(late(r.losses[:epoch]) for r in results if len(r.losses) >= epoch)
        if values:
            told.append(f"{values[len(values) // 2]:.3g} at {epoch} (target {target:g})")
    return "median " + ", ".join(told)


def _mean(results: Sequence[Result]) -> float:
    return math.fsum(late(result.losses) for result in results) / len(results)


def results(quick: bool = False) -> Iterator[Row]:
    """Rows of the benchmark."""
    share, seeds = (5, 1) if quick else (1, SEEDS)
    with workers() as pool:
        for task in (STALL, CONTROL):
            yield from rows(replace(task, epochs=task.epochs // share), seeds, pool)
