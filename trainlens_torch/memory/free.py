"""Giving back memory that nothing uses any more."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import torch

from trainlens_torch.system import gpu

__all__ = ["Freed", "forget_peak", "free_memory", "share_in_use"]


@dataclass(frozen=True)
class Freed:
    """What a clean-up gave back.

    Parameters
    ----------
    objects : int
        Python objects in cycles that nothing could reach.
    device_bytes : int
        Memory of the accelerator that other allocations, and other processes, can have again;
        0 without one.
    """

    objects: int
    device_bytes: int


def free_memory() -> Freed:
    """Collect unreachable objects, then give back what the allocator of the device holds unused.

    Tensors in cycles (an exception that was kept holds its frames, and these all activations) are
    freed by the first, and only then can the second give their memory back. Costs some tens of
    milliseconds: call it where memory ran out or between phases, not at every step. It waits for
    the device.

    Returns
    -------
    Freed

    Examples
    --------
    >>> free_memory().device_bytes >= 0
    True
    """
    before = _reserved()
    objects = gc.collect()
    if gpu.in_use():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
    return Freed(objects, max(before - _reserved(), 0))


def share_in_use(device: torch.device) -> float | None:
    """Largest share of the memory of a device that was allocated since `forget_peak`.

    Returns
    -------
    float in [0, 1], or None where that cannot be asked (a CPU, Apple's GPU)
    """
    if device.type != "cuda":
        return None
    total = int(torch.cuda.get_device_properties(device).total_memory)
    return int(torch.cuda.max_memory_allocated(device)) / total


def forget_peak(device: torch.device) -> None:
    """Measure the largest share anew: what did not fit says nothing about a smaller size."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _reserved() -> int:
    if gpu.in_use():
        return sum(torch.cuda.memory_reserved(i) for i in range(torch.cuda.device_count()))
    return int(torch.mps.driver_allocated_memory()) if torch.backends.mps.is_available() else 0
