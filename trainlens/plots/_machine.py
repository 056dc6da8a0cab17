"""What a log tells of the machine, by quantity: speed, GPU, CPU, memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trainlens.detect.machine import hundred_percent, in_bytes, own_axis, readings, unit_of
from trainlens.run import Run, Series

MOST = 8
"""Devices of one quantity that are shown."""
_GIB = 2.0**30
_PREFIX = re.compile(r"^(?:__system__|system[/.])+|\{.*\}$")
_GPU = re.compile(r"^gpu(\.\d+\.gpu)?$")
_CPU = re.compile(r"^cpu$|^(system_)?cpu_?(percent|util[a-z]*|usage)$")
_HOST = re.compile(r"^memory(_percent)?$|^ram(_percent|_util[a-z]*|_used[a-z_]*)?$")


@dataclass(frozen=True)
class Quantity:
    """One thing that is measured on one or several devices.

    Parameters
    ----------
    name, unit : str
    series : tuple of Series
        Values in `unit`.
    limit : float or None
        What there is of it.
    """

    name: str
    unit: str
    series: tuple[Series, ...]
    limit: float | None = None

    @property
    def devices(self) -> bool:
        """Whether its curves are the same of several devices."""
        names = {re.sub(r"\d+", "", s.metric) for s in self.series}
        return len(self.series) > 1 and len(names) == 1


def quantities(run: Run) -> list[Quantity]:
    """What a run tells of its machine, what slows training down first.

    Parameters
    ----------
    run : Run
    """
    found = [
        _plain("Speed", run.with_role("throughput")),
        _plain("Step time", (*run.with_role("batch-time"), *run.with_role("data-time"))),
        _share("GPU use", (*readings(run, "gpu-usage"), *_system(run, _GPU))),
        _memory(run),
        _share("CPU use", _system(run, _CPU)),
        _share("RAM", _system(run, _HOST)),
    ]
    return [q for q in found if q is not None]


def _system(run: Run, name: re.Pattern[str]) -> list[Series]:
    return [s for s in run.series.values() if own_axis(s) and len(s) and name.search(_bare(s))]


def _bare(series: Series) -> str:
    return _PREFIX.sub("", series.metric).lower()


def _alike(series: Sequence[Series], unit: Callable[[Series], object]) -> tuple[Series, ...]:
    """Those that share unit (or what else is asked) and axis with the first, each once."""
    held = [s for s in dict.fromkeys(series) if len(s.finite)]
    if not held:
        return ()
    key = unit(held[0]), own_axis(held[0])
    return tuple(s for s in held if (unit(s), own_axis(s)) == key)[:MOST]


def _plain(name: str, series: Sequence[Series]) -> Quantity | None:
    held = _alike([s for s in series if s.split not in ("val", "test")], unit_of)
    return Quantity(name, unit_of(held[0]), held) if held else None


def _share(name: str, series: Sequence[Series]) -> Quantity | None:
    """A share of a whole in percent; a bare ``gpu`` or ``cpu`` is one as well."""
    held = _alike(series, lambda s: "")
    if not held:
        return None
    highest = max(float(s.finite.value.max()) for s in held)
    whole = hundred_percent(held[0], highest)
    if whole is None and unit_of(held[0]) not in ("", "%"):
        return Quantity(name, unit_of(held[0]), held)
    factor = 100.0 / whole if whole else 1.0
    return Quantity(name, "%", tuple(_times(s, factor) for s in held), 100.0)


def _memory(run: Run) -> Quantity | None:
    # A bare `memory` among readings of the machine is that of its processor. What is allocated
    # tells more than the share of the time that memory is read.
    found = [s for s in readings(run, "gpu-memory") if not (own_axis(s) and _HOST.search(_bare(s)))]
    found.sort(key=lambda s: "alloc" not in s.metric.lower())
    held = _alike(found, lambda s: (unit_of(s), re.sub(r"\d+", "", _bare(s))))
    if not held:
        return None
    highest = max(float(s.finite.value.max()) for s in held)
    if hundred_percent(held[0], highest) is not None:
        return _share("GPU memory", held)
    size = in_bytes(highest, unit_of(held[0]))
    if size is None or highest <= 0:
        return Quantity("GPU memory", unit_of(held[0]), held)
    series = tuple(_times(s, size / highest / _GIB) for s in held)
    return Quantity("GPU memory", "GB", series, _limit(run))


def _limit(run: Run) -> float | None:
    for series in readings(run, "memory-limit"):
        kept = series.finite.value
        size = in_bytes(float(kept[-1]), unit_of(series)) if len(kept) else None
        if size is not None:
            return size / _GIB
    return None


def _times(series: Series, factor: float) -> Series:
    return series if factor == 1.0 else replace(series, value=series.value * factor)


def by_time(quantity: Quantity, start: float | None) -> Quantity | None:
    """The same over seconds since the start of the run, where the readings have times.

    Parameters
    ----------
    quantity : Quantity
    start : float or None
        Unix time.

    Returns
    -------
    Quantity or None
        None where training steps count the points, or their times are unknown.
    """
    first = quantity.series[0]
    if start is None or not own_axis(first):
        return None
    moved = []
    for series in quantity.series:
        good = np.flatnonzero(np.isfinite(series.wall_time))
        if len(good) < len(series):
            return None
        kept = series.take(good[np.argsort(series.wall_time, kind="stable")])
        moved.append(replace(kept, step=np.rint(kept.wall_time - start).astype(np.int64)))
    return replace(quantity, series=tuple(moved))
