"""Why a comparison may not be fair: what differs between two arms besides what was meant to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from trainlens import words
from trainlens.comparison.axis import batch_size, placed
from trainlens.comparison.endings import gone
from trainlens.comparison.model import Arm, Caution, Setting
from trainlens.comparison.settings import is_seed, is_validation, substantial, told
from trainlens.run import Ints, Run, Series

_SHORT = 0.02
"""Arms whose lengths differ by less than this share are equally long."""
_NAMED = 3
"""Steps that are named."""
_DECAYED, _HIGH = 0.1, 0.5
"""A learning rate below / above these shares of its peak has decayed / has not."""


def cautions(
    baseline: Arm, candidate: Arm, diff: Sequence[Setting], by: str
) -> tuple[Caution, ...]:
    """What to know before a candidate is held against the baseline.

    Parameters
    ----------
    baseline, candidate : Arm
    diff : sequence of Setting
    by : str
        What they are aligned by.
    """
    case = _Case(baseline, candidate, diff, by)
    checks = (
        _replicates, _lengths, _schedules, _validation, _seeds, _batches, _attempts, _broken,
    )  # fmt: skip
    return tuple(
        Caution(kind, candidate.name, message) for check in checks for kind, message in check(case)
    )


@dataclass(frozen=True, eq=False)
class _Case:
    """Two arms, the settings in which any arms differ, and what they are aligned by."""

    a: Arm
    b: Arm
    diff: Sequence[Setting]
    by: str

    @property
    def arms(self) -> tuple[Arm, Arm]:
        return self.a, self.b

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Where the shortest run of each arm ends."""
        ends = [[_end(run, self.by) for run in arm.runs] for arm in self.arms]
        return min(ends[0], default=0.0), min(ends[1], default=0.0)

    def differing(self, about: Callable[[str], bool]) -> Iterator[str]:
        """In words, the settings of a kind that the two arms do not share."""
        for setting in self.diff:
            first, second = setting.values.get(self.a.name), setting.values.get(self.b.name)
            if about(setting.key) and str(first) != str(second):
                yield (
                    f"{setting.key} is {_named(first)} in {self.a.name} and {_named(second)} in "
                    f"{self.b.name}"
                )


def replicates(baseline: Arm, candidate: Arm, diff: Sequence[Setting]) -> bool:
    """Whether two arms have the same known settings, but for names, places and seeds."""
    known = all(any(told(run.config) for run in arm.runs) for arm in (baseline, candidate))
    return known and not substantial(diff, baseline.name, candidate.name)


def _replicates(case: _Case) -> Iterator[tuple[str, str]]:
    if replicates(case.a, case.b, case.diff):
        yield (
            "replicates",
            f"the configurations of {case.a.name} and {case.b.name} are the same but for seeds "
            "and names: what differs is what two runs of one configuration differ by",
        )


def _lengths(case: _Case) -> Iterator[tuple[str, str]]:
    ends = case.ends
    if min(ends) > 0 and max(ends) - min(ends) > _SHORT * max(ends):
        short, long = case.arms if ends[0] < ends[1] else case.arms[::-1]
        told = [_place(end, case.by) for end in sorted(ends)]
        yield (
            "length",
            f"{short.name} ends at {told[0]}, {long.name} at {told[1]}: only what both have is "
            "compared; best and last are of each run as long as it is",
        )


def _end(run: Run, by: str) -> float:
    """Where the log ends, in values that may be no numbers."""
    logged = (replace(s, value=np.zeros(len(s))) for s in run.training_series)
    ends = [float(held.at[-1]) for s in logged if len(held := placed(run, s, by))]
    return max(ends, default=0.0)


def _place(at: float, by: str) -> str:
    return words.at_place(at if by == "time" else round(at), by)


def _schedules(case: _Case) -> Iterator[tuple[str, str]]:
    end = min(case.ends)
    known = [(arm, _share_of_peak(arm.runs[0], end, case.by)) for arm in case.arms]
    for (arm, share), (other, rest) in (known, known[::-1]):
        if share is not None and rest is not None and share < _DECAYED and rest > _HIGH:
            yield (
                "schedule",
                f"where they are compared last, the learning rate of {arm.name} has decayed to "
                f"{words.percent(share, 2)} of its peak, that of {other.name} stands at "
                f"{words.percent(rest, 2)}: a decay lowers the loss by itself",
            )


