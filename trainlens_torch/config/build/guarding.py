"""What watches over updates: guard, black box, health check, debug lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.debug import debug_batch as say_batch
from trainlens_torch.debug import debug_gradients as say_gradients
from trainlens_torch.gradients import clip_gradients
from trainlens_torch.guard import BlackBox, UpdateGuard
from trainlens_torch.health import HealthCheck
from trainlens_torch.health.limits import Limits

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from trainlens_torch.config import TrainingConfig


class PlainStep:
    """Clips and steps, whatever the gradients are: `UpdateGuard` with nothing guarded.

    Parameters
    ----------
    optimizer : Optimizer
    clip_norm : float, optional
        Largest norm of all gradients.
    box : BlackBox, optional
        Is given every update.
    clock : Clock, optional
        Tells its step.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        clip_norm: float | None = None,
        box: BlackBox | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.optimizer, self.clip_norm, self.box, self.clock = optimizer, clip_norm, box, clock
        self._norm = torch.zeros(())
        self._calls = 0

    def step(
        self, loss: Tensor | None = None, *, batch: Any = None, step: int | None = None
    ) -> Tensor:
        """Update the parameters; the answer, whether it was skipped, is always False."""
        if self.box is not None:
            counted = self._calls if self.clock is None else self.clock.updates
            self.box.record(counted if step is None else step, loss=loss, batch=batch)
        self._norm = clip_gradients(self.optimizer.param_groups, self.clip_norm)
        self.optimizer.step()
        self._calls += 1
        return torch.zeros((), dtype=torch.bool, device=self._norm.device)

    def sheltered(self) -> AbstractContextManager[None]:
        """Around a micro-batch; errors go on."""
        return nullcontext()

    def stats(self) -> dict[str, Tensor]:
        """For the log: the norm before clipping."""
        return {"grad_norm": self._norm.clone()}

    def state_dict(self) -> dict[str, Any]:
        """There is none."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is none."""


def guard_for(
    config: TrainingConfig, optimizer: Optimizer, clock: Clock | None, model: nn.Module | None
) -> UpdateGuard | PlainStep:
    """What takes the place of ``optimizer.step``."""
    own, clip = config.guard, config.clipping.norm
    if config.clipping.z is not None:
        clip = None  # `adaptive_clip` has it as its limit
    box = _box(config, model)
    skips = config.memory.on_oom == "skip"
    if not (own.skip_nonfinite or own.max_norm or own.z or skips):
        return PlainStep(optimizer, clip, box, clock)
    return UpdateGuard(
        optimizer,
        clip_norm=clip,
        max_norm=own.max_norm,
        z=own.z,
        warmup=own.warmup,
        box=box,
        clock=clock,
        out_of_memory="skip" if skips else "raise",
    )


def _box(config: TrainingConfig, model: nn.Module | None) -> BlackBox | None:
    if not config.guard.box:
        return None
    if model is None:
        raise UsageError("guard.box needs the model: config.guard_for(optimizer, clock, model)")
    return BlackBox(model, config.guard.box)


def health_check(
    config: TrainingConfig, model: nn.Module, optimizer: Optimizer | None
) -> HealthCheck | None:
    """The check-up; None where it is off."""
    own = config.health
    if not own.enabled:
        return None
    limits = Limits(
        loss=own.loss,
        variance=own.variance,
        gradient=own.gradient,
        vanishing=own.vanishing,
        dead=own.dead,
        saturated=own.saturated,
    )
    return HealthCheck(model, optimizer, own.every, window=own.window, limits=limits)


@contextmanager
def debugging(config: TrainingConfig) -> Iterator[None]:
    """Around the training loop: anomaly detection where it is asked for."""
    if not config.debug.detect_anomaly:
        yield
        return
    with torch.autograd.set_detect_anomaly(True):
        yield


def debug_batch(
    config: TrainingConfig, labels: Any, features: Any, step: int, /, **more: Any
) -> Any:
    """Say what a batch holds, while the first ones are looked at; None after that."""
    if step >= config.debug.batches:
        return None
    return say_batch(labels, features, step, **more)


def debug_gradients(config: TrainingConfig, model: nn.Module, step: int, /, **more: Any) -> Any:
    """Say which parameters have a gradient, while the first updates are looked at."""
    return say_gradients(model, **more) if step < config.debug.batches else None


def finished(config: TrainingConfig, clock: Clock) -> bool:
    """Whether the training is over."""
    most = config.debug.max_updates
    return clock.progress >= 1.0 or (most is not None and clock.updates >= most)
