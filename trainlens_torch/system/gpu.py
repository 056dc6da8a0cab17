"""Readings of the GPU: memory through torch, utilisation through nvidia-ml-py where it is there."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable

import torch

from trainlens_torch.system.host import GIB

__all__ = ["current", "gpu", "in_use", "memory"]


def current() -> torch.device | None:
    """The accelerator of the calling thread, None while there is none in use."""
    if in_use():
        return torch.device("cuda", torch.cuda.current_device())
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return None


def in_use() -> bool:
    """Whether this process works on a CUDA device. Asking must not be what makes it do so."""
    return torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def gpu(device: torch.device) -> dict[str, float]:
    """What there is to read of a device. Nothing waits for its work."""
    return {**memory(device), **_utilisation(device)}


def memory(device: torch.device) -> dict[str, float]:
    """Memory of a device, and how often the allocator came to its limits."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        counted = torch.cuda.memory_stats(device)
        return {
            "gpu_memory_gib": (total - free) / GIB,
            "gpu_memory_total_gib": total / GIB,
            "gpu_memory_allocated_gib": counted.get("allocated_bytes.all.current", 0) / GIB,
            "alloc_retries": float(counted.get("num_alloc_retries", 0)),
            "num_ooms": float(counted.get("num_ooms", 0)),
        }
    if device.type == "mps":
        return {
            "gpu_memory_gib": torch.mps.driver_allocated_memory() / GIB,
            "gpu_memory_total_gib": torch.mps.recommended_max_memory() / GIB,
            "gpu_memory_allocated_gib": torch.mps.current_allocated_memory() / GIB,
        }
    return {}


def _utilisation(device: torch.device) -> dict[str, float]:
    if device.type != "cuda":
        return {}
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return {}
    asked: dict[str, tuple[Callable[[torch.device], int], float]] = {
        "gpu_util_percent": (torch.cuda.utilization, 1.0),
        "gpu_temp_c": (torch.cuda.temperature, 1.0),
        "gpu_power_watts": (torch.cuda.power_draw, 1e-3),
    }
    out = {}
    for name, (ask, unit) in asked.items():
        # A driver or a device (a part of one, a laptop's) need not tell all of it.
        with contextlib.suppress(nvml.NVMLError, RuntimeError, OSError, AttributeError):
            out[name] = ask(device) * unit
    return out