def _share_of_peak(run: Run, end: float, by: str) -> float | None:
    rate = run.main("learning-rate")
    held = placed(run, rate, by) if rate is not None else None
    if held is None or not len(held) or held.at[0] > end or not held.value.max() > 0:
        return None
    at = int(np.searchsorted(held.at, end, side="right")) - 1
    return float(held.value[at] / held.value.max())


def _validation(case: _Case) -> Iterator[tuple[str, str]]:
    for said in case.differing(is_validation):
        yield "validation-data", f"{said}: they may have validated on different data"


def _seeds(case: _Case) -> Iterator[tuple[str, str]]:
    if case.a.single and case.b.single:
        for said in case.differing(is_seed):
            yield "seed", f"{said}: part of any difference is the seed's"


def _named(value: object) -> str:
    return "not set" if value is None else words.shortened(str(value))


def _batches(case: _Case) -> Iterator[tuple[str, str]]:
    sizes = [batch_size(arm.runs[0]) for arm in case.arms]
    if case.by == "step" and all(sizes) and sizes[0] != sizes[1]:
        told = [words.number(size or 0.0) for size in sizes]
        yield (
            "batch-size",
            f"a step of {case.a.name} takes in {told[0]} samples, one of {case.b.name} {told[1]}: "
            "`--by samples` compares them at the same amount of data",
        )


def _attempts(case: _Case) -> Iterator[tuple[str, str]]:
    for arm in case.arms:
        counts = [run.attempts for run in arm.runs if run.attempts > 1]
        if counts:
            yield (
                "attempts",
                f"{arm.name} was started {words.plural(max(counts), 'time')}; what led to its last "
                "weights is compared",
            )


def _broken(case: _Case) -> Iterator[tuple[str, str]]:
    """Of the first broken run of an arm the series that broke first, and how many others did."""
    for arm in case.arms:
        judged = [[s for s in run.training_series if s.role.direction] for run in arm.runs]
        for look in (_ended, _left_out):
            found = [(run, bad) for run, held in zip(arm.runs, judged, strict=True)
                     if (bad := look(held))]  # fmt: skip
            if found:
                run, bad = found[0]
                name, first = arm.name if arm.single else run.name, min(bad)
                said = f"{first.what} in {name} {first.said}{_also(bad)}"
                yield "non-finite", said + _alike(arm, len(found) - 1)


def _alike(arm: Arm, rest: int) -> str:
    """How many more runs of the arm broke in the same way."""
    return f"; the like in {words.plural(rest, 'more run')} of {arm.name}" if rest else ""


def _also(found: Sequence[_Told]) -> str:
    """The other series of which the same is to be said."""
    others = len(found) - 1
    if not others:
        return ""
    more = words.plural(others, "other series", "other series")
    if not found[0].ended:
        return f", as are values of {more}"
    return f", and so {'does' if others == 1 else 'do'} {more}"


class _Told(NamedTuple):
    """Values that are no numbers: since when, of which series, and what becomes of them."""

    step: int
    place: int
    what: str
    said: str
    ended: bool


def _ended(judged: Sequence[Series]) -> list[_Told]:
    """Series that are no number to the end."""
    found = [(i, series, gone(series)) for i, series in enumerate(judged)]
    return [
        _Told(how.step, i, _called(one), f"is {how.told}: it counts as failed", True)
        for i, one, how in found
        if how is not None
    ]


def _left_out(judged: Sequence[Series]) -> list[_Told]:
    """Series with single values that are none."""
    found = []
    for i, series in enumerate(judged):
        held = series.effective
        bad = held.step[~np.isfinite(held.value)]
        if len(bad) and gone(series) is None:
            what = f"{words.plural(len(bad), 'value')} of {_called(series)}"
            verb = "is" if len(bad) == 1 else "are"
            said = f"{verb} NaN or infinite and left out ({_steps(bad)})"
            found.append(_Told(int(bad[0]), i, what, said, False))
    return found


def _called(series: Series) -> str:
    return f"{series.split}/{series.metric}"


def _steps(bad: Ints) -> str:
    """At which steps, the first ones of many."""
    shown = ", ".join(words.step(int(step)) for step in bad[:_NAMED])
    more = f" and {words.step(len(bad) - _NAMED)} more" if len(bad) > _NAMED else ""
    return f"{'step' if len(bad) == 1 else 'steps'} {shown}{more}"
