"""The methods of `TrainingConfig` that make updates: optimizer, schedule, guard, model, losses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from trainlens_torch.config.making import Making
from trainlens_torch.place import PlaceLike

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from trainlens_torch.adaptive import AdaptiveLRManager
    from trainlens_torch.clock import Clock
    from trainlens_torch.config.build.guarding import PlainStep
    from trainlens_torch.gradients import Accumulation, AdaptiveClip
    from trainlens_torch.guard import UpdateGuard
    from trainlens_torch.health import HealthCheck
    from trainlens_torch.losses import AlphaDiversity, ChannelWeightedLoss, CLIPConsistencyLoss
    from trainlens_torch.scheduler import Part, Scheduler
    from trainlens_torch.schedules import Schedule

__all__ = ["MakingUpdates"]


class MakingUpdates(Making):
    """Makes what decides about an update.

    Each method raises `UsageError` where a setting does not fit what it is given.
    """

    def optimizer_for(self, model: nn.Module) -> Optimizer:
        """The optimizer of a model, with its parameter groups. Reads `optimizer`, `groups`."""
        from trainlens_torch.config.build import optimizing

        return optimizing.optimizer_for(self._own, model)

    def clock(
        self, total: PlaceLike | None = None, *, updates_per_epoch: int | None = None
    ) -> Clock:
        """The clock that all share. Reads `schedule.total` (or takes `total`), `batch`."""
        from trainlens_torch.config.build import optimizing

        return optimizing.clock(self._own, total, updates_per_epoch)

    def lr_schedule(self, clock: Clock) -> Schedule:
        """The course of the learning rate as a factor of its peak. Reads `schedule`."""
        from trainlens_torch.config.build import optimizing

        return optimizing.lr_schedule(self._own, clock)

    def scheduler(
        self,
        optimizer: Optimizer,
        clock: Clock,
        model: nn.Module | None = None,
        *,
        parts: Sequence[Part] = (),
        **more: Any,
    ) -> Scheduler:
        """The scheduler; dropout, freezing and the adaptive manager follow it.

        Reads `schedule`, `dropout`, `freezing`, `adaptive_lr`.

        Parameters
        ----------
        optimizer : Optimizer
        clock : Clock
        model : Module, optional
            Needed for dropout and freezing.
        parts : sequence
            Further parts of yours.
        **more
            For `Scheduler`: ``values``, ``adaptive``, schedules of further fields.
        """
        from trainlens_torch.config.build import optimizing

        return optimizing.scheduler(self._own, optimizer, clock, model, parts, **more)

    def adaptive_manager(self) -> AdaptiveLRManager | None:
        """The manager of the learning rate; None where it is off. Reads `adaptive_lr`."""
        from trainlens_torch.config.build import optimizing

        return optimizing.adaptive_manager(self._own)

    def accumulation_for(
        self, model: nn.Module, clock: Clock | None = None, *, scaler: Any = None
    ) -> Accumulation:
        """What adds up the gradients of an update. Reads `batch`."""
        from trainlens_torch.config.build import optimizing

        return optimizing.accumulation_for(self._own, model, clock, scaler)

    def adaptive_clip(self) -> AdaptiveClip | None:
        """Clipping at what is usual; None where `clipping.z` is not set. Reads `clipping`."""
        from trainlens_torch.config.build import optimizing

        return optimizing.adaptive_clip(self._own)

    def guard_for(
        self, optimizer: Optimizer, clock: Clock | None = None, model: nn.Module | None = None
    ) -> UpdateGuard | PlainStep:
        """What takes the place of ``optimizer.step``: it clips, and skips what would do harm.

        Reads `guard`, `clipping.norm`, `memory.on_oom`. The model is needed for a black box.
        """
        from trainlens_torch.config.build import guarding

        return guarding.guard_for(self._own, optimizer, clock, model)

    def health_check(
        self, model: nn.Module, optimizer: Optimizer | None = None
    ) -> HealthCheck | None:
        """The check-up; None where it is off. Reads `health`."""
        from trainlens_torch.config.build import guarding

        return guarding.health_check(self._own, model, optimizer)

    def debugging(self) -> AbstractContextManager[None]:
        """Around the training loop. Reads `debug.detect_anomaly`."""
        from trainlens_torch.config.build import guarding

        return guarding.debugging(self._own)

    def debug_batch(self, labels: Any, features: Any = None, step: int = 0, **more: Any) -> Any:
        """`trainlens_torch.debug_batch` of the first `debug.batches` updates; None after them."""
        from trainlens_torch.config.build import guarding

        return guarding.debug_batch(self._own, labels, features, step, **more)

    def debug_gradients(self, model: nn.Module, step: int = 0, **more: Any) -> Any:
        """`trainlens_torch.debug_gradients` of the first `debug.batches` updates."""
        from trainlens_torch.config.build import guarding

        return guarding.debug_gradients(self._own, model, step, **more)

    def finished(self, clock: Clock) -> bool:
        """Whether the training is over: at the end of the clock, or after `debug.max_updates`."""
        from trainlens_torch.config.build import guarding

        return guarding.finished(self._own, clock)

    def seed_all(self) -> None:
        """Seed the random numbers of Python, numpy and torch with `data.seed`."""
        from trainlens_torch.randomness import seed_all

        seed_all(self._own.data.seed)

    def initialize(self, model: nn.Module, generator: torch.Generator | None = None) -> Any:
        """Set first values. Reads `model`, and `data.seed` where no generator is given."""
        from trainlens_torch.config.build import model as building

        return building.initialize(self._own, model, generator)

    def activation_layer(self) -> nn.Module:
        """A new activation, for the model to use. Reads `model.activation`."""
        from trainlens_torch.config.build import model as building

        return building.activation_layer(self._own)

    def norm_layer(self, dim: int) -> nn.Module:
        """A new normalisation of `dim` features, to stand before an activation."""
        from trainlens_torch.config.build import model as building

        return building.norm_layer(self._own, dim)

    def cast(self, model: nn.Module) -> nn.Module:
        """The model with weights of the type `precision.master`."""
        from trainlens_torch.config.build import model as building

        return building.cast(self._own, model)

    def autocast(self, device: str = "cpu") -> AbstractContextManager[Any]:
        """Around the forward pass. Reads `precision.compute`; tf32 is set for the process."""
        from trainlens_torch.config.build import model as building

        return building.autocast(self._own, device)

    def scaler(self, device: str = "cuda") -> torch.amp.GradScaler:
        """What scales losses in fp16, and does nothing else. Reads `precision.compute`."""
        from trainlens_torch.config.build import model as building

        return building.scaler(self._own, device)

    def class_weights(self, counts: Sequence[float] | Tensor) -> Tensor | None:
        """Weights of classes by their counts, shape (classes,); None where all count the same."""
        from trainlens_torch.config.build import model as building

        return building.class_weights(self._own, counts)

    def cross_entropy(self, counts: Sequence[float] | Tensor | None = None) -> nn.CrossEntropyLoss:
        """Cross entropy. Reads `loss.label_smoothing`, `class_weights`, `largest_weight`."""
        from trainlens_torch.config.build import model as building

        return building.cross_entropy(self._own, counts)

    def channel_loss(self) -> ChannelWeightedLoss:
        """The loss of weighted channels. Reads `loss.channel_weights`, `channel_loss`, ..."""
        from trainlens_torch.config.build import model as building

        return building.channel_loss(self._own)

    def clip_consistency(self, clock: Clock | None = None) -> CLIPConsistencyLoss:
        """Consistency with CLIP features. Reads `clip_loss`; places need the clock."""
        from trainlens_torch.config.build import model as building

        return building.clip_consistency(self._own, clock)

    def gate_diversity(self) -> AlphaDiversity:
        """What keeps a fusion gate open. Reads `alpha_diversity`."""
        from trainlens_torch.config.build import model as building

        return building.gate_diversity(self._own)
