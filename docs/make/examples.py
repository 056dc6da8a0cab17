"""Synthetic runs that the pages of the rules speak of, and what every rule says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.diagnosis import faults, synthetic
from benchmarks.diagnosis.noise import Floats
from trainlens.prescribe import prescribe
from trainlens.rules import Diagnosis, diagnose
from trainlens.rules.base import Rule
from trainlens.run import Chunk, Column, Run, unknown

__all__ = ["Example", "best", "diagnosed", "pool"]

SEEDS = range(1, 7)
LONGEST = 600
_POINTS = 400
_STEP = np.arange(_POINTS)


@dataclass(frozen=True, eq=False)
class Example:
    """A synthetic run.

    Parameters
    ----------
    made : str
        What makes it, in Python.
    run : Run
    shows : tuple of str
        Rules that are right about it.
    """

    made: str
    run: Run
    shows: tuple[str, ...] = ()


def one_odd_batch() -> Run:
    """A calm training with a single point far above the rest."""
    loss = _falling(0.01)
    loss[233] *= 1.6
    return _run("one-odd-batch", loss=loss)


def told_by_itself() -> Run:
    """A training whose recorder reported batches of low coverage."""
    low = np.full(_POINTS, np.nan)
    low[[120, 121, 122, 260]] = 0.21, 0.18, 0.2, 0.25
    return _run("told-by-itself", {"anomalies/low_coverage": low}, loss=_falling())


def used_up() -> Run:
    """A training whose GPU memory fills up."""
    memory = 78 + 18 * np.minimum(1, _STEP / 250) + 0.2 * _noise(3)
    retries = np.maximum(0.0, (_STEP - 300) // 10)
    return _run("used-up", loss=_falling(), gpu_memory_percent=memory, num_alloc_retries=retries)


def starved() -> Run:
    """A training whose GPU waits for data most of the time."""
    busy = np.clip(35 + 5 * _noise(5), 0, 100)
    return _run("starved", loss=_falling(), gpu_utilization_percent=busy)


def stuttering() -> Run:
    """A training of which one batch in 33 takes ten times as long."""
    time = 0.2 * np.exp(0.02 * _noise(6))
    time[20::33] *= 10
    return _run("stuttering", loss=_falling(), batch_time=time)


def torn() -> Run:
    """A training with an update that is larger than the weights by far."""
    ratio = 1e-3 * np.exp(0.2 * _noise(4))
    ratio[210] = 14.0
    return _run("torn", {"update_ratio/decoder": ratio}, loss=_falling())


_OWN: dict[Callable[[], Run], tuple[str, ...]] = {
    one_odd_batch: ("outlier",),
    told_by_itself: ("reported-anomaly",),
    used_up: (),
    starved: ("low-gpu-utilization",),
    stuttering: ("step-outlier",),
    torn: ("weight-update-ratio",),
}
"""What is made here, and which rules are right about it."""


@cache
def pool() -> tuple[Example, ...]:
    """Every kind of fault of the labelled benchmark at some seeds, healthy runs, and odd ones."""
    held = [_labelled(kind, seed) for kind in synthetic.kinds() for seed in SEEDS]
    held += [
        Example(f"docs.make.examples.{make.__name__}()", make(), shows)
        for make, shows in _OWN.items()
    ]
    return (*held, *_odd(held))


@cache
def diagnosed(profile: str) -> tuple[Diagnosis, ...]:
    """The runs of the `pool`, judged by a profile, with causes and prescriptions."""
    return tuple(prescribe(diagnose(example.run, profile=profile)) for example in pool())


def best(rule: Rule) -> tuple[Example, Diagnosis]:
    """The run that shows the fault of a rule at its gravest, with the fewest others beside it.

    Raises
    ------
    ValueError
        None of the runs has this fault.
    """
    held = [
        (rule.name not in example.shows, -gravest, _beside(rule, found), number)
        for number, (example, found) in enumerate(zip(pool(), diagnosed(rule.profile), strict=True))
        if example.made and (gravest := _gravest(rule, found)) is not None
    ]
    if not held:
        raise ValueError(f"no run of docs.make.examples shows a fault of {rule.name}; add one")
    number = min(held)[-1]
    return pool()[number], diagnosed(rule.profile)[number]


def _gravest(rule: Rule, found: Diagnosis) -> int | None:
    return max((f.severity.rank for f in found.findings if f.rule == rule.name), default=None)


def _beside(rule: Rule, found: Diagnosis) -> int:
    return sum(f.rule != rule.name for f in found.findings)


def _labelled(kind: str, seed: int) -> Example:
    made = f'benchmarks.diagnosis.synthetic.make("{kind}", {seed}, longest={LONGEST}).run'
    known = faults.kinds().get(kind)
    run = synthetic.make(kind, seed, longest=LONGEST).run
    return Example(made, run, known.accepts if known else ())


def _odd(held: Sequence[Example]) -> Iterator[Example]:
    """Runs too short to judge, without a loss that is a number, and with nothing at all."""
    for example in held[:: len(SEEDS)]:
        yield Example("", _cut(example.run, 4))
    nothing = np.full(_POINTS, np.nan)
    yield Example("", _run("nan", loss=nothing, lr=nothing, keep=True))
    yield Example("", _run("flat", loss=np.full(_POINTS, 2.5)))
    yield Example("", Run("empty", "empty", "synthetic"))


def _cut(run: Run, points: int) -> Run:
    columns = [
        Column(s.name, s.step[:points], s.value[:points], s.wall_time[:points], s.epoch[:points])
        for s in run.series.values()
    ]
    return Run(run.name, run.source, run.format).extend(Chunk(tuple(columns), dict(run.config)))


def _falling(noise: float = 0.02) -> Floats:
    return np.asarray((0.4 + 2.0 / (1 + _STEP / 40)) * np.exp(noise * _noise(1)))


def _noise(seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal(_POINTS)


def _run(
    name: str, odd: Mapping[str, Floats] | None = None, *, keep: bool = False, **series: Floats
) -> Run:
    """A run of series with a value a step; NaN is no point unless they are kept."""
    columns = []
    for metric, value in {**series, **(odd or {})}.items():
        at = _STEP if keep else np.flatnonzero(np.isfinite(value))
        held = unknown(len(at))
        columns.append(Column(metric, at.astype(np.int64), value[at], held, held))
    return Run(name, name, "synthetic").extend(Chunk(tuple(columns)))
