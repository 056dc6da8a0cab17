"""The companion of trainlens for PyTorch training loops: schedules, recorders and guards.

Public names are loaded on first use, so that importing the package does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainlens_torch.adaptive import AdaptiveLRManager
    from trainlens_torch.averaging import evaluating, schedule_free
    from trainlens_torch.clock import Clock
    from trainlens_torch.debug import debug_batch, debug_gradients
    from trainlens_torch.decay import TensorDecay
    from trainlens_torch.dropout import (
        ProgressiveDropout,
        ScheduledDropout,
        prepare_dropout,
        progressive_dropout,
        set_dropout_rate,
    )
    from trainlens_torch.fields import Value
    from trainlens_torch.freeze import ProgressiveFreezing
    from trainlens_torch.gradients import Accumulation, AdaptiveClip, clip_gradients
    from trainlens_torch.groups import parameter_groups
    from trainlens_torch.guard import BlackBox, UpdateGuard
    from trainlens_torch.health import HealthCheck
    from trainlens_torch.initialization import initialize
    from trainlens_torch.losses import (
        AlphaDiversity,
        ChannelWeightedLoss,
        CLIPConsistencyLoss,
        NormalizedFeatures,
    )
    from trainlens_torch.lr_finder import find_lr
    from trainlens_torch.optimizers import make_optimizer
    from trainlens_torch.place import Place
    from trainlens_torch.record.jsonl import JsonlSink
    from trainlens_torch.record.logger import RunLogger
    from trainlens_torch.record.watching import Watcher
    from trainlens_torch.scheduler import Scheduler
    from trainlens_torch.schedules import (
        Chain,
        Constant,
        Cosine,
        CosineRestarts,
        Custom,
        Exponential,
        InverseSqrt,
        Linear,
        LinearWarmup,
        OneCycle,
        Piecewise,
        Polynomial,
        Ramp,
        Schedule,
        Step,
        WarmupStableDecay,
    )
    from trainlens_torch.state import StateMismatch
    from trainlens_torch.system import SystemMonitor, is_out_of_memory

_NAMES = {
    "adaptive": ("AdaptiveLRManager",),
    "clock": ("Clock",),
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
    "initialization": ("initialize",),
    "losses": (
        "AlphaDiversity",
        "CLIPConsistencyLoss",
        "ChannelWeightedLoss",
        "NormalizedFeatures",
    ),
    "lr_finder": ("find_lr",),
    "optimizers": ("make_optimizer",),
    "place": ("Place",),
    "record.jsonl": ("JsonlSink",),
    "averaging": ("evaluating", "schedule_free"),
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
    "debug": (
        "debug_batch",
        "debug_gradients",
    ),
    "guard": (
        "BlackBox",
        "UpdateGuard",
    ),
    "health": ("HealthCheck",),
    "system": (
        "SystemMonitor",
        "is_out_of_memory",
    ),
    "record.logger": ("RunLogger",),
    "record.watching": ("Watcher",),
}
_HOME = {name: f"{__name__}.{module}" for module, names in _NAMES.items() for name in names}
_PACKAGES = frozenset(
    {
        "adaptive",
        "dropout",
        "freeze",
        "gradients",
        "groups",
        "guard",
        "health",
        "initialization",
        "losses",
        "lr_finder",
        "record",
        "schedules",
        "system",
    }
)

__all__ = [
    "Accumulation",
    "AdaptiveClip",
    "AdaptiveLRManager",
    "AlphaDiversity",
    "BlackBox",
    "CLIPConsistencyLoss",
    "Chain",
    "ChannelWeightedLoss",
    "Clock",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Custom",
    "Exponential",
    "HealthCheck",
    "InverseSqrt",
    "JsonlSink",
    "Linear",
    "LinearWarmup",
    "NormalizedFeatures",
    "OneCycle",
    "Piecewise",
    "Place",
    "Polynomial",
    "ProgressiveDropout",
    "ProgressiveFreezing",
    "Ramp",
    "RunLogger",
    "Schedule",
    "ScheduledDropout",
    "Scheduler",
    "StateMismatch",
    "Step",
    "SystemMonitor",
    "TensorDecay",
    "UpdateGuard",
    "Value",
    "WarmupStableDecay",
    "Watcher",
    "clip_gradients",
    "debug_batch",
    "debug_gradients",
    "evaluating",
    "find_lr",
    "initialize",
    "is_out_of_memory",
    "make_optimizer",
    "parameter_groups",
    "prepare_dropout",
    "progressive_dropout",
    "schedule_free",
    "set_dropout_rate",
]


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
