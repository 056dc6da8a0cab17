"""Readings of the host: processor, memory, disk; through psutil where it is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

__all__ = ["GIB", "disk", "host_reader"]

GIB = 2.0**30

Reader = Callable[[], "dict[str, float]"]


def host_reader(psutil: Any = None) -> Reader:
    """What reads processor and memory.

    Parameters
    ----------
    psutil : module, optional
        By default the one that is installed; without it, what the standard library tells: the
        load of the machine, and the files of the system where it has them.
    """
    module = _installed() if psutil is None else psutil
    if not module:
        return _plain
    process = module.Process()
    module.cpu_percent(None)  # the first call has nothing to compare with

    def read() -> dict[str, float]:
        memory = module.virtual_memory()
        return {
            "cpu_percent": float(module.cpu_percent(None)),
            "cpu_memory_gib": process.memory_info().rss / GIB,
            "ram_used_gib": (memory.total - memory.available) / GIB,
            "ram_total_gib": memory.total / GIB,
            "ram_percent": float(memory.percent),
        }

    return read


def disk(folder: str | os.PathLike[str]) -> dict[str, float]:
    """Free space of the disk that holds a folder, as far as the system tells."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return {}
    return {
        "disk_free_gib": usage.free / GIB,
        "disk_free_percent": 100.0 * usage.free / usage.total,
    }


def _installed() -> Any:
    try:
        import psutil
    except ImportError:
        return None
    return psutil


def _plain() -> dict[str, float]:
    out: dict[str, float] = {}
    if hasattr(os, "getloadavg"):
        out["cpu_usage_percent"] = 100.0 * os.getloadavg()[0] / (os.cpu_count() or 1)
    memory = _meminfo()
    total, free = memory.get("MemTotal"), memory.get("MemAvailable")
    if total and free is not None:
        out["ram_used_gib"] = (total - free) * 1024.0 / GIB
        out["ram_total_gib"] = total * 1024.0 / GIB
        out["ram_percent"] = 100.0 * (total - free) / total
    resident = _resident()
    if resident:
        out["cpu_memory_gib"] = resident / GIB
    return out


def _meminfo() -> dict[str, int]:
    """Amounts in KiB by name, empty where the system has no such file."""
    return {
        name: int(rest.split()[0])
        for name, colon, rest in (line.partition(":") for line in _lines("/proc/meminfo"))
        if colon and rest.split() and rest.split()[0].isdigit()
    }


def _resident() -> int:
    """Bytes of memory that this process holds, 0 where it is not known."""
    fields = " ".join(_lines("/proc/self/statm")).split()
    if len(fields) < 2 or not fields[1].isdigit():
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
