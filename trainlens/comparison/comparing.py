"""One comparison: which metrics, which points, and what becomes of each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property, partial

import numpy as np

from trainlens import words
from trainlens.comparison.allowance import one_seed_tells_nothing, seed_allowance
from trainlens.comparison.axis import Placed, placed
from trainlens.comparison.endings import failures, outlasts
from trainlens.comparison.expectations import judge
from trainlens.comparison.fairness import cautions, replicates
from trainlens.comparison.gaps import gap_tables
from trainlens.comparison.groups import SCORES, against
from trainlens.comparison.model import AXES, Arm, Caution, Comparison, GapTable, Key, Row, Summary
from trainlens.comparison.moments import arms_at
from trainlens.comparison.pairs import Pair, telling_places
from trainlens.comparison.settings import config_diff
from trainlens.comparison.summary import NOTHING, summarise
from trainlens.comparison.verdicts import Known, judged, tested
from trainlens.errors import UsageError
from trainlens.expectation import Expectation
from trainlens.run import Run, Series
from trainlens.stats.discovery import adjusted

_COMPARED = ("loss", "metric")
"""Roles that are compared where no metric is named."""
_PLAIN = "a loss or a measure of quality (name others with --metric)"
_THIN = 0.5
"""Share of its points that a run should bring into the alignment."""


@dataclass(frozen=True)
class Asked:
    """What a comparison is to look at; see `trainlens.comparison.compare`."""

    metrics: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    places: tuple[float, ...] = ()
    by: str = "step"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    score: str = "late"

    def __post_init__(self) -> None:
        if self.by not in AXES:
            raise UsageError(f"unknown axis {self.by!r}; {words.nearest(self.by, AXES)}")
        if self.score not in SCORES:
            raise UsageError(f"unknown score {self.score!r}; {words.nearest(self.score, SCORES)}")


class Comparing:
    """Compares arms, the baseline first.

    Parameters
    ----------
    arms : tuple of Arm
        With names of their own.
    asked : Asked
    rng : numpy.random.Generator
        Of the bootstrap.
    """

    def __init__(self, arms: tuple[Arm, ...], asked: Asked, rng: np.random.Generator) -> None:
        self.arms, self.asked, self.rng = arms, asked, rng
        self._placed: dict[tuple[int, Key], Placed] = {}
        self._summaries: dict[tuple[int, Key], Summary] = {}
        self._pairs: dict[tuple[str, Key], Pair] = {}
        self._left_out: dict[str, dict[str, None]] = {}
        self.diff = config_diff(arms)

    def result(self, expect: Iterable[Expectation | str]) -> Comparison:
        """Compare, and hold the expectations against every candidate."""
        keys = self._keys()
        baseline, *others = self.arms
        known: list[Caution] = []
        rows: list[Row] = []
        for arm in others:
            made = [row for key in keys if (row := self._row(arm, key)) is not None]
            known += cautions(baseline, arm, self.diff, self.asked.by)
            known += _coverage(made, arm)
            known += [Caution("runs", arm.name, text) for text in self._left_out.pop(arm.name, ())]
            rows += made
        order = {key: i for i, key in enumerate(keys)}
        rows = sorted(self._decided(rows), key=lambda row: order[row.key])
        notices = tuple(n for arm in self.arms for run in arm.runs for n in run.notices)
        wanted = [one if isinstance(one, Expectation) else _parsed(one) for one in expect]
        return Comparison(
            self.arms,
            self.asked.by,
            tuple(rows),
            tuple(t for arm in others for t in self._gaps(arm, rows)),
            self.diff,
            tuple(known),
            tuple(j for arm in others for j in judge(wanted, arm, baseline)),
            notices,
        )

    def _keys(self) -> list[Key]:
        """What is compared: in the baseline and in some candidate, the most telling first."""
        here = _series(self.arms[0])
        shared = {key for arm in self.arms[1:] for key in _series(arm)}
        common = [key for key in here if key in shared]
        if not common:
            raise UsageError(self._nothing("no metric in common", here, shared))
        chosen = [key for key in common if self._wanted(key, here[key])]
        if not chosen:
            asked = " or ".join([*self.asked.metrics, *self.asked.splits]) or _PLAIN
            raise UsageError(self._nothing(f"no common metric that is {asked}", here, shared))
        return sorted(chosen, key=partial(_rank, here))

    def _wanted(self, key: Key, series: Series) -> bool:
        if self.asked.splits and key[1] not in self.asked.splits:
            return False
        if not self.asked.metrics:
            return series.role.name in _COMPARED
        return any(_means(pattern, series) for pattern in self.asked.metrics)

    def _nothing(self, what: str, here: Mapping[Key, Series], there: set[Key]) -> str:
        first = ", ".join(f"{s}/{m}" for m, s in list(here)[:8]) or "nothing"
        second = ", ".join(f"{s}/{m}" for m, s in sorted(there)[:8]) or "nothing"
        names = self.arms[0].name, ", ".join(a.name for a in self.arms[1:3])
        return f"{what}: {names[0]} has {first}; {names[1]} {second}"

    def _held(self, run: Run, key: Key) -> Placed:
        index = (id(run), key)
        if index not in self._placed:
            self._placed[index] = placed(run, run.series[key], self.asked.by)
        return self._placed[index]

    def _row(self, arm: Arm, key: Key) -> Row | None:
        """A metric of a candidate, not decided yet; None where it has no such metric."""
        baseline = self.arms[0]
        sides = [[run for run in a.runs if key in run.series] for a in (baseline, arm)]
        if not all(sides):
            return None
        series = sides[1][0].series[key]
        names = baseline.name, arm.name
        row = Row(*key, series.unit, series.role.direction, *names, (NOTHING, NOTHING))
        if baseline.single and arm.single:
            return self._paired(row, baseline.runs[0], arm.runs[0])
        return self._grouped(row, baseline, arm)

    def _summary(self, run: Run, key: Key, direction: str) -> Summary:
        index = (id(run), key)
        if index not in self._summaries:
            series, held = run.series[key], self._held(run, key)
            limits = [v for name, v in self.asked.thresholds.items() if _means(name, series)]
            self._summaries[index] = summarise(held, direction, limits)
        return self._summaries[index]

    def _paired(self, row: Row, baseline: Run, candidate: Run) -> Row:
        left, right = (self._held(run, row.key) for run in (baseline, candidate))
        pair = self._pairs[row.candidate, row.key] = Pair(left, right)
        overall, late = pair.looks()
        (before,), (after,) = failures([baseline], [candidate], row.key)
        return replace(
            row,
            failed=(before, after),
            summaries=(
                self._summary(baseline, row.key, row.direction),
                self._summary(candidate, row.key, row.direction),
            ),
            alignment=pair.alignment,
            at=pair.at(self.asked.places or telling_places(pair.alignment)),
            difference=overall,
            late=late,
            variance=pair.variances(),
            because=_no_points(left, right, row) or pair.why_not(),
        )

    def _grouped(self, row: Row, baseline: Arm, arm: Arm) -> Row:
        asked = self.asked
        found = against(baseline, arm, row.key, score=asked.score, by=asked.by, rng=self.rng)
        # The same run is left out of every metric: said once.
        self._left_out.setdefault(arm.name, {}).update(dict.fromkeys(found.left_out))
        return replace(
            row,
            summaries=found.summaries,
            at=arms_at(baseline, arm, row.key, asked.places, asked.by),
            difference=found.difference,
            replicates=found.replicates,
            variance=found.variance,
            because=found.why,
        )

    def _decided(self, rows: Sequence[Row]) -> list[Row]:
        q = adjusted(np.array([tested(row) for row in rows], np.float64))
        return [judged(replace(row, q=float(q[i])), self._known(row)) for i, row in enumerate(rows)]

    @cached_property
    def _same(self) -> dict[str, tuple[Arm, bool]]:
        """Each candidate by its name, and whether its settings are those of the baseline."""
        baseline = self.arms[0]
        return {arm.name: (arm, replicates(baseline, arm, self.diff)) for arm in self.arms[1:]}

    def _known(self, row: Row) -> Known:
        baseline = self.arms[0]
        arm, same = self._same[row.candidate]
        if not (baseline.single and arm.single):
            return Known(replicates=same, single=False)
        pair = self._pairs.pop((row.candidate, row.key))
        if any(row.failed):
            return Known(replicates=same, outlasted=_outlasted(row, pair))
        if row.difference is None:
            return Known(replicates=same)
        allowed = seed_allowance(pair.first, pair.second, pair.late)
        refused = one_seed_tells_nothing(row.metric)
        return Known(same, True, allowed.value, allowed.because, refused, *pair.apart())

    def _gaps(self, arm: Arm, rows: Sequence[Row]) -> tuple[GapTable, ...]:
        own = [row for row in rows if row.candidate == arm.name]
        places = (
            self.asked.places or tuple(dict.fromkeys(a.step for row in own for a in row.at))[:6]
        )
        return gap_tables(
            self.arms[0], arm, [row.key for row in own], sorted(places), self.asked.by
        )


def _outlasted(row: Row, pair: Pair) -> bool:
    """Whether one run failed where the other had ended."""
    sides = zip(row.failed, (pair.left, pair.right), (pair.right, pair.left), strict=True)
    return any(
        failure is not None and len(other) > 0 and outlasts(own, failure, float(other.at[-1]))
        for failure, own, other in sides
    )


def _no_points(left: Placed, right: Placed, row: Row) -> str:
    for held, name in ((left, row.baseline), (right, row.candidate)):
        if not len(held):
            return f"{name} has no finite point of {row.split}/{row.metric}: {held.why}"
    return ""


def _parsed(text: str) -> Expectation:
    from trainlens.expectation import parse

    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}") from None


def _series(arm: Arm) -> dict[Key, Series]:
    """The metrics of an arm, each by its first run that has it."""
    held: dict[Key, Series] = {}
    for run in arm.runs:
        for key, series in run.series.items():
            if len(series):
                held.setdefault(key, series)
    return held


def _means(pattern: str, series: Series) -> bool:
    """Whether a name or pattern means a series: ``mpjpe``, ``val/mpjpe``, ``bbox/*``, its role."""
    names = (series.metric, f"{series.split}/{series.metric}", series.name, series.role.name)
    folded = pattern.casefold()
    return any(fnmatchcase(name.casefold(), folded) for name in names if name)


def _rank(here: Mapping[Key, Series], key: Key) -> tuple[bool, bool, int, int, str]:
    """Validation before training, measures of quality before losses, totals before parts."""
    series = here[key]
    role = series.role
    return (key[1] == "train", role.name != "metric", -role.priority, len(key[0]), key[0])


def _coverage(rows: Sequence[Row], arm: Arm) -> list[Caution]:
    """Metrics of which a run brings less than half of its points into the alignment."""
    thin = [
        f"{row.split}/{row.metric} ({words.step(len(row.alignment))} of "
        f"{words.step(row.alignment.of[0])} and {words.step(row.alignment.of[1])})"
        for row in rows
        if row.alignment is not None
        and len(row.alignment)
        and min(row.alignment.shares) < _THIN
        and not any(row.failed)
    ]
    if not thin:
        return []
    more = f" and {len(thin) - 3} more" if len(thin) > 3 else ""
    return [
        Caution("coverage", arm.name, f"few points have a partner: {'; '.join(thin[:3])}{more}")
    ]
