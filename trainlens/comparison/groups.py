"""Several runs against several runs: one score a run, and what the scores say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainlens import words
from trainlens.comparison import intervals
from trainlens.comparison.aggregate import probability_of_improvement, trimmed_mean
from trainlens.comparison.arms import seed_pairs
from trainlens.comparison.axis import Placed, placed
from trainlens.comparison.endings import failures, outlasts
from trainlens.comparison.model import (
    Arm,
    Contrast,
    Failure,
    Interval,
    Key,
    Replicates,
    Summary,
    Variances,
)
from trainlens.comparison.ranks import rank_test
from trainlens.comparison.summary import NOTHING, summarise
from trainlens.run import Floats
from trainlens.stats.nearby import interval
from trainlens.stats.spread import brown_forsythe
from trainlens.stats.variances import needed_for

FEWEST = 3
"""Runs an arm below which nothing is said: two do not tell how much seeds scatter."""
_SHORT = 0.5
"""A run that ends before this share of the median end is left out."""
_UNKNOWN = Interval(-math.inf, math.inf)
_SAME = 4
"""Equal series of fewer points are equal by chance."""


@dataclass(frozen=True, eq=False)
class Scored:
    """The runs of an arm that count, with a score each.

    Parameters
    ----------
    index : tuple of int
        Places in the arm.
    score : ndarray of float64, shape (n,)
    left_out : tuple of str
        Why the others do not count, a sentence each.
    failed : tuple of str
        How runs failed, a sentence each; their scores are infinite, on the bad side.
    """

    index: tuple[int, ...]
    score: Floats
    left_out: tuple[str, ...]
    failed: tuple[str, ...] = ()

    @property
    def finite(self) -> Floats:
        """The scores of the runs that did not fail."""
        return self.score[np.isfinite(self.score)]


@dataclass(frozen=True, eq=False)
class Against:
    """What the scores of two arms say.

    Parameters
    ----------
    summaries : (Summary, Summary)
        Of the scores; steps are those of the last place that counts.
    difference : Contrast or None
    replicates : Replicates or None
    variance : Variances or None
        Whether seeds scatter alike; p is NaN with fewer than five runs an arm.
    why : str
        Why there is no difference to judge; empty where there is one.
    left_out : tuple of str
        Runs that do not count, with the reason.
    until : float
        Place on the axis up to which all runs were looked at.
    """

    summaries: tuple[Summary, Summary]
    difference: Contrast | None
    replicates: Replicates | None
    variance: Variances | None
    why: str
    left_out: tuple[str, ...]
    until: float


def _late(value: Floats, direction: str) -> float:
    return float(np.mean(value[-max(1, len(value) // 10) :]))


def _best(value: Floats, direction: str) -> float:
    return float({"min": value.min, "max": value.max}.get(direction, lambda: math.nan)())


SCORES: Mapping[str, Callable[[Floats, str], float]] = {
    "late": _late,
    "best": _best,
    "last": lambda value, direction: float(value[-1]),
    "mean": lambda value, direction: float(np.mean(value)),
}
"""What a run counts by: from its values up to the last common place and the direction of the
metric. ``late`` is the mean of the last tenth of its points."""


def against(
    baseline: Arm,
    candidate: Arm,
    key: Key,
    *,
    score: str = "late",
    by: str = "step",
    rng: np.random.Generator,
) -> Against:
    """Hold the runs of one arm against those of another, in one metric.

    Every run counts by one score, from its points up to the last place that all of them reach: a
    longer training is no better seed. Runs that broke off in the first half, that have no finite
    point, or that hold the very same values as another one are left out, and named. Where at
    least three seeds are in both arms (and make up half of the larger one), runs are paired and
    Student's t decides, else Welch's; below three runs an arm nothing is said.

    A run that failed (see `trainlens.comparison.endings`) is not left out: it has the worst score,
    in the interquartile mean, in the probability of improvement and in the test, which is one by
    ranks then. Mean and interval of the difference are those of the other runs.

    Parameters
    ----------
    baseline, candidate : Arm
    key : (metric, split)
    score : str
        One of `SCORES`.
    by : str
        Axis, as in `trainlens.comparison.axis.placed`.
    rng : numpy.random.Generator
        Of the bootstrap behind the intervals of the interquartile means.

    Returns
    -------
    Against
    """
    arms = baseline, candidate
    held = [_curves(arm, key, by) for arm in arms]
    lost = failures(baseline.runs, candidate.runs, key)
    until = min(_end(curves, gone) for curves, gone in zip(held, lost, strict=True))
    direction = _direction(arms, key)
    sides = [
        _scored(arm, curves, gone, until, by, SCORES[score], direction)
        for arm, curves, gone in zip(arms, held, lost, strict=True)
    ]
    left_out = sides[0].left_out + sides[1].left_out
    both = (_told(sides[0].finite, direction, until), _told(sides[1].finite, direction, until))
    why = _why_not(arms, sides, score, direction)
    if why:
        return Against(both, None, None, None, why, left_out, until)
    if sides[0].failed or sides[1].failed:
        ranked = _by_ranks(sides, score, until, by)
        found = _replicates(sides, 0, direction, rng)
        return Against(both, ranked, found, _variances(sides), "", left_out, until)
    difference, paired = _difference(arms, sides, score, until, by)
    replicates = _replicates(sides, paired, direction, rng)
    if difference is None:
        why = (
            f"all runs of {baseline.name} have one score and all of {candidate.name} another: "
            "without any scatter there is nothing to judge the difference by"
        )
    return Against(both, difference, replicates, _variances(sides), why, left_out, until)


def _curves(arm: Arm, key: Key, by: str) -> list[Placed | None]:
    """The metric of each run; None where a run has none."""
    return [
        held
        if (series := run.series.get(key)) is not None and len(held := placed(run, series, by))
        else None
        for run in arm.runs
    ]


def _end(curves: Sequence[Placed | None], lost: Sequence[Failure | None]) -> float:
    """The last place that the runs of an arm reach, but those that broke off early or failed."""
    both = zip(curves, lost, strict=True)
    ends = np.array([one.at[-1] for one, gone in both if one is not None and gone is None])
    if not len(ends):
        return math.inf
    long = ends >= _SHORT * float(np.median(ends))
    return float(ends[long].min())


def _direction(arms: Sequence[Arm], key: Key) -> str:
    series = (run.series[key] for arm in arms for run in arm.runs if key in run.series)
    return next((s.role.direction for s in series), "")


def _scored(
    arm: Arm,
    curves: Sequence[Placed | None],
    lost: Sequence[Failure | None],
    until: float,
    by: str,
    of: Callable[[Floats, str], float],
    direction: str,
) -> Scored:
    index, scores, left_out, failed = [], [], [], []
    seen: dict[bytes, str] = {}
    for i, (run, held, gone) in enumerate(zip(arm.runs, curves, lost, strict=True)):
        if gone is not None and (held is None or not outlasts(held, gone, until)):
            index.append(i)
            scores.append(math.inf if direction == "min" else -math.inf)
            failed.append(f"{run.name} is {gone.told}")
            continue
        why = _unfit(held, until, by, seen)
        if why or held is None:
            left_out.append(f"{run.name} of {arm.name} is left out: {why}")
            continue
        if len(held) >= _SAME and np.ptp(held.value) > 0:
            seen.setdefault(held.value.tobytes(), run.name)
        index.append(i)
        scores.append(of(held.value[: _count(held, until)], direction))
    return Scored(tuple(index), np.array(scores, np.float64), tuple(left_out), tuple(failed))


def _count(held: Placed, until: float) -> int:
    """Points up to a place, and half an interval further: 3,000 and 3,001 are the same place."""
    if held.at[-1] <= until:
        return len(held)
    return max(1, int(np.searchsorted(held.at, until + interval(held.at) / 2, "right")))


def _unfit(held: Placed | None, until: float, by: str, seen: Mapping[bytes, str]) -> str:
    """Why a run does not count, empty where it does."""
    if held is None:
        return "it has no finite point of this metric"
    if held.at[-1] < until:
        return f"its values end at {words.at_place(float(held.at[-1]), by)}, where most go on"
    other = seen.get(held.value.tobytes(), "")
    return f"it holds the very same values as {other}" if other else ""


def _told(scores: Floats, direction: str, until: float) -> Summary:
    """The scores of an arm in numbers, as if they were a curve; NaN without any."""
    n = len(scores)
    if not n:
        return NOTHING
    step = np.full(n, round(until), np.int64)
    return summarise(Placed(np.full(n, until), scores, step), direction)


def _why_not(arms: Sequence[Arm], sides: Sequence[Scored], score: str, direction: str) -> str:
    if score == "best" and not direction:
        return "it is not known whether lower or higher is better, so no run has a best"
    if _all_failed(sides):
        return ""
    few = [
        f"{arm.name} has {words.plural(len(side.index), 'run')}"
        for arm, side in zip(arms, sides, strict=True)
        if len(side.index) < FEWEST
    ]
    if not few:
        return ""
    lost = "; ".join(sides[0].left_out + sides[1].left_out)
    tail = f" ({lost})" if lost else ""
    return (
        f"{' and '.join(few)}; at least {FEWEST} an arm are needed to see how seeds scatter{tail}"
    )


def _all_failed(sides: Sequence[Scored]) -> bool:
    """Whether all runs of an arm failed, which needs no more runs to be told."""
    return all(len(side.index) for side in sides) and any(
        len(side.failed) == len(side.index) for side in sides
    )


def _by_ranks(sides: Sequence[Scored], score: str, until: float, by: str) -> Contrast:
    """The test with failed runs at the worst rank; mean and interval are those of the others."""
    x, y = sides[0].finite, sides[1].finite
    shift = intervals.independent(x, y) if min(len(x), len(y)) > 1 else None
    known = (shift.mean, shift.interval) if shift is not None else (math.nan, _UNKNOWN)
    n = min(len(side.index) for side in sides)
    method = f"Mann and Whitney's test, failed runs last; {_score_told(score, until, by)}"
    p = rank_test(sides[0].score, sides[1].score)
    return Contrast(*known, n, float(n), 0.0, p, None, method)


def _difference(
    arms: tuple[Arm, Arm], sides: Sequence[Scored], score: str, until: float, by: str
) -> tuple[Contrast | None, int]:
    """Mean difference of the scores, and how many pairs of seeds it comes from (0: unpaired)."""
    pairs = _pairs(arms, sides)
    if pairs:
        x, y = (np.array([side.score[p[k]] for p in pairs]) for k, side in enumerate(sides))
        shift, how = intervals.paired(x, y), "paired t-test over seeds"
    else:
        shift, how = intervals.independent(sides[0].score, sides[1].score), "Welch's t-test"
    if shift is None:
        return None, len(pairs)
    n = len(pairs) or min(len(side.index) for side in sides)
    method = f"{how}, {_score_told(score, until, by)}"
    contrast = Contrast(shift.mean, shift.interval, n, float(n), 0.0, shift.p, shift.needed, method)
    return contrast, len(pairs)


def _score_told(score: str, until: float, by: str) -> str:
    what = {"late": "mean of the last tenth of each run", "mean": "mean of each run"}
    where = f", up to {words.at_place(until, by)}" if math.isfinite(until) else ""
    return f"{what.get(score, f'{score} value of each run')}{where}"


def _pairs(arms: tuple[Arm, Arm], sides: Sequence[Scored]) -> list[tuple[int, int]]:
    """Pairs of seeds as places among the scores, of the runs that count."""
    places = [{at: i for i, at in enumerate(side.index)} for side in sides]
    found = [
        (places[0][a], places[1][b])
        for a, b in seed_pairs(*arms)
        if a in places[0] and b in places[1]
    ]
    return found if len(found) >= FEWEST else []


def _replicates(
    sides: Sequence[Scored], paired: int, direction: str, rng: np.random.Generator
) -> Replicates:
    x, y = sides[0].score, sides[1].score
    sign = -1.0 if direction == "min" else 1.0
    chance = probability_of_improvement(sign * y[:, None], sign * x[:, None])
    return Replicates(
        (tuple(x.tolist()), tuple(y.tolist())),
        paired,
        (float(trimmed_mean(x)), float(trimmed_mean(y))),
        (intervals.of_iqm(x, rng=rng), intervals.of_iqm(y, rng=rng)),
        chance,
        intervals.of_improvement(chance, len(x), len(y)),
        (sides[0].failed, sides[1].failed),
    )


def _variances(sides: Sequence[Scored]) -> Variances | None:
    """Whether the seeds of both arms scatter alike; None where neither scatters."""
    x, y = sides[0].finite, sides[1].finite
    if min(len(x), len(y)) < 2:
        return None
    size = float(max(np.abs(x).max(), np.abs(y).max())) or 1.0
    spread = intervals.variance(x / size), intervals.variance(y / size)
    if not spread[0] or not spread[1]:
        return None
    ratio = spread[1] / spread[0]
    found = brown_forsythe(x, y)
    p = math.nan if found is None else found.p
    needed = None if p <= 0.05 else needed_for(ratio)
    std = math.sqrt(spread[0]) * size, math.sqrt(spread[1]) * size
    return Variances(std, ratio, p, needed)
