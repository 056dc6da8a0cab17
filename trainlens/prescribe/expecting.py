"""Expectations that several advisers give, with values from the finding or the log."""

from __future__ import annotations

import math

from trainlens.prescribe.base import Case, Expectation
from trainlens.rules.base import Finding
from trainlens.run import Series
from trainlens.stats.noise import median


def about(value: float) -> float:
    """A value of four digits: a threshold, not a measurement."""
    return float(f"{value:.4g}")


def series_of(case: Case, finding: Finding) -> Series | None:
    """The series that a finding is about, None where it is about the run or has no number."""
    held = case.run.series.get((finding.metric, finding.split))
    return held if held is not None and len(held.finite) else None


def falls(case: Case, finding: Finding, share: float) -> tuple[Expectation, ...]:
    """The series ends better than its level now by a share of it, or of its spread around 0."""
    held = series_of(case, finding)
    if held is None:
        return ()
    value = held.finite.value
    level = median(value[-max(1, len(value) // 4) :])
    size = abs(level)
    if float(value.min()) <= 0 <= float(value.max()):
        size = max(size, float(value.max()) / 2 - float(value.min()) / 2)
    better = share * size
    sign = 1 if held.role.direction == "max" else -1
    if not math.isfinite(level + sign * better):
        return ()
    op = ">" if sign == 1 else "<"
    return (Expectation(held.metric, held.split, op, about(level + sign * better), "last"),)


def all_finite(finding: Finding) -> tuple[Expectation, ...]:
    """No NaN or infinity in the series."""
    if not finding.metric:
        return ()
    return (Expectation(finding.metric, finding.split, "==", 0.0, "nonfinite"),)


def stays_below(
    finding: Finding, value: float | None, first: int | None, last: int | None = None
) -> tuple[Expectation, ...]:
    """The series stays below a value at some steps."""
    if value is None or not finding.metric or not math.isfinite(value):
        return ()
    limit = about(value)
    return (Expectation(finding.metric, finding.split, "<", limit, "max", first=first, last=last),)
