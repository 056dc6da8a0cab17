"""The companion of trainlens for PyTorch training loops: schedules, recorders and guards.

Public names are loaded on first use, so that importing the package does not import torch. What a
type checker reads stands in ``__init__.pyi``.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "adaptive": ("AdaptiveLRManager",),
    "averaging": ("evaluating", "schedule_free"),
    "clock": ("Clock",),
    "config": ("TrainingConfig", "apply_prescription"),
    "data": (
        "CachedDataset",
        "Prefetcher",
        "StratifiedBatchSampler",
        "check_sampler",
        "fingerprint",
        "seeded_loader",
    ),
    "debug": ("debug_batch", "debug_gradients"),
    "decay": ("TensorDecay",),
    "dropout": (
        "ProgressiveDropout",
        "ScheduledDropout",
        "prepare_dropout",
        "progressive_dropout",
        "set_dropout_rate",
    ),
    "fields": ("Value",),
    "freeze": ("ProgressiveFreezing",),
    "gradients": ("Accumulation", "AdaptiveClip", "clip_gradients"),
    "groups": ("parameter_groups",),
    "guard": ("BlackBox", "Diverged", "UpdateGuard"),
    "health": ("HealthCheck",),
    "initialization": ("initialize",),
    "loop": ("Checkpointer", "DamagedCheckpoint", "EarlyStopping"),
    "losses": (
        "AlphaDiversity",
        "CLIPConsistencyLoss",
        "ChannelWeightedLoss",
        "NormalizedFeatures",
    ),
    "lr_finder": ("find_lr",),
    "memory": ("AdaptiveBatch", "SplitOnOOM", "free_memory"),
    "metrics": ("gdt_ts", "lddt", "mpjpe", "pa_mpjpe", "rmsd"),
    "optimizers": ("make_optimizer",),
    "place": ("Place",),
    "record.jsonl": ("JsonlSink",),
    "record.logger": ("RunLogger",),
    "record.watching": ("Watcher",),
    "scheduler": ("Scheduler",),
    "schedules": (
        "Chain",
        "Constant",
        "Cosine",
        "CosineRestarts",
        "Custom",
        "Exponential",
        "InverseSqrt",
        "Linear",
        "LinearWarmup",
        "OneCycle",
        "Piecewise",
        "Polynomial",
        "Ramp",
        "Schedule",
        "Step",
        "WarmupStableDecay",
    ),
    "state": ("StateMismatch",),
    "system": ("SystemMonitor", "is_out_of_memory"),
}
_HOME = {name: f"{__name__}.{module}" for module, names in _NAMES.items() for name in names}
_PACKAGES = frozenset(
    [
        "adapters",
        "adaptive",
        "cli",
        "config",
        "data",
        "dropout",
        "freeze",
        "gradients",
        "groups",
        "guard",
        "health",
        "initialization",
        "loop",
        "losses",
        "lr_finder",
        "memory",
        "metrics",
        "record",
        "schedules",
        "system",
    ]
)

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_PACKAGES})
