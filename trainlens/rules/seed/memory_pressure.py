"""``memory-pressure`` of the seed profile: a fixed share of the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trainlens.detect.machine import hundred_percent, in_bytes, readings, unit_of
from trainlens.rules.base import Finding, rule, skip
from trainlens.rules.seed._limits import judge
from trainlens.run import Run, Series


@rule(
    "memory-pressure",
    profile="seed",
    severity="warning",
    about="speed",
    source="Diffold seed (GPU memory above 90 %: take a smaller batch)",
)
def memory_pressure(run: Run, *, threshold: float = 0.9) -> Iterator[Finding]:
    """GPU memory was more than 90 % full at a reading.

    Reads memory in percent, or its amount where the log has the total as well. A share, so no
    unit matters; but an allocator that keeps what it once got sits above 90 % in healthy runs.
    The default profile asks whether it had to give its cache back, and looks for leaks.

    Settings
    --------
    threshold : share of the memory
        Above it a reading is a fault.
    """
    found = [s for s in readings(run, "gpu-memory") if len(s.finite)]
    if not found:
        yield skip("no GPU memory in this log")
        return
    known = [(s, full) for s in found if (full := _full(run, s)) is not None]
    if not known:
        yield skip("how much GPU memory there is, this log does not tell", found[0])
    for series, full in known:
        base = series.effective
        percent = replace(base, value=base.value / full * 100.0, logged_unit="%", meaning=None)
        yield judge(percent, high=threshold * 100.0)


def _full(run: Run, series: Series) -> float | None:
    """The value of a series at which memory is full, None where the log does not tell."""
    top = float(series.finite.value.max())
    full = hundred_percent(series, top)
    if full is not None or unit_of(series) == "%":
        return full
    used = in_bytes(top, unit_of(series))
    for limit in readings(run, "memory-limit"):
        held = limit.finite.value
        total = in_bytes(float(held.max()), unit_of(limit)) if len(held) else None
        if total is not None and used is not None and 0 < used <= 1.02 * total:
            return top * (total / used)
    return None
