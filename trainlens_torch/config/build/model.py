"""First values, layers, types and losses of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainlens.errors import UsageError
from trainlens_torch.clock import Clock
from trainlens_torch.initialization import initialize as first_values
from trainlens_torch.losses import AlphaDiversity, ChannelWeightedLoss, CLIPConsistencyLoss

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
}
_GAINS = {"relu": "relu", "leaky-relu": "leaky_relu", "tanh": "tanh"}
_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda dim: nn.Identity(),
    "layernorm": nn.LayerNorm,
    "rmsnorm": nn.RMSNorm,
    "batchnorm": nn.BatchNorm1d,
}
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def initialize(config: TrainingConfig, model: nn.Module, generator: torch.Generator | None) -> Any:
    """Set the first values of a model; what was done, or None where they stay as they are."""
    own = config.model
    scaled = bool(own.branches) and own.branch_scale is not None
    if own.init == "default" and not scaled:
        return None
    if generator is None:
        generator = torch.Generator().manual_seed(config.data.seed)
    return first_values(
        model,
        own.init,
        nonlinearity=_GAINS.get(own.activation, "relu"),
        generator=generator,
        branches=own.branches if scaled else (),
        branch_scale=own.branch_scale if scaled else None,
    )


def activation_layer(config: TrainingConfig) -> nn.Module:
    """A new activation, for the model to use."""
    return _ACTIVATIONS[config.model.activation]()


def norm_layer(config: TrainingConfig, dim: int) -> nn.Module:
    """A new normalisation of `dim` features, for the model to use before its activations."""
    return _NORMS[config.model.norm](dim)


def cast(config: TrainingConfig, model: nn.Module) -> nn.Module:
    """The model, its weights in the type that the optimizer is to hold."""
    return model.float() if config.precision.master == "float32" else model


def autocast(config: TrainingConfig, device: str) -> AbstractContextManager[Any]:
    """Around the forward pass: the type that it computes in. ``tf32`` is set for the process."""
    compute = config.precision.compute
    if compute == "tf32":
        torch.set_float32_matmul_precision("high")
    if compute not in _TYPES:
        return nullcontext()
    return torch.autocast(torch.device(device).type, _TYPES[compute])


def scaler(config: TrainingConfig, device: str) -> torch.amp.GradScaler:
    """What scales losses, where half precision asks for it; else it does nothing."""
    asked = config.precision.compute == "fp16"
    return torch.amp.GradScaler(torch.device(device).type, enabled=asked)


def class_weights(config: TrainingConfig, counts: Sequence[float] | Tensor) -> Tensor | None:
    """Weights of classes by how many samples they have; None where all count the same.

    The largest class has the weight 1, the others more, `largest_weight` at most; so has a class
    without a sample.

    Raises
    ------
    UsageError
        Counts that are no numbers of 0 or more, or all of them 0.
    """
    if config.loss.class_weights == "none":
        return None
    found = torch.as_tensor(counts, dtype=torch.float32)
    if found.ndim != 1 or not len(found) or not bool((found >= 0).all()) or not bool(found.any()):
        raise UsageError("counts of classes are numbers of 0 or more, not all of them 0")
    return (found.max() / found).clamp(max=config.loss.largest_weight)


def cross_entropy(
    config: TrainingConfig, counts: Sequence[float] | Tensor | None
) -> nn.CrossEntropyLoss:
    """Cross entropy with the weights of classes and the smoothing of labels.

    Raises
    ------
    UsageError
        Classes are to be weighted and there are no counts.
    """
    if counts is None and config.loss.class_weights != "none":
        raise UsageError(
            "loss.class_weights needs the counts of the classes: config.cross_entropy(counts)"
        )
    weight = None if counts is None else class_weights(config, counts)
    return nn.CrossEntropyLoss(weight, label_smoothing=config.loss.label_smoothing)


def channel_loss(config: TrainingConfig) -> ChannelWeightedLoss:
    """The loss of weighted channels.

    Raises
    ------
    UsageError
        There are no weights.
    """
    own = config.loss
    if not own.channel_weights:
        raise UsageError("loss.channel_weights is empty; give one weight a channel")
    return ChannelWeightedLoss(own.channel_weights, own.channel_loss, own.pos_weight, own.reduction)


def clip_consistency(config: TrainingConfig, clock: Clock | None) -> CLIPConsistencyLoss:
    """Consistency with CLIP features."""
    own = config.clip_loss
    return CLIPConsistencyLoss(
        own.weight,
        own.warmup_end_progress,
        own.ramp_duration_progress,
        own.coverage_threshold,
        own.soft_gate,
        gradient_flow_ratio=own.gradient_flow_ratio,
        share=None if clock is None else clock.share,
    )


def gate_diversity(config: TrainingConfig) -> AlphaDiversity:
    """The term that keeps a fusion gate open, and its temperature."""
    own = config.alpha_diversity
    return AlphaDiversity(own.weight, own.low, own.high, temperature=own.temperature)
