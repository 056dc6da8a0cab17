"""What each kind of layer begins with: its gain, its fans and its standard deviation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

__all__ = ["GAINS", "Initialized", "Job", "drafts"]

GAINS = {
    "linear": 1.0,
    "relu": math.sqrt(2.0),
    "leaky_relu": nn.init.calculate_gain("leaky_relu", 0.01),
    "tanh": nn.init.calculate_gain("tanh"),
    "sigmoid": nn.init.calculate_gain("sigmoid"),
    "selu": nn.init.calculate_gain("selu"),
    "gelu": 1.4680112605467932,
    "silu": 1.5587599300694917,
}
"""Factor on the standard deviation that makes up for what a nonlinearity takes away.

torch's own where it has one; for gelu and silu, as for relu, the g with ``E[f(g z)^2] = 1`` for
standard normal z: inputs of unit variance keep it from layer to layer.
"""

_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


class Initialized(NamedTuple):
    """What became of one parameter.

    Parameters
    ----------
    name : str
        Dotted, without the components of wrappers.
    kind : str
        ``linear``, ``convolution``, ``transposed convolution``, ``attention``, ``embedding``,
        ``norm``, ``bias``; ``skipped`` where a pattern says so, ``unchanged`` where nothing is
        known about its layer.
    gain : float or None
        Of the nonlinearity, times the branch scale; None where nothing was drawn.
    std : float or None
        Standard deviation of the entries; None where they are constant or were not set.
    also : tuple of str
        Further names of a parameter that is shared.
    """

    name: str
    kind: str
    gain: float | None = None
    std: float | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """One parameter that is to be set: ``attribute`` of ``module``."""

    row: Initialized
    module: nn.Module
    attribute: str
    value: float | None = None
    """Of a constant; None where it is drawn."""
    blocks: int = 1
    """Equal parts along the first dimension that are drawn each for itself."""
    scale: float = 1.0

    @property
    def weight(self) -> torch.Tensor:
        """The parameter, computed anew where it is parametrised."""
        found: torch.Tensor = getattr(self.module, self.attribute)
        return found


def drafts(module: nn.Module, scheme: str, gain: float, embedding_std: float) -> Iterator[Job]:
    """What is to be set in one module, its children apart; rows without a name."""
    if isinstance(module, nn.Linear):
        yield _drawn(module, "weight", "linear", scheme, gain, _fans(module.weight))
    elif isinstance(module, _ConvNd):
        yield _convolution(module, scheme, gain)
    elif isinstance(module, nn.MultiheadAttention):
        for attribute in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = getattr(module, attribute)
            if weight is not None:
                blocks = 3 if attribute == "in_proj_weight" else 1
                fans = (weight.shape[1], weight.shape[0] // blocks)
                yield _drawn(module, attribute, "attention", scheme, 1.0, fans, blocks)
        yield Job(Initialized("", "bias"), module, "in_proj_bias", 0.0)
    elif isinstance(module, nn.Embedding | nn.EmbeddingBag):
        yield Job(Initialized("", "embedding", std=embedding_std), module, "weight")
    elif isinstance(module, _NORMS):
        yield Job(Initialized("", "norm"), module, "weight", 1.0)
    if isinstance(module, (nn.Linear, _ConvNd, *_NORMS)):
        yield Job(Initialized("", "bias"), module, "bias", 0.0)


def _convolution(module: _ConvNd, scheme: str, gain: float) -> Job:
    kernel = math.prod(module.kernel_size)
    inputs = module.in_channels // module.groups * kernel
    outputs = module.out_channels // module.groups * kernel
    kind = "convolution"
    if isinstance(module, _ConvTransposeNd):
        kind = "transposed convolution"
        # Between the inputs lie stride - 1 zeros, so that many weights meet nothing.
        inputs = max(inputs // math.prod(module.stride), 1)
    return _drawn(module, "weight", kind, scheme, gain, (inputs, outputs), module.groups)


def _fans(weight: torch.Tensor) -> tuple[int, int]:
    return weight.shape[1], weight.shape[0]


def _drawn(
    module: nn.Module,
    attribute: str,
    kind: str,
    scheme: str,
    gain: float,
    fans: tuple[int, int],
    blocks: int = 1,
) -> Job:
    inputs, outputs = fans
    if scheme == "orthogonal":
        shape = getattr(module, attribute).shape
        rows, columns = shape[0] // blocks, math.prod(shape[1:])
        std = gain / math.sqrt(max(rows, columns, 1))
    elif scheme == "xavier":
        std = gain * math.sqrt(2.0 / max(inputs + outputs, 1))
    else:
        std = gain / math.sqrt(max(inputs, 1))
    return Job(Initialized("", kind, gain, std), module, attribute, blocks=blocks)
