"""LayerNorm, then projection onto the unit sphere."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainlens_torch._tensors import shape, wide
from trainlens_torch.checks import number, whole

__all__ = ["NormalizedFeatures"]

COLDEST = 0.01
"""Lowest learned temperature: that of CLIP (its logit scale is held at 100 or below)."""


class NormalizedFeatures(nn.Module):
    r"""Features of a common scale: LayerNorm, then each vector divided by its length.

    ::

        y      = a * (x - mean(x)) / sqrt(var(x) + eps) + b      over the last axis
        output = y / max(|y|, sqrt(eps))
        logits(u, v) = u v^T / temperature

    Both divisions are by sqrt(eps) at least: a zero or constant vector gives a zero vector, and
    the block multiplies no gradient by more than ``1 / eps`` (times a), 10,000 by default, which
    float16 can hold. `torch.nn.functional.normalize` divides by 1e-12.

    Parameters
    ----------
    dim : int
        Features of a vector.
    eps : float
    temperature : float, optional
        Of `logits`. Kept in the buffer `temperature`, which may be filled in place, or learned.
        Without it, 1.
    learn_temperature : bool
        Whether its logarithm is a parameter (`log_temperature`); no lower than 0.01 then.
    layer_norm, l2 : bool
        Whether each of the two steps is taken.
    affine : bool
        Whether LayerNorm has a gain a and a bias b to learn.

    Attributes
    ----------
    temperature : Tensor, 0-dim
    norm : torch.nn.LayerNorm or None

    Raises
    ------
    TypeError, ValueError
        A setting outside its range.

    References
    ----------
    Ba et al. 2016, arXiv:1607.06450 (LayerNorm); Wang et al. 2017, arXiv:1704.06369 (features on
    the sphere need a temperature); Radford et al. 2021, arXiv:2103.00020 (a learned one).

    Examples
    --------
    >>> block = NormalizedFeatures(4, temperature=0.5)
    >>> unit = block(torch.tensor([[0.0, 0.0, 0.0, 1e-3], [1e4, 0.0, 0.0, 0.0]]))
    >>> torch.linalg.vector_norm(unit.detach(), dim=-1)
    tensor([1., 1.])
    >>> block.logits(unit, unit).shape
    torch.Size([2, 2])
    """

    norm: nn.LayerNorm | None

    def __init__(
        self,
        dim: int,
        eps: float = 1e-4,
        temperature: float | None = None,
        *,
        learn_temperature: bool = False,
        layer_norm: bool = True,
        l2: bool = True,
        affine: bool = True,
    ) -> None:
        super().__init__()
        self.dim, self.l2 = whole(dim, "dim"), l2
        self.eps = number(eps, "eps", above=True)
        heat = number(1.0 if temperature is None else temperature, "temperature", above=True)
        self.norm = nn.LayerNorm(dim, self.eps, elementwise_affine=affine) if layer_norm else None
        self.log_temperature: nn.Parameter | None = None
        if learn_temperature:
            self.log_temperature = nn.Parameter(torch.tensor(math.log(heat)))
        self.register_buffer("_temperature", torch.tensor(heat), persistent=False)

    @property
    def temperature(self) -> Tensor:
        """The temperature; what is learned is held at 0.01 or above."""
        if self.log_temperature is None:
            return cast(Tensor, self._temperature)
        return self.log_temperature.exp().clamp(min=COLDEST)

    def set_temperature(self, temperature: float) -> None:
        """Fill the temperature in place, also a learned one; ValueError unless it is above 0."""
        heat = number(temperature, "temperature", above=True)
        with torch.no_grad():
            if self.log_temperature is not None:
                self.log_temperature.fill_(math.log(heat))
            cast(Tensor, self._temperature).fill_(heat)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised features.

        Parameters
        ----------
        x : Tensor of shape (..., dim)
            Computed in float32 where it is narrower. NaN stays, within its vector.

        Returns
        -------
        Tensor of the shape and type of `x`

        Raises
        ------
        TypeError, ValueError
            No floating point, or another last axis.
        """
        if not x.dim() or x.shape[-1] != self.dim:
            raise ValueError(f"expected features of shape (..., {self.dim}), not {shape(x)}")
        y = wide(x)
        if self.norm is not None:
            gain, bias = (
                None if p is None else p.to(y.dtype) for p in (self.norm.weight, self.norm.bias)
            )
            y = functional.layer_norm(y, (self.dim,), gain, bias, self.eps)
        if self.l2:
            # Where the length is 0, so is its gradient: y / sqrt(eps) remains.
            length = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
            y = y / length.clamp(min=math.sqrt(self.eps))
        return y.to(x.dtype)

    def logits(self, u: Tensor, v: Tensor) -> Tensor:
        """Similarities divided by the temperature, in float32 at least.

        Parameters
        ----------
        u : Tensor of shape (..., n, dim)
        v : Tensor of shape (..., m, dim)

        Returns
        -------
        Tensor of shape (..., n, m)
        """
        return wide(u) @ wide(v).transpose(-1, -2) / self.temperature
