"""Settings of what an update is: optimizer, groups, schedule, batch, clipping, precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from trainlens_torch.config.setting import (
    Section,
    names,
    number,
    place,
    places,
    ratios,
    text,
    whole,
    word,
)

__all__ = [
    "AdaptiveLRSettings",
    "BatchSettings",
    "ClippingSettings",
    "GroupSettings",
    "OptimizerSettings",
    "PrecisionSettings",
    "ScheduleSettings",
]


@dataclass(frozen=True)
class OptimizerSettings(Section):
    """The optimizer; `TrainingConfig.optimizer_for` makes it."""

    title: ClassVar[str] = "optimizer"

    name: str = text("adamw", "name that make_optimizer knows")
    lr: float = number(3e-4, "peak learning rate", above=True)
    weight_decay: float = number(0.01, "weight decay; none for norms and biases")
    beta1: float | None = number(None, "memory of the first moments", high=1.0)
    beta2: float | None = number(None, "memory of the second moments", high=1.0)
    eps: float | None = number(None, "added to the root of the second moments", above=True)
    momentum: float | None = number(None, "momentum of those that have one", high=1.0)


@dataclass(frozen=True)
class GroupSettings(Section):
    """Parameter groups by component; `TrainingConfig.optimizer_for` makes them."""

    title: ClassVar[str] = "groups"

    ratios: Mapping[str, float] = ratios("learning rate of components, as a factor of optimizer.lr")
    rest: float = number(1.0, "the same factor for all that no component names")
    no_decay: tuple[str, ...] = names((), "further parameters without weight decay")
    layer_decay: float | None = number(
        None, "factor from layer to layer towards the input", above=True, high=1.0
    )


@dataclass(frozen=True)
class ScheduleSettings(Section):
    """The course of the learning rate; `clock` and `scheduler` of `TrainingConfig` make it.

    After a warmup, places in `at` and `decay` relate to what follows it.
    """

    title: ClassVar[str] = "schedule"

    kind: str = word(
        "cosine", "form after the warmup",
        "constant", "linear", "cosine", "cosine-restarts", "polynomial", "exponential", "step",
        "inverse-sqrt", "warmup-stable-decay", "one-cycle",
    )  # fmt: skip
    total: float | int | str | None = place(
        None, "length of the whole training, in updates or with a unit", logged="total_steps"
    )
    warmup: float | int | str = place(0.05, "length of the linear warmup")
    warmup_start: float = number(0.0, "first learning rate as a share of the peak", high=1.0)
    floor: float = number(0.01, "last learning rate as a share of the peak", high=1.0)
    power: float = number(1.0, "power of polynomial")
    cycles: int = whole(1, "cycles of cosine-restarts", high=10_000)
    decay: float | int | str = place(0.2, "length of the decay of warmup-stable-decay")
    at: tuple[Any, ...] = places((0.5, 0.75), "where step lowers the rate")
    gamma: float = number(0.1, "factor of each step")
    rewarm_steps: int = whole(0, "updates of warmup after each place of rewarm_at", low=0)
    rewarm_at: tuple[Any, ...] = places((), "where the data change")


@dataclass(frozen=True)
class BatchSettings(Section):
    """How many samples an update takes in; loaders, `clock` and `accumulation` follow it."""

    title: ClassVar[str] = "batch"

    size: int = whole(32, "micro-batch on each device", unit="samples", logged="batch_size")
    accumulation: int = whole(1, "micro-batches of an update", logged="gradient_accumulation_steps")
    effective: int | None = whole(
        None, "samples of an update on each device: checked, and kept by all that changes size",
        unit="samples",
    )  # fmt: skip


@dataclass(frozen=True)
class ClippingSettings(Section):
    """Clipping; `TrainingConfig.guard_for` clips at `norm`, `adaptive_clip` at what is usual."""

    title: ClassVar[str] = "clipping"

    norm: float | None = number(
        1.0, "largest norm of all gradients", above=True, optional=True, logged="max_grad_norm"
    )
    z: float | None = number(None, "spreads above the usual norm at which is clipped", above=True)
    decay: float = number(0.99, "memory of the usual norm", above=True, high=1.0)
    warmup: int = whole(100, "norms that are only watched", unit="updates")


@dataclass(frozen=True)
class PrecisionSettings(Section):
    """Types of numbers; `autocast`, `scaler` and `cast` of `TrainingConfig` set them."""

    title: ClassVar[str] = "precision"

    compute: str = word("fp32", "type that the model computes in", "fp32", "tf32", "bf16", "fp16")
    master: str = word("as-is", "type of the weights that the optimizer holds", "as-is", "float32")


@dataclass(frozen=True)
class AdaptiveLRSettings(Section):
    """A learning rate that follows the loss; `TrainingConfig.adaptive_manager` makes it."""

    title: ClassVar[str] = "adaptive_lr"

    mode: str = word("off", "how it decides", "off", "seed", "robust")
    threshold: float = number(0.001, "variance below which a loss is stalled", unit="loss squared")
    window: int = whole(20, "losses that are judged together", unit="evaluations", low=3)
    boost: float = number(1.5, "factor for a stalled loss", low=1.0, above=True)
    decay: float = number(0.8, "factor without improvement", above=True, high=1.0)
    no_improvement: int = whole(30, "losses without a new best before decay", unit="evaluations")
    patience: int = whole(50, "losses without a new best before factor", unit="evaluations", low=0)
    factor: float = number(0.7, "factor of a fall on a plateau", above=True, high=1.0)
    min_lr: float = number(1e-6, "learning rate below which nothing lowers it")
    max_factor: float | None = number(None, "largest factor in all", low=1.0)
    step: float = number(3.0, "factor of a trial in mode robust", low=1.0, above=True)
    trials: int = whole(12, "trials that may fail in mode robust", low=0)
    warmup: int = whole(0, "first losses that are not judged", unit="evaluations", low=0)
