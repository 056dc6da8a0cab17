"""Readings of the machine, whether the log calls them metrics or system metrics."""

from __future__ import annotations

import re

from trainlens.roles import role_of
from trainlens.run import Run, Series

_PREFIX = re.compile(r"^(?:__system__|system[/.])+")
# Weights & Biases: percent of the memory of a device that is allocated.
_ALLOCATED = re.compile(r"^gpu\.(?:process\.)?\d+\.memoryAllocated$")
_SHARE = re.compile(
    r"(?<![a-z])(frac|fraction|ratio|share|util|utili[sz]ation|usage|nvsmi)(?![a-z])"
)
_BYTES = {"B": 1.0, "KB": 2.0**10, "KiB": 2.0**10, "MB": 2.0**20, "MiB": 2.0**20,
          "GB": 2.0**30, "GiB": 2.0**30, "TB": 2.0**40, "TiB": 2.0**40}  # fmt: skip


def readings(run: Run, role: str) -> tuple[Series, ...]:
    """Series of a role, and system metrics whose own name tells that role.

    Parameters
    ----------
    run : Run
    role : str
        ``gpu-memory``, ``memory-limit``, ``gpu-usage``, ...
    """
    system = (s for s in run.with_role("system") if _own_role(s) == role)
    return (*run.with_role(role), *system)


def own_axis(series: Series) -> bool:
    """Whether a series counts its readings, not the steps of training."""
    return series.kind == "system"


def _own_role(series: Series) -> str:
    name = _PREFIX.sub("", series.metric)
    return "gpu-memory" if _ALLOCATED.match(name) else role_of(name).name


def unit_of(series: Series) -> str:
    """Unit of a reading, as logged or else as its own name tells."""
    return series.unit or role_of(_PREFIX.sub("", series.metric)).unit


def hundred_percent(series: Series, highest: float) -> float | None:
    """The value of a series of shares that means all of it; None for what is no share.

    Parameters
    ----------
    series : Series
    highest : float
        Its largest finite value.
    """
    if unit_of(series) == "%" or _ALLOCATED.match(_PREFIX.sub("", series.metric)):
        return 100.0 if highest <= 101.0 else None
    if _SHARE.search(series.metric.lower().replace("_", " ")) and highest <= 1.0:
        return 1.0
    return None


def in_bytes(value: float, unit: str) -> float | None:
    """An amount of memory in bytes; None where its unit is unknown.

    Without a unit the size tells: up to 200 is GB, up to a million MB, from ten millions on bytes.
    MB and GB are taken as powers of two, as training logs mean them.
    """
    if unit in _BYTES:
        return value * _BYTES[unit]
    if unit or not (0 < value <= 1e6 or value >= 1e7):
        return None
    if value >= 1e7:
        return value
    return value * _BYTES["GiB" if value <= 200 else "MiB"]
