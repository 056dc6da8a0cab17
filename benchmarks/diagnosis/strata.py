"""Spikes stratum by stratum: noise x width x length, with all curves and logging intervals.

Each sketch is judged twice, with its spikes and without: a false alarm in either counts. The
spikes are those of `benchmarks.diagnosis.faults.loss_spike`, or (`Size.ANY`) rises of 1.5 to 5
times however wide the noise is. Beside the rule stands an oracle that knows the clean curve, where
to look, and how wide means of this noise are: what it misses cannot be told from noise.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from itertools import combinations, product

import numpy as np

from benchmarks.diagnosis import curves, noise
from benchmarks.diagnosis.faults import Mark, kinds, marked
from benchmarks.diagnosis.labelled import HEALTHY, Labelled
from benchmarks.diagnosis.noise import Floats, Random
from benchmarks.diagnosis.score import outcome
from benchmarks.diagnosis.sketch import Sketch
from benchmarks.diagnosis.summary import LEAST_OF_STRATUM
from benchmarks.diagnosis.written import written
from trainlens.rules import diagnose

WIDTHS = (0.005, 0.02, 0.08, 0.2)
LENGTHS = (200, 2000, 20_000)
INTERVALS = (1, 10, 100, 0)
"""Steps between two points; 0 for irregular ones."""
AXES = ("noise", "width", "length", "interval", "curve")
_KIND = "loss-spike"
_SIGMAS = 3.5


class Size(Enum):
    """How high spikes are: clear of the noise, or of any size."""

    CLEAR = "clear"
    ANY = "any"


@dataclass(frozen=True)
class Cell:
    """A sketch to be made where it is judged."""

    noise: str
    width: float
    length: int
    interval: int
    curve: str
    seed: int
    size: Size = Size.CLEAR

    @property
    def families(self) -> dict[str, str]:
        """Its value on each axis."""
        interval = str(self.interval) if self.interval else "irregular"
        values = self.noise, f"{100 * self.width:g} %", f"{self.length:,}", interval, self.curve
        return dict(zip(AXES, values, strict=True))


@dataclass(frozen=True)
class Score:
    """Of one sketch or of many: spikes, found by the rule, by the oracle, and false alarms."""

    labels: int = 0
    hits: int = 0
    oracle: int = 0
    false: int = 0
    points: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.labels + other.labels, self.hits + other.hits, self.oracle + other.oracle,
            self.false + other.false, self.points + other.points,
        )  # fmt: skip

    @property
    def f1(self) -> float:
        """2 hits over labels, hits and false alarms; NaN without any."""
        whole = self.labels + self.hits + self.false
        return 2 * self.hits / whole if whole else float("nan")

    @property
    def told(self) -> float:
        """Share of the spikes that the oracle tells from noise; NaN without any."""
        return self.oracle / self.labels if self.labels else float("nan")


def cells(each: int, *, sealed: bool = False, size: Size = Size.CLEAR) -> Iterator[Cell]:
    """So many sketches of each noise, width and length; curves and intervals take turns.

    Parameters
    ----------
    each : int
    sealed : bool
        The families that development never sees, with seeds of their own.
    size : Size
    """
    noises = list(noise.SEALED if sealed else noise.FOR_SPIKES)
    forms = list(curves.SEALED if sealed else curves.OPEN)
    rng = np.random.default_rng(int(sealed))
    turn = 0
    for kind, width, length in product(noises, WIDTHS, LENGTHS):
        for _ in range(each):
            interval = INTERVALS[int(rng.integers(len(INTERVALS)))]
            yield Cell(kind, width, length, interval, forms[turn % len(forms)],
                       turn + 10**6 * sealed, size)  # fmt: skip
            turn += 1


def sketch(cell: Cell, rng: Random) -> Sketch:
    """A healthy run of just these families."""
    n = cell.length
    epoch = max(2, n // int(rng.integers(2, 30)))
    shape = _FORMS[cell.curve](n, rng)
    each = cell.interval or 10
    step = np.arange(1, n + 1, dtype=np.int64) * each
    if not cell.interval:
        step = np.cumsum(rng.integers(1, 2 * each, n)).astype(np.int64)
    counted = np.arange(n) / epoch if rng.random() < 0.4 else np.full(n, np.nan)
    none = np.empty(0)
    return Sketch(
        rng, cell.families, step, counted, shape, cell.width * _NOISES[cell.noise](n, epoch, rng),
        10.0 ** int(rng.integers(-6, 7)) * rng.uniform(1.0, 9.0), none.astype(np.int64), none,
        none, logs_rate=bool(rng.random() < 0.5),
    )  # fmt: skip


_NOISES = noise.FOR_SPIKES | noise.SEALED
_FORMS = curves.OPEN | curves.SEALED


def injected(s: Sketch, size: Size) -> Mark:
    """Put spikes into a sketch; those of any size are never lifted above the noise."""
    if size is Size.CLEAR:
        mark = kinds()[_KIND].inject(s)
        assert mark is not None
        return mark
    rng, n, spans = s.rng, len(s), list[tuple[int, int]]()
    high = float(rng.uniform(0.4, 1.6))
    for part in range(int(rng.integers(1, 4)) if n > 400 else 1):
        length = int(rng.integers(3, 16))
        first = 30 + part * (n - 40) // 3
        at = int(rng.integers(first, first + (n - 40) // 3 - length - 5))
        s.wobble[at : at + length] += high
        spans.append((at, at + length - 1))
    return marked(s.step, *spans, strength=high / max(s.sigma, 1e-12))


def scored(cell: Cell) -> Score:
    """Judge a sketch with its spikes and without."""
    rng = np.random.default_rng([cell.seed, 77])
    plain = sketch(cell, rng)
    sick = deepcopy(plain)
    mark = injected(sick, cell.size)
    case = Labelled(
        written(sick, _KIND), _KIND, (_KIND,), mark.spans,
        tolerance=int(max(5 * mark.spacing, 0.01 * float(sick.step[-1] - sick.step[0]))),
        point=True, families=cell.families,
    )  # fmt: skip
    twin = Labelled(written(plain, HEALTHY), HEALTHY, families=cell.families)
    found, calm = (outcome(c, diagnose(c.run, select=[_KIND]).results) for c in (case, twin))
    ends = [np.searchsorted(sick.step, [s.first, s.last]) for s in mark.spans]
    told = sum(_told(sick.wobble, plain.wobble, int(a), int(b) + 1) for a, b in ends)
    return Score(found.labels, found.hits, told, len(found.false) + len(calm.false), 2 * len(plain))


def _told(sick: Floats, plain: Floats, first: int, end: int) -> bool:
    """Whether the mean of a stretch is far out among the means of as many points of this noise."""
    usual = np.convolve(plain, np.full(end - first, 1 / (end - first)), "valid")
    away = float(sick[first:end].mean()) - float(usual.mean())
    return away > _SIGMAS * float(usual.std())


def score(wanted: Iterable[Cell], workers: int | None = None) -> list[tuple[Cell, Score]]:
    """Scores of many sketches, in their order.

    Parameters
    ----------
    wanted : iterable of Cell
    workers : int, optional
        Processes; as many as cores if not given.
    """
    tasks = list(wanted)
    count = workers or os.cpu_count() or 1
    if count == 1:
        return [(cell, scored(cell)) for cell in tasks]
    with ProcessPoolExecutor(count) as pool:
        return list(zip(tasks, pool.map(scored, tasks, chunksize=16), strict=True))


def by(axes: Sequence[str], some: Iterable[tuple[Cell, Score]]) -> dict[str, Score]:
    """Sums over the sketches that share their values on some axes, the lowest F1 first."""
    held: dict[str, Score] = defaultdict(Score)
    for cell, one in some:
        held[", ".join(f"{axis} {cell.families[axis]}" for axis in axes)] += one
    kept = {name: s for name, s in held.items() if s.labels >= LEAST_OF_STRATUM}
    return dict(sorted(kept.items(), key=lambda row: row[1].f1))


PARTITIONS = (
    *((axis,) for axis in AXES), *combinations(AXES[:3], 2), ("noise", "curve"), AXES[:3],
)  # fmt: skip
"""Ways to cut the sketches into strata, coarse to fine."""


def worst(some: Sequence[tuple[Cell, Score]]) -> list[tuple[str, int, str, Score]]:
    """Of each way to cut: axes, how many strata, the name of the worst and its score."""
    rows = []
    for axes in PARTITIONS:
        held = by(axes, some)
        if held:
            name, one = next(iter(held.items()))
            rows.append((" x ".join(axes), len(held), name, one))
    return rows
