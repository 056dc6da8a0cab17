"""A small training in which everything changes that can, cut and resumed at any update."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trainlens_torch.adaptive import AdaptiveLRManager
from trainlens_torch.clock import Clock
from trainlens_torch.dropout import ProgressiveDropout
from trainlens_torch.freeze import ProgressiveFreezing
from trainlens_torch.gradients.accumulation import Accumulation
from trainlens_torch.gradients.adaptive import AdaptiveClip
from trainlens_torch.groups import parameter_groups
from trainlens_torch.scheduler import Scheduler
from trainlens_torch.schedules.base import Schedule
from trainlens_torch.schedules.linear import Linear

UPDATES, EPOCH = 12, 2


class Net(nn.Module):
    """A backbone with statistics of its own, dropout, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh())
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.dropout(self.backbone(x)))


@dataclass(frozen=True)
class Setting:
    """One combination of what may change."""

    schedule: Schedule
    freezing: bool = True
    adaptive: str = ""
    dropout: bool = True
    accumulation: int = 1


class Training:
    """A training from a seed; `state` is what a checkpoint holds."""

    def __init__(self, setting: Setting) -> None:
        torch.manual_seed(1)
        self.model = Net()
        groups = parameter_groups(
            self.model, 0.05, ratios={"backbone": 0.5, "head": 1.0}, weight_decay=0.1
        )
        self.optimizer = torch.optim.AdamW(groups, foreach=False)
        self.clock = Clock(UPDATES, updates_per_epoch=EPOCH, accumulation=setting.accumulation)
        self.manager = _manager(setting.adaptive)
        self.parts: list[Any] = []
        if setting.freezing:
            stages = {"backbone": ("3ba", "6ba")}
            self.parts.append(ProgressiveFreezing(self.model, stages, optimizer=self.optimizer))
        if setting.dropout:
            self.parts.append(ProgressiveDropout(self.model, 0.4, start_step=4, ramp_steps=3))
        self.scheduler = Scheduler(
            self.optimizer,
            self.clock,
            lr=setting.schedule,
            weight_decay=Linear(1.0, 0.2),
            momentum=Linear(1.0, 0.9),
            parts=self.parts,
            adaptive=self.manager,
        )
        self.accumulate = Accumulation(self.model, clock=self.clock)
        self.clip = AdaptiveClip(warmup=2)

    def update(self) -> tuple[float, ...]:
        """One optimizer update; what a log would hold of it."""
        self.model.train()
        self.scheduler.apply()
        for micro in range(self.clock.accumulation):
            x, y = _batch(self.clock.updates, micro)
            loss = (self.model(x) - y).square().mean()
            self.accumulate.backward(loss, weight=len(x))
            if self.clock.due:
                mean = float(self.accumulate.finish())
                norm = float(self.clip(self.model.parameters()))
                self.optimizer.step()
                self.optimizer.zero_grad()
            self.clock.tick(samples=len(x))
        if self.manager is not None:
            self.manager.update(mean, self.clock.epoch)
        if self.clock.updates % EPOCH == 0:
            self.clock.end_epoch()
        return (mean, norm, *self.scheduler.logged().values())

    def state(self) -> bytes:
        """A checkpoint, as it lies on the disk."""
        file = io.BytesIO()
        stateful = (self.model, self.optimizer, self.scheduler, self.clip, self.accumulate)
        saved = [part.state_dict() for part in stateful]
        torch.save((saved, torch.get_rng_state()), file)
        return file.getvalue()

    def resume(self, state: bytes) -> None:
        """Go on from a checkpoint."""
        saved, generator = torch.load(io.BytesIO(state), weights_only=True)
        stateful = (self.model, self.optimizer, self.scheduler, self.clip, self.accumulate)
        for part, values in zip(stateful, saved, strict=True):
            part.load_state_dict(values)
        torch.set_rng_state(generator)

    def weights(self) -> dict[str, torch.Tensor]:
        """Copies of all weights, statistics and optimizer moments."""
        out = {name: value.clone() for name, value in self.model.state_dict().items()}
        for i, moments in self.optimizer.state_dict()["state"].items():
            out |= {f"{i}/{name}": value.clone() for name, value in moments.items()}
        return out


def _manager(mode: str) -> AdaptiveLRManager | None:
    if not mode:
        return None
    # So eager that it decides within these few updates.
    return AdaptiveLRManager(
        0.05, mode=mode, threshold=10.0, window=8 if mode == "robust" else 3, no_improvement=1
    )


def _batch(update: int, micro: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1000 * update + micro)
    x = torch.randn(4 + 2 * micro, 3, generator=generator)
    return x, x.sum(1, keepdim=True)
