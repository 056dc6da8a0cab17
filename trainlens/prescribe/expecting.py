"""Expectations that several advisers give, with values from the finding or the log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from trainlens.detect.layers import Layer, layers
from trainlens.expectation import Expectation
from trainlens.prescribe.base import Case
from trainlens.rules.base import Finding
from trainlens.run import Run, Series
from trainlens.stats.noise import median, second_difference_noise

NOT_LOGGED = "this log has no number that would show it"


def about(value: float) -> float:
    """A value of four digits: a threshold, not a measurement."""
    return float(f"{value:.4g}")


def series_of(case: Case, finding: Finding) -> Series | None:
    """The series that a finding is about, None where it is about the run or has no number."""
    held = case.run.series.get((finding.metric, finding.split))
    return held if held is not None and len(held.finite) else None


def expect(
    about_what: Finding | Series | None, op: str, value: float | None, stat: str = "", **more: Any
) -> tuple[Expectation, ...]:
    """That a series is so; nothing where the series or the value is not known.

    Parameters
    ----------
    about_what : Finding, Series or None
    op, stat
        As in `Expectation`.
    value : float or None
        Rounded to four digits.
    **more
        Other fields of `Expectation`.
    """
    if about_what is None or not about_what.metric or value is None or not math.isfinite(value):
        return ()
    return (Expectation(about_what.metric, about_what.split, op, about(value), stat, **more),)


def norm_is(finding: Finding, case: Case, op: str, value: float | None, stat: str) -> tuple[
    Expectation, ...
]:  # fmt: skip
    """That the norm of the gradient is so, also where it is put together from that of layers."""
    if (finding.metric, finding.split) in case.run.series or not finding.metric:
        return expect(finding, op, value, stat)
    if value is None or not math.isfinite(value):
        return ()
    return (Expectation("gradient-norm", "train", op, about(value), stat),)


def every_layer(
    run: Run, role: str, op: str, share: float, stat: str = "end"
) -> tuple[Expectation, ...]:
    """That a share is so in each layer; in percent where the log has percent."""
    held = layers(run, role, whole=True)
    if not held:
        return ()
    top = max(float(x.series.finite.value.max()) for x in held)
    value = about(share * (100.0 if top > 1.0 else 1.0))
    return (Expectation(f"{role}/*", "train", op, value, stat),)


def each(
    some: Sequence[Layer], op: str, value: float, stat: str, **more: Any
) -> tuple[Expectation, ...]:
    """That some layers are so, one expectation for each."""
    return tuple(one for x in some for one in expect(x.series, op, value, stat, **more))


def falls(case: Case, finding: Finding, share: float) -> tuple[Expectation, ...]:
    """The series ends better than its level now by a share of it, or of its spread around 0."""
    return ends_better(series_of(case, finding), share)


def ends_better(held: Series | None, share: float) -> tuple[Expectation, ...]:
    """As `falls`, of a series."""
    if held is None or not len(held.finite):
        return ()
    value = held.finite.value
    level = median(value[-max(1, len(value) // 4) :])
    size = abs(level)
    if float(value.min()) <= 0 <= float(value.max()):
        size = max(size, float(value.max()) / 2 - float(value.min()) / 2)
    sign = 1 if held.role.direction == "max" else -1
    return expect(held, ">" if sign == 1 else "<", level + sign * share * size, "end")


def all_finite(finding: Finding | Series | None) -> tuple[Expectation, ...]:
    """No NaN or infinity in the series."""
    return expect(finding, "==", 0.0, "nonfinite")


def stays_below(
    finding: Finding, value: float | None, first: int | None, last: int | None = None
) -> tuple[Expectation, ...]:
    """The series stays below a value at some steps."""
    return expect(finding, "<", value, "max", first=first, last=last)


def noise_of(series: Series) -> float | None:
    """What a value of the series may be off by chance, None where that is not known."""
    noise = second_difference_noise(series.finite.value)
    return about(noise) if math.isfinite(noise) and noise > 0 else None
