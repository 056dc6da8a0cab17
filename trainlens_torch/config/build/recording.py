"""What is recorded of a training."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from trainlens_torch.record.logger import RunLogger

if TYPE_CHECKING:
    from torch import Tensor, nn

    from trainlens_torch.config import TrainingConfig
    from trainlens_torch.system import SystemMonitor


def logger(
    config: TrainingConfig, path: str | os.PathLike[str], schedules: Any, /, **more: Any
) -> RunLogger:
    """The recorder of a run, with the settings at the head of its log."""
    own = config.logging
    header = {**config.header(), **(more.pop("config", None) or {})}
    settings = {"sinks": own.sinks, "sync": own.sync, "watchers": _watchers(config), "end": True}
    return RunLogger(path, config=header, schedules=schedules, **{**settings, **more})


def _watchers(config: TrainingConfig) -> list[Any]:
    from trainlens_torch.record.watching import Watcher

    limits: Any = config.logging.anomalies
    return [] if limits == "off" else [Watcher(limits)]


def log_due(config: TrainingConfig, step: int) -> bool:
    """Whether a step is recorded."""
    return step % config.logging.every == 0


def system_monitor(
    config: TrainingConfig, folder: str | os.PathLike[str], /, **more: Any
) -> SystemMonitor | None:
    """What reads the machine; None where it is off."""
    from trainlens_torch.system import SystemMonitor

    every = config.logging.system_every
    return SystemMonitor(every, folder=folder, **more) if every else None


def timed(
    config: TrainingConfig, loader: Iterable[Any], monitor: SystemMonitor | None
) -> Iterator[Any]:
    """The batches of a loader; their data time is logged where that is asked for."""
    if monitor is None or not config.logging.data_time:
        return iter(loader)
    return monitor.timed(loader)


def gradient_stats(config: TrainingConfig, model: nn.Module) -> dict[str, Tensor]:
    """Norms of the gradients for the log, on the device; before they are cleared."""
    from trainlens_torch.gradients.norm import joint, norms

    own = config.logging
    if not own.gradient_norm and own.gradients == "total":
        return {}
    held = [(n, p) for n, p in model.named_parameters() if p.grad is not None]
    parts = norms([p.grad for _, p in held if p.grad is not None])
    out = {"grad_norm": joint(parts)} if parts else {}
    if own.gradients == "layers":
        for (name, _), one in zip(held, parts, strict=True):
            out[f"grad_norm/{name}"] = one
        import torch

        out["params_with_grad"] = torch.tensor(float(len(held)))
    return out
