"""Why a comparison may not be fair: what differs between two arms besides what was meant to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from trainlens import words
from trainlens.comparison.axis import batch_size, placed
from trainlens.comparison.model import Arm, Caution, Setting
from trainlens.comparison.settings import is_seed, is_validation, substantial, told
from trainlens.run import Run

_SHORT = 0.02
"""Arms whose lengths differ by less than this share are equally long."""
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
    checks: tuple[Callable[[Arm, Arm, Sequence[Setting], str], Iterator[tuple[str, str]]], ...] = (
        _replicates, _lengths, _schedules, _validation, _seeds, _batches, _attempts, _broken,
    )  # fmt: skip
    return tuple(
        Caution(kind, candidate.name, message)
        for check in checks
        for kind, message in check(baseline, candidate, diff, by)
    )


def replicates(baseline: Arm, candidate: Arm, diff: Sequence[Setting]) -> bool:
    """Whether two arms have the same known settings, but for names, places and seeds."""
    known = all(any(told(run.config) for run in arm.runs) for arm in (baseline, candidate))
    return known and not substantial(diff, baseline.name, candidate.name)


def _replicates(a: Arm, b: Arm, diff: Sequence[Setting], by: str) -> Iterator[tuple[str, str]]:
    if replicates(a, b, diff):
        yield (
            "replicates",
            f"the configurations of {a.name} and {b.name} are the same but for seeds and names: "
            "what differs is what two runs of one configuration differ by",
        )


def _lengths(a: Arm, b: Arm, diff: Sequence[Setting], by: str) -> Iterator[tuple[str, str]]:
    ends = [min((_end(run, by) for run in arm.runs), default=0.0) for arm in (a, b)]
    if min(ends) > 0 and max(ends) - min(ends) > _SHORT * max(ends):
        short, long = (a, b) if ends[0] < ends[1] else (b, a)
        told = [_place(end, by) for end in sorted(ends)]
        yield (
            "length",
            f"{short.name} ends at {told[0]}, {long.name} at {told[1]}: only what both have is "
            "compared; best and last are of each run as long as it is",
        )


def _end(run: Run, by: str) -> float:
    ends = [float(held.at[-1]) for s in run.training_series if len(held := placed(run, s, by))]
    return max(ends, default=0.0)


def _place(at: float, by: str) -> str:
    if by == "time":
        return words.duration(at)
    count = words.step(round(at))
    return f"{by} {count}" if by != "samples" else f"{count} samples"


def _schedules(a: Arm, b: Arm, diff: Sequence[Setting], by: str) -> Iterator[tuple[str, str]]:
    end = min((_end(run, by) for arm in (a, b) for run in arm.runs), default=0.0)
    shares = [_share_of_peak(arm.runs[0], end, by) for arm in (a, b)]
    if any(share is None for share in shares):
        return
    for (arm, share), (other, rest) in (
        ((a, shares[0]), (b, shares[1])),
        ((b, shares[1]), (a, shares[0])),
    ):
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


def _validation(a: Arm, b: Arm, diff: Sequence[Setting], by: str) -> Iterator[tuple[str, str]]:
    for setting in diff:
        first, second = setting.values.get(a.name), setting.values.get(b.name)
        if is_validation(setting.key) and str(first) != str(second):
            yield (
                "validation-data",
                f"{setting.key} is {_named(first)} in {a.name} and {_named(second)} in {b.name}: "
                "they may have validated on different data",
            )


def _seeds(a: Arm, b: Arm, diff: Sequence[Setting], by: str) -> Iterator[tuple[str, str]]:
    if not (a.single and b.single):
        return
    for setting in diff:
        first, second = setting.values.get(a.name), setting.values.get(b.name)
        if is_seed(setting.key) and str(first) != str(second):
            yield (
                "seed",
                f"{setting.key} is {_named(first)} in {a.name} and {_named(second)} in {b.name}: "
                "part of any difference is the seed's",
            )


def _named(value: object) -> str:
    return "absent" if value is None else words.shortened(str(value))


def _batches(a: Arm, b: Arm, diff: Sequence[Setting], by: str) -> Iterator[tuple[str, str]]:
    sizes = [batch_size(arm.runs[0]) for arm in (a, b)]
    if by == "step" and all(sizes) and sizes[0] != sizes[1]:
        told = [words.number(size or 0.0) for size in sizes]
        yield (
            "batch-size",
            f"a step of {a.name} takes in {told[0]} samples, one of {b.name} {told[1]}: "
            "`--by samples` compares them at the same amount of data",
        )


def _attempts(a: Arm, b: Arm, diff: Sequence[Setting], by: str) -> Iterator[tuple[str, str]]:
    for arm in (a, b):
        counts = [run.attempts for run in arm.runs if run.attempts > 1]
        if counts:
            yield (
                "attempts",
                f"{arm.name} was started {words.plural(max(counts), 'time')}; what led to its last "
                "weights is compared",
            )


def _broken(a: Arm, b: Arm, diff: Sequence[Setting], by: str) -> Iterator[tuple[str, str]]:
    for arm in (a, b):
        for run in arm.runs:
            for series in run.training_series:
                lost = len(series.effective) - len(series.finite)
                if lost and series.role.direction:
                    name = run.name if not arm.single else arm.name
                    yield (
                        "non-finite",
                        f"{words.plural(lost, 'value')} of {series.split}/{series.metric} in "
                        f"{name} are NaN or infinite and left out",
                    )
