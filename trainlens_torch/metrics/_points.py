"""Pairs of points that are held against each other: checked, widened, with what counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainlens_torch._tensors import shape, wide

__all__ = ["FEWEST", "Points", "mask_of", "mean", "points", "told"]

FEWEST = 3
"""Points below which nothing is superposed: a similarity brings any two onto any two."""


@dataclass(frozen=True)
class Points:
    """Predicted points and those that they should be.

    Parameters
    ----------
    pred, target : Tensor of shape (..., N, D), float32 or float64
        0 where a point does not count, so that what stands there reaches neither values nor
        gradients.
    keep : Tensor of bool of shape (..., N)
        Points that count.
    """

    pred: Tensor
    target: Tensor
    keep: Tensor

    @property
    def count(self) -> Tensor:
        """Points that count in each sample; shape (...)."""
        return self.keep.sum(-1)

    @property
    def finite(self) -> Tensor:
        """Whether all coordinates that count are finite, of each sample; shape (...)."""
        return (self.pred.isfinite() & self.target.isfinite()).flatten(-2).all(-1)


def points(
    pred: Tensor, target: Tensor, mask: Tensor | None = None, dims: int | None = None
) -> Points:
    """Check what is given and clear what does not count.

    Parameters
    ----------
    pred, target : Tensor of shape (..., N, D)
    mask : Tensor of bool or integers, of a shape that expands to (..., N), optional
    dims : int, optional
        What D has to be.

    Raises
    ------
    TypeError, ValueError
        No floating point, shapes that differ, another D, or a mask that does not fit.
    """
    p, t = wide(pred), wide(target)
    if p.shape != t.shape:
        raise ValueError(f"the prediction has {shape(p)}, the target {shape(t)}")
    if p.dim() < 2 or (dims is not None and p.shape[-1] != dims):
        raise ValueError(f"expected points of shape (..., N, {dims or 'D'}), not {shape(p)}")
    kind = torch.promote_types(p.dtype, t.dtype)
    keep = mask_of(mask, p[..., 0])
    p, t = (torch.where(keep[..., None], x.to(kind), x.new_zeros((), dtype=kind)) for x in (p, t))
    return Points(p, t, keep)


def mask_of(mask: Tensor | None, like: Tensor) -> Tensor:
    """A mask of the shape of `like`; all true without one.

    Raises
    ------
    TypeError, ValueError
        Floating point, or a shape that does not expand to it.
    """
    if mask is None:
        return torch.ones_like(like, dtype=torch.bool)
    if mask.is_floating_point() or mask.is_complex():
        raise TypeError(f"mask must be of bool, not {mask.dtype}; write mask > 0.5")
    try:
        return mask.bool().expand(like.shape)
    except RuntimeError:
        raise ValueError(f"the mask has {shape(mask)}, the points {shape(like)}") from None


def mean(values: Tensor, keep: Tensor) -> Tensor:
    """Mean of what counts over the last axis; 0, with a gradient of 0, where nothing does."""
    kept = torch.where(keep, values, torch.zeros_like(values))
    return kept.sum(-1) / keep.sum(-1).clamp(min=1)


def told(values: Tensor, defined: Tensor) -> Tensor:
    """NaN where a value is not defined."""
    return torch.where(defined, values, torch.full_like(values, torch.nan))
