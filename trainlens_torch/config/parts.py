"""Settings of the model and its losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from trainlens_torch.config.setting import (
    Section,
    names,
    number,
    numbers,
    place,
    stages,
    switch,
    word,
)

__all__ = [
    "AlphaDiversitySettings",
    "ClipLossSettings",
    "DropoutSettings",
    "FreezingSettings",
    "LossSettings",
    "ModelSettings",
]


@dataclass(frozen=True)
class ModelSettings(Section):
    """First values and layers; `initialize`, `activation_layer` and `norm_layer` follow it."""

    title: ClassVar[str] = "model"

    init: str = word(
        "default", "first values of the weights", "kaiming", "xavier", "orthogonal", "default"
    )
    activation: str = word(
        "relu", "activation of the hidden layers",
        "relu", "gelu", "silu", "leaky-relu", "elu", "tanh",
    )  # fmt: skip
    norm: str = word(
        "none", "normalisation before the activations", "none", "layernorm", "rmsnorm", "batchnorm"
    )
    branches: tuple[str, ...] = names((), "last layers of residual branches")
    branch_scale: float | None = number(None, "factor on the first weights of those")


@dataclass(frozen=True)
class DropoutSettings(Section):
    """Dropout that begins late; `TrainingConfig.scheduler` applies it."""

    title: ClassVar[str] = "dropout"

    target: float | None = number(
        None, "rate after its start; that of the model without it", high=1.0, logged="dropout_rate"
    )
    start: float | int | str = place(0.1, "where dropout begins")
    ramp: float | int | str = place(0, "length of a line up to the rate")
    extra: tuple[str, ...] = names((), "further attributes that hold a rate")


@dataclass(frozen=True)
class FreezingSettings(Section):
    """Components that train later; `TrainingConfig.scheduler` applies it."""

    title: ClassVar[str] = "freezing"

    stages: Mapping[str, Any] = stages("until where, or between which places, each is frozen")
    norms: str = word("hold", "running statistics of what is frozen", "hold", "train")


@dataclass(frozen=True)
class LossSettings(Section):
    """Losses; `cross_entropy` and `channel_loss` of `TrainingConfig` make them."""

    title: ClassVar[str] = "loss"

    label_smoothing: float = number(0.0, "share of the label spread over all classes", high=1.0)
    class_weights: str = word("none", "weights of the classes", "none", "inverse")
    largest_weight: float = number(100.0, "largest weight that a class may get", low=1.0)
    channel_weights: tuple[float, ...] = numbers((), "weights of the channels of channel_loss")
    channel_loss: str = word("mse", "loss of a channel", "mse", "l1", "smooth_l1", "bce")
    pos_weight: float | None = number(None, "factor of the positive part of bce", above=True)
    reduction: str = word("mean", "how channels are put together", "mean", "sum", "none")


@dataclass(frozen=True)
class ClipLossSettings(Section):
    """Consistency with CLIP features; `TrainingConfig.clip_consistency` makes it."""

    title: ClassVar[str] = "clip_loss"

    weight: float = number(0.05, "full weight of the loss")
    warmup_end_progress: float | int | str = place(0.1, "where its weight begins to rise")
    ramp_duration_progress: float | int | str = place(0.1, "length of the rise")
    coverage_threshold: float = number(0.6, "coverage from which a sample counts", high=1.0)
    soft_gate: bool = switch(True, "fade with coverage instead of switching off")
    gradient_flow_ratio: float = number(0.1, "gradient that reaches the protected side", high=1.0)


@dataclass(frozen=True)
class AlphaDiversitySettings(Section):
    """A fusion gate that stays open; `TrainingConfig.gate_diversity` makes it."""

    title: ClassVar[str] = "alpha_diversity"

    weight: float = number(0.0, "weight of the diversity term")
    temperature: float = number(1.0, "temperature of the fusion gate", above=True)
    low: float = number(0.1, "mean of the gate below which it is polarized", above=True, high=1.0)
    high: float = number(0.9, "mean of the gate above which it is polarized", above=True, high=1.0)
