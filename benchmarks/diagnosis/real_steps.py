"""False alarms of `loss-spike` on real trainings that are healthy, logged at every step.

The trainings are run on the spot (torch is needed); nothing is put into them. Real trainings have
real spikes, too, and an alarm for one of those is right. What decides is the `reference`, the
loss of the model on fixed data before each update, and no look at the log: an alarm is true where
the reference rises there by more than 10 robust standard deviations of its own, and by half of
what the alarm says. Everything else, hard batches foremost, is a false alarm.

That silence is worth something is shown on the same trainings with the spikes of tier B put in.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.diagnosis import real
from benchmarks.diagnosis.labelled import Labelled
from benchmarks.diagnosis.noise import Floats
from benchmarks.diagnosis.score import outcome
from trainlens.rules import diagnose
from trainlens.rules.base import Finding, Severity
from trainlens.run import Chunk, Column, Run, unknown
from trainlens.stats.noise import MAD_TO_SIGMA, median

if TYPE_CHECKING:
    from benchmarks.diagnosis.trainings.every_step import Recipe, Trained

_BEFORE = 51  # steps whose median is the level of the reference
_AROUND = 1000  # steps that tell its spread
_SIGMAS = 10.0
_ALL = 10**6  # findings: every spike, not the largest alone


@dataclass(frozen=True)
class Judged:
    """What became of one training.

    Parameters
    ----------
    name : str
    task : str
    steps : int
    healthy : bool
        Whether it converged; those that did not are counted apart.
    false, true, notes : int
        Alarms for hard batches, alarms for real spikes, spikes that are only noted.
    labels, hits, extra : int
        Spikes put into a copy of it, those found, and alarms elsewhere in that copy.
    messages : tuple of str
        What was said, with ``false`` or ``true`` before it.
    """

    name: str
    task: str
    steps: int
    healthy: bool
    false: int = 0
    true: int = 0
    notes: int = 0
    labels: int = 0
    hits: int = 0
    extra: int = 0
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Total:
    """Of several trainings: `named`, how many, and sums of what `Judged` holds."""

    named: str
    trainings: int
    steps: int
    false: int
    true: int
    notes: int
    labels: int
    hits: int
    extra: int

    @property
    def f1(self) -> float:
        """Of the spikes put in; false alarms count with and without them. NaN without any."""
        whole = self.labels + self.hits + self.extra + self.false
        return 2 * self.hits / whole if self.labels else float("nan")

    @property
    def per_100k(self) -> float:
        """False alarms per 100,000 steps."""
        return self.false / max(self.steps, 1) * 1e5

    @property
    def at_most(self) -> float:
        """The highest rate per 100,000 steps that so few allow (Poisson, 95 %, two-sided)."""
        from scipy.stats import chi2

        return float(chi2.ppf(0.975, 2 * (self.false + 1))) / 2 / max(self.steps, 1) * 1e5


def converged(trained: Trained) -> bool:
    """Whether the reference falls below 0.7 of its beginning and ends near its best."""
    held, wide = trained.reference, max(3, len(trained.reference) // 20)
    if not (np.isfinite(held).all() and np.isfinite(trained.loss).all()):
        return False
    ends = len(held) // wide * wide
    parts = np.median(held[len(held) - ends :].reshape(-1, wide), axis=1)
    start, end, best = float(held[:3].mean()), float(parts[-1]), float(parts.min())
    return end < 0.7 * start and end - best <= max(0.4 * best, 0.02 * start)


def as_run(trained: Trained) -> Run:
    """The run as a log has it: the loss of each batch, the learning rate, the epoch."""
    n = len(trained.loss)
    step = np.arange(1, n + 1, dtype=np.int64)
    columns = [
        Column(name, step, value, unknown(n), trained.epoch)
        for name, value in (("train/loss", trained.loss), ("lr", trained.rate))
    ]
    return Run(trained.name, trained.name, "trained").extend(Chunk(tuple(columns)))


def truly(trained: Trained, finding: Finding) -> bool:
    """Whether the model itself got worse where a finding says so."""
    first, last = finding.first_step, finding.last_step
    assert first is not None
    assert last is not None
    held = trained.reference
    y = np.log(held) if float(held.min()) > 0 else held
    a, b = first - 1, last  # steps count from 1
    rise = float(y[a:b].max()) - median(y[max(a - _BEFORE, 0) : max(a, 1)])
    if rise <= _SIGMAS * _spread(y, a, b):
        return False
    if "ratio" not in finding.evidence or y is held:
        return True
    return rise >= 0.5 * float(np.log(finding.evidence["ratio"]))


def _spread(y: Floats, a: int, b: int) -> float:
    """Robust standard deviation of the reference about its level, around the points a to b."""
    from trainlens.stats.rolling import rolling_median

    low, high = max(a - _AROUND, 0), min(b + _AROUND, len(y))
    away = (y[low:high] - rolling_median(y[low:high], _BEFORE, lag=1))[1:]
    kept = np.ones(len(away), bool)
    kept[max(a - low - 1, 0) : b - low] = False
    rest = away[kept]
    return MAD_TO_SIGMA * median(np.abs(rest - median(rest)))


def judged(recipe: Recipe, trained: Trained) -> Judged:
    """Ask the rule about a training."""
    n = len(trained.loss)
    if not converged(trained):
        return Judged(recipe.name, recipe.task, n, False)
    found = diagnose(
        as_run(trained), select=["loss-spike"], settings={"loss-spike": {"most": _ALL}}
    ).findings
    loud = [f for f in found if f.severity.rank >= Severity.WARNING.rank]
    true = [f for f in loud if truly(trained, f)]
    said = tuple(f"{'true' if f in true else 'false'}: {f.message}" for f in loud)
    return Judged(
        recipe.name, recipe.task, n, True, len(loud) - len(true), len(true),
        len(found) - len(loud), *_spiked(trained, recipe.seed, len(true)), said,
    )  # fmt: skip


def _spiked(trained: Trained, seed: int, known: int) -> tuple[int, int, int]:
    """Spikes put in, found, and alarms elsewhere beyond the `known` ones."""
    if float(trained.loss.min()) <= 0:  # the spikes of tier B are factors
        return 0, 0, 0
    step = np.arange(1, len(trained.loss) + 1, dtype=np.int64)
    run, spans, _ = real.spikes(
        real.Background(trained.name, step, trained.loss), np.random.default_rng(seed)
    )
    near = max(5, len(step) // 100)
    case = Labelled(run, "loss-spike", ("loss-spike",), spans, tolerance=near, point=True)
    told = outcome(case, diagnose(run, select=["loss-spike"]).results)
    return told.labels, told.hits, max(len(told.false) - known, 0)


def _of_recipe(recipe: Recipe) -> Judged:
    import torch

    from benchmarks.diagnosis.trainings.every_step import train

    torch.set_num_threads(1)
    return judged(recipe, train(recipe))


def measure(recipes: Iterable[Recipe], workers: int | None = None) -> Iterator[Judged]:
    """Train and judge, in the order of the recipes.

    Parameters
    ----------
    recipes : iterable of Recipe
    workers : int, optional
        Processes; as many as cores if not given.
    """
    count = workers or os.cpu_count() or 1
    if count == 1:
        yield from map(_of_recipe, recipes)
        return
    with ProcessPoolExecutor(count) as pool:
        yield from pool.map(_of_recipe, recipes)


def totals(some: Sequence[Judged]) -> list[Total]:
    """A row a task, and one of all; trainings that did not converge are left out."""
    healthy = [one for one in some if one.healthy]
    tasks = dict.fromkeys(one.task for one in healthy)
    rows = [_total(task, [one for one in healthy if one.task == task]) for task in tasks]
    return [*rows, _total("all", healthy)]


def _total(named: str, some: Sequence[Judged]) -> Total:
    names = ("steps", "false", "true", "notes", "labels", "hits", "extra")
    return Total(named, len(some), *(sum(getattr(one, name) for one in some) for name in names))
