"""The rule ``memory-pressure``: GPU memory that is nearly full, or that leaks away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainlens import words
from trainlens.detect.machine import hundred_percent, in_bytes, own_axis, readings, unit_of
from trainlens.roles import role_of
from trainlens.rules.base import Finding, fail, inconclusive, passed, rule, skip
from trainlens.run import Run, Series
from trainlens.stats.blocks import Floats
from trainlens.stats.noise import median
from trainlens.stats.shift import Slide, slide
from trainlens.stats.stretches import steady_levels

_DEEPEST = 4
_STAIRS = 0.08
"""Distance from a smooth curve, as share of the growth: five equal stairs are farther."""
_BEND = 0.1
"""Half of the growth that comes early: what an allocator needs at most grows as a logarithm."""


@rule(
    "memory-pressure",
    severity="warning",
    about="speed",
    source="Diffold seed (GPU memory above 90 %); steady growth by 5 standard errors",
)
def memory_pressure(
    run: Run,
    *,
    threshold: float = 0.9,
    share: float = 0.1,
    growth: float = 0.2,
    retries: int = 5,
    min_points: int = 10,
) -> Iterator[Finding]:
    """GPU memory is nearly full, or grows steadily as a leak does.

    Nearly full: above `threshold` of the limit in a `share` of the run or in its last tenth, where
    the limit is known (from percent, a series of the total, or the configuration). Allocators keep
    what they once got, so this alone is an information; it is a warning where the allocator had to
    give its cache back `retries` times to go on, which costs time and comes before running out.

    A leak: memory that grows in a straight line or faster, by `growth` of its level and 5 standard
    errors from a tenth of the run to its end. Growth in a few stairs, or one that levels off, is
    what allocators do. `min_points` values are needed (for a leak 40).

    What to do: against a leak look for losses or outputs that are kept with their graph (use
    `.item()` or `.detach()`), and lists that grow; where memory is full take smaller batches with
    accumulation, or recompute activations.

    Settings
    --------
    threshold : share of the limit
        Above it memory is nearly full.
    share : share of the run
        In which it must be.
    growth : share of the level
        By which memory must grow to be a leak.
    retries : count
        Of cache given back, from which on full memory is a warning.
    min_points : points
        Fewer are not judged.
    """
    found = readings(run, "gpu-memory")
    if not found:
        yield skip("no GPU memory in this log")
        return
    again = _times(run)
    for series in found:
        yield _judge(run, series, _Limits(threshold, share, growth, retries, min_points), again)


@dataclass(frozen=True)
class _Limits:
    threshold: float
    share: float
    growth: float
    retries: int
    least: int


def _judge(run: Run, series: Series, limits: _Limits, again: int) -> Finding:
    curve = series.finite
    n = len(curve)
    if n < limits.least:
        return inconclusive(
            f"cannot tell: {words.plural(n, 'value')} of {series.metric}; "
            f"{limits.least} are needed",
            series,
            evidence={"points": n, "points_needed": limits.least},
        )
    if float(curve.value.min()) < 0:
        return skip(f"{series.metric} is no amount of memory: it falls below zero", series)
    full = _full(run, series, curve.value)
    leak = _leak(curve.value, limits.growth)
    if leak is not None:
        return _leaks(series, curve, leak, full)
    if full is None:
        return passed(
            f"{series.metric} does not grow; how much memory there is, this log does not tell.",
            series,
            evidence={"median": median(curve.value), "points": n},
        )
    return _fill(series, curve, curve.value / full, limits, again)


def _full(run: Run, series: Series, value: Floats) -> float | None:
    """The value of a series at which memory is full, None where the log does not tell."""
    highest = float(value.max())
    known = hundred_percent(series, highest)
    if known is not None or unit_of(series) == "%":
        return known
    used = in_bytes(highest, unit_of(series))
    for limit, unit in (*_totals(run, series), *_configured(run.config)):
        total = in_bytes(limit, unit)
        if total is not None and used is not None and 0 < used <= 1.02 * total:
            return highest * (total / used)
    return None


def _totals(run: Run, series: Series) -> Iterator[tuple[float, str]]:
    """Totals that are logged as a series: what belongs to the same device first."""
    device = _digits(series.metric)
    found = sorted(readings(run, "memory-limit"), key=lambda s: _digits(s.metric) != device)
    for s in found:
        value = s.finite.value
        if len(value) and 0 < float(value.max()) <= 1.01 * float(value.min()):
            yield float(value.max()), unit_of(s)


def _digits(name: str) -> str:
    return "".join(c for c in name if c.isdigit())


def _configured(config: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[float, str]]:
    """Totals in the configuration, by names such as ``gpu_memory_gb`` or ``vram_total_mib``."""
    for key, value in config.items():
        if isinstance(value, Mapping) and depth < _DEEPEST:
            yield from _configured(value, depth + 1)
        elif isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            role = role_of(str(key))
            if role.name == "memory-limit" or (
                role.name == "gpu-memory" and role.unit not in ("", "%")
            ):
                yield float(value), role.unit


def _times(run: Run) -> int:
    """How often the allocator gave its cache back, over the run."""
    most = 0
    for s in readings(run, "memory-retries"):
        value = s.finite.value
        if len(value):
            most = max(most, int(min(float(value.max()) - max(float(value[0]), 0.0), 1e9)))
    return most


def _leak(value: Floats, growth: float) -> Slide | None:
    size = float(value.max())
    if size <= 0:
        return None
    found = slide(value / size, 0.0)
    if found is None or found.before <= 0 or found.stairs > _STAIRS or found.bend > _BEND:
        return None
    return found if found.rise >= growth * found.before else None


def _leaks(series: Series, curve: Series, found: Slide, full: float | None) -> Finding:
    size = float(curve.value.max())
    before, now = found.before * size, (found.before + found.rise) * size
    n = len(curve)
    first, last = int(curve.step[n // 10]), int(curve.step[-1])
    share = now / before - 1
    evidence = {"before": before, "now": now, "growth": share, "standard_errors": found.score}
    said = (
        f"{series.metric} grows all along, by {words.percent(share, 2)}: from "
        f"{words.with_unit(before, unit_of(series))} to {words.with_unit(now, unit_of(series))}"
    )
    if full is not None and now < full:
        pace = (now - before) / max(float(last) - float(first), 1.0)
        ends = float(last) + (full - now) / pace
        if ends < 2**62:
            evidence |= {"limit": full, "limit_step": float(round(ends))}
            where = "reading" if own_axis(series) else "step"
            said += (
                f"; at this pace it reaches {words.with_unit(full, unit_of(series))} "
                f"at {where} {words.step(round(ends))}"
            )
    steps = (None, None) if own_axis(series) else (first, last)
    return fail(
        f"{said}.", series, first_step=steps[0], last_step=steps[1], evidence=evidence,
        confidence=0.85,
    )  # fmt: skip


def _fill(series: Series, curve: Series, used: Floats, limits: _Limits, again: int) -> Finding:
    level, edge = steady_levels(used)
    high = level > limits.threshold
    evidence = {
        "threshold": limits.threshold,
        "median": median(used),
        "highest": float(used.max()),
        "share_of_windows": float(np.mean(high)),
    }
    tail = max(1, len(level) // 10)
    if not (np.mean(high) >= limits.share or high[-tail:].all()):
        return passed(
            f"{series.metric} is at {words.percent(evidence['median'], 2)} of the memory, "
            f"{words.percent(evidence['highest'], 2)} at most, and does not grow.",
            series,
            evidence=evidence,
        )
    at = np.flatnonzero(high)
    said = (
        f"{series.metric} is above {words.percent(limits.threshold)} of the memory in "
        f"{words.percent(evidence['share_of_windows'], 2)} of the run, at "
        f"{words.percent(evidence['highest'], 3)} at most"
    )
    if again >= limits.retries:
        evidence["retries"] = again
        said += f"; {words.plural(again, 'time')} the allocator gave its cache back to go on"
    first, last = int(curve.step[edge[at[0]]]), int(curve.step[edge[at[-1] + 1] - 1])
    return fail(
        f"{said}.",
        series,
        first_step=None if own_axis(series) else first,
        last_step=None if own_axis(series) else last,
        evidence=evidence,
        severity="warning" if again >= limits.retries else "info",
        confidence=0.95,
    )
