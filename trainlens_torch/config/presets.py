"""Presets: what is changed for speed, for safety, for little memory, for finding a fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainlens.errors import UsageError
from trainlens_torch.config.reading import nearest
from trainlens_torch.place import place

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

__all__ = ["PRESETS", "Preset", "apply_presets"]

_SHORTEST, _CUT = 16, 512


@dataclass(frozen=True)
class Preset:
    """Changes of a configuration.

    Parameters
    ----------
    help : str
        One line.
    change : callable
        From a configuration to settings by dotted name.
    """

    help: str
    change: Callable[[TrainingConfig], Mapping[str, Any]]


def _balanced(config: TrainingConfig) -> dict[str, Any]:
    return {}


def _performance(config: TrainingConfig) -> dict[str, Any]:
    batch = config.batch
    more = {} if batch.effective else {"batch.accumulation": max(batch.accumulation, 4)}
    return {
        **more,
        "data.workers": max(config.data.workers, 4),
        "data.prefetch": max(config.data.prefetch, 3),
        "precision.compute": "bf16",
        "logging.system_every": 10.0,
        "logging.data_time": True,
        "health.every": max(config.health.every, 500),
    }


def _safety(config: TrainingConfig) -> dict[str, Any]:
    return {
        **_warm(config),
        "clipping.norm": min(config.clipping.norm or 1.0, 1.0),
        "guard.skip_nonfinite": True,
        "guard.z": config.guard.z or 6.0,
        "guard.box": max(config.guard.box, 100),
        "health.enabled": True,
        "health.every": min(config.health.every, 50),
        "memory.on_oom": "split",
        "memory.adaptive_batch": True,
        "precision.master": "float32",
        "logging.gradient_norm": True,
        "checkpoints.every": min(config.checkpoints.every, 500),
    }


def _warm(config: TrainingConfig) -> dict[str, Any]:
    """A warmup before a cosine, where there is none."""
    if place(config.schedule.warmup).value:
        return {}
    return {"schedule.kind": "cosine", "schedule.warmup": 0.05}


def _memory(config: TrainingConfig) -> dict[str, Any]:
    length = config.data.sequence_length
    return {
        **_halved(config),
        "data.sequence_length": max(length // 2, _SHORTEST) if length else _CUT,
        "data.prefetch": min(config.data.prefetch, 1),
        "data.cache_mib": 0,
        "precision.compute": "bf16",
        "memory.on_oom": "split",
        "memory.adaptive_batch": True,
        "memory.cleanup_every": 100,
    }


def _halved(config: TrainingConfig) -> dict[str, Any]:
    """Half of the micro-batch and twice as many, where that is the same update."""
    batch = config.batch
    if batch.size % 2:
        return {}
    return {"batch.size": batch.size // 2, "batch.accumulation": 2 * batch.accumulation}


def _debug(config: TrainingConfig) -> dict[str, Any]:
    return {
        **({"memory.on_oom": "raise"} if config.memory.on_oom == "skip" else {}),
        "debug.detect_anomaly": True,
        "debug.batches": max(config.debug.batches, 5),
        "debug.max_updates": min(config.debug.max_updates or 100, 100),
        # What is bad shall be seen, not skipped.
        "guard.skip_nonfinite": False,
        "guard.z": None,
        "guard.max_norm": None,
        "guard.box": max(config.guard.box, 100),
        "health.enabled": True,
        "health.every": 10,
        "validation.on_train_batch": True,
        "data.workers": 0,
        "data.prefetch": 0,
        "logging.every": 1,
        "logging.sync": True,
        "logging.gradient_norm": True,
        "logging.gradients": "layers",
    }


def _small(config: TrainingConfig) -> dict[str, Any]:
    return {
        "optimizer.lr": 1e-3,
        "schedule.warmup": 0.02,
        **_batch(config, 64, 1),
        "precision.compute": "fp32",
    }


def _large(config: TrainingConfig) -> dict[str, Any]:
    return {
        "optimizer.lr": 1e-4,
        "optimizer.weight_decay": 0.1,
        "optimizer.beta2": 0.95,
        "schedule.warmup": 0.1,
        **_batch(config, 8, 8),
        "precision.compute": "bf16",
        "clipping.norm": 1.0,
    }


def _batch(config: TrainingConfig, size: int, accumulation: int) -> dict[str, Any]:
    """A batch of a size, where the samples of an update are not said already."""
    if config.batch.effective is not None:
        return {}
    return {"batch.size": size, "batch.accumulation": accumulation}


PRESETS: dict[str, Preset] = {
    "balanced": Preset("the defaults: speed and safety in balance", _balanced),
    "performance": Preset(
        "speed: prefetching, accumulation, bf16, times of data and steps in the log", _performance
    ),
    "safety": Preset(
        "stability: warmup, clipping, skipped updates, health checks, recovery from out of memory "
        "with an adaptive batch",
        _safety,
    ),
    "memory": Preset(
        "little memory: half of the batch with twice the accumulation, shorter sequences, less "
        "prefetching, regular clean-up",
        _memory,
    ),
    "debug": Preset(
        "finding a fault: anomaly detection, every step logged, batches and gradients printed, "
        "100 updates",
        _debug,
    ),
    "small_model": Preset("a small model: a higher learning rate, large batches", _small),
    "large_model": Preset(
        "a large model: a lower learning rate, longer warmup, small batches accumulated", _large
    ),
}
"""Every preset by its name."""


def apply_presets(config: TrainingConfig, names: tuple[str, ...]) -> TrainingConfig:
    """A configuration with presets, one after the other: of two that differ the later one counts.

    Raises
    ------
    UsageError
        An unknown name; the nearest one is named.
    """
    for name in names:
        if name not in PRESETS:
            raise UsageError(f"there is no preset {name!r}; {nearest(str(name), PRESETS)}")
        config = config.changed(PRESETS[name].change(config))
    return config
