"""How often two trainings that differ in their seed alone are called different.

Thirteen small problems are trained in up to six ways with eight seeds each (torch is needed).
Pairs of seeds of one way are replicates: whoever calls one better is wrong. Pairs of two ways
whose means over the seeds lie more than five standard deviations of a seed apart differ truly;
whoever sees it from one run each is right. ``python -m benchmarks.comparison.replicates`` takes
three minutes of one core.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr

from benchmarks.diagnosis.tables import Table
from trainlens.comparison.allowance import seed_allowance
from trainlens.comparison.axis import Placed
from trainlens.comparison.model import Row
from trainlens.comparison.pairs import Pair
from trainlens.comparison.summary import NOTHING
from trainlens.comparison.verdicts import Known, judged, tested
from trainlens.run import Floats

SEEDS, PAIRS, APART = 8, 20, 5.0
MOST = 0.02
"""Share of replicate pairs that may be called different: half of them would be called better."""
_SIGN = {"better": -1, "worse": 1}


@dataclass(frozen=True)
class Trial:
    """Two curves at the same steps, and the sign of the true difference; 0 for replicates."""

    task: str
    kind: str
    group: str
    first: Floats
    second: Floats
    truth: int


@dataclass(frozen=True)
class Rate:
    """How often a method calls pairs different.

    Parameters
    ----------
    task, kind, method : str
    replicates : float
        Share of the pairs of one configuration that are called different.
    found : float
        Share of the true differences that are called, in the right direction; NaN without any.
    pairs, differences : int
        How many there were of each.
    """

    task: str
    kind: str
    method: str
    replicates: float
    found: float
    pairs: int
    differences: int


def paired_t(trial: Trial) -> int:
    """The paired t-test over all matched points: no memory, no allowance."""
    difference = trial.second - trial.first
    n = len(difference)
    error = float(difference.std(ddof=1)) / math.sqrt(n)
    mean = float(difference.mean())
    if not error or 2 * float(stdtr(n - 1, -abs(mean) / error)) > 0.05:
        return 0
    return int(np.sign(mean))


def _row(trial: Trial) -> tuple[Row, Pair]:
    at = np.arange(len(trial.first), dtype=np.float64)
    step = at.astype(np.int64)
    pair = Pair(Placed(at, trial.first, step), Placed(at, trial.second, step))
    overall, late = pair.looks()
    row = Row("loss", "val", "", "min", "A", "B", (NOTHING, NOTHING), None, (), overall, late)
    return replace(row, q=tested(row)), pair


def interval_alone(trial: Trial) -> int:
    """The verdict by the interval that knows of autocorrelation, without an allowance."""
    return _SIGN.get(judged(_row(trial)[0], Known()).verdict, 0)


def allowed(trial: Trial) -> int:
    """The verdict with the allowance for seeds, as trainlens gives it."""
    row, pair = _row(trial)
    held = seed_allowance(pair.first, pair.second, pair.late)
    known = Known(False, True, held.value, held.because, "", *pair.apart())
    return _SIGN.get(judged(row, known).verdict, 0)


METHODS: Mapping[str, Callable[[Trial], int]] = {
    "paired t-test": paired_t,
    "trainlens, interval alone": interval_alone,
    "trainlens, with the allowance": allowed,
}


def trials(names: Sequence[str] = (), seeds: int = SEEDS) -> Iterator[Trial]:
    """Train, and pair what was logged.

    Parameters
    ----------
    names : sequence of str
        Tasks; all if empty.
    seeds : int
        Trainings of each way.
    """
    from benchmarks.comparison.replicate_tasks import tasks

    for name, task in tasks().items():
        if not names or name in names:
            yield from _of_task(name, task.kind, seeds)


def _of_task(name: str, kind: str, seeds: int) -> Iterator[Trial]:
    from benchmarks.comparison.replicate_tasks import tasks, ways
    from benchmarks.comparison.replicate_training import train

    task, rng = tasks()[name], np.random.default_rng(len(name))
    base = train(task.problem, task.recipe, 7, seeds)
    for way, recipe in ways(task).items():
        logs = base if recipe == task.recipe else train(task.problem, recipe, 7, seeds)
        for metric, values in logs.values.items():
            if not np.isfinite(values).all():
                continue
            group = f"{metric}, {way}"
            yield from _replicates(name, kind, group, values, rng)
            yield from _differences(name, kind, group, base.values[metric], values)


def _replicates(name: str, kind: str, group: str, values: Floats, rng: np.random.Generator
                ) -> Iterator[Trial]:  # fmt: skip
    pairs = list(itertools.combinations(range(len(values)), 2))
    for k in rng.permutation(len(pairs))[:PAIRS]:
        one, other = pairs[k]
        yield Trial(name, kind, group, values[one], values[other], 0)


def _differences(name: str, kind: str, group: str, base: Floats, values: Floats) -> Iterator[Trial]:
    half = base.shape[1] // 2
    before, after = base[:, half:].mean(1), values[:, half:].mean(1)
    spread = math.sqrt((before.var(ddof=1) + after.var(ddof=1)) / 2)
    shift = float(after.mean() - before.mean())
    if abs(shift) > APART * spread > 0:
        for first, second in zip(base, values, strict=True):
            yield Trial(name, kind, group, first, second, int(np.sign(shift)))


def rates(made: Sequence[Trial]) -> list[Rate]:
    """How often each method calls the pairs of each task different; every group counts alike."""
    return [
        _rate([trial for trial in made if trial.task == task], method)
        for task in dict.fromkeys(trial.task for trial in made)
        for method in METHODS
    ]


def _rate(made: Sequence[Trial], method: str) -> Rate:
    wrong: dict[str, list[bool]] = {}
    right: dict[str, list[bool]] = {}
    for trial in made:
        called = METHODS[method](trial)
        held, hit = (right, called == trial.truth) if trial.truth else (wrong, called != 0)
        held.setdefault(trial.group, []).append(hit)
    return Rate(
        made[0].task, made[0].kind, method, _mean(wrong), _mean(right),
        sum(map(len, wrong.values())), sum(map(len, right.values())),
    )  # fmt: skip


def _mean(groups: Mapping[str, Sequence[bool]]) -> float:
    return float(np.mean([np.mean(held) for held in groups.values()])) if groups else math.nan


def table(rows: Sequence[Rate]) -> Table:
    """A row a task: replicates called different, then true differences found, by each method."""
    head = ("Task", "Kind", "Replicate pairs", *(f"called by {m}" for m in METHODS),
            "True differences", *(f"found by {m}" for m in METHODS))  # fmt: skip
    body = []
    for task in dict.fromkeys(row.task for row in rows):
        own = [row for row in rows if row.task == task]
        body.append(
            (task, own[0].kind, str(own[0].pairs), *(_cell(r.replicates) for r in own),
             str(own[0].differences), *(_cell(r.found) for r in own))
        )  # fmt: skip
    return head, [*body, _total(rows)]


def _total(rows: Sequence[Rate]) -> tuple[str, ...]:
    """All tasks, each counted alike."""
    wrong = [np.nanmean([r.replicates for r in rows if r.method == m]) for m in METHODS]
    right = [[r.found for r in rows if r.method == m and r.differences] for m in METHODS]
    counted = [row for row in rows if row.method == rows[0].method]
    return (
        "all", "", str(sum(r.pairs for r in counted)), *(_cell(float(w)) for w in wrong),
        str(sum(r.differences for r in counted)),
        *(_cell(float(np.mean(r)) if r else math.nan) for r in right),
    )  # fmt: skip


def _cell(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"


def main() -> int:
    """Print the table; 1 where too many replicates are called different."""
    import torch

    torch.set_num_threads(1)
    rows = rates(list(trials()))
    head, body = table(rows)
    for line in (head, *body):
        print(" | ".join(line))
    last = [row.replicates for row in rows if row.method == list(METHODS)[-1]]
    return int(float(np.mean(last)) > MOST)


if __name__ == "__main__":
    raise SystemExit(main())
