"""Directions of vectors: safe for zero, huge and tiny ones."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["direction"]


def direction(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Unit vectors along the last axis, and which of them are one.

    Vectors are divided by their largest element first, so that no square overflows or vanishes;
    a direction does not depend on that factor, hence neither do its derivatives.

    Parameters
    ----------
    x : Tensor of shape (..., dim)
        At least float32. NaN and infinite elements give NaN.
    eps : float
        A vector whose length is at most this has no direction: no gradient flows into it, and the
        gradient of any other is at most ``1 / eps``.

    Returns
    -------
    unit : Tensor of shape (..., dim)
        Any constant where there is no direction.
    has : Tensor of bool, shape (...)
    """
    if not x.shape[-1]:
        return x, torch.zeros(x.shape[:-1], dtype=torch.bool, device=x.device)
    largest = x.detach().abs().amax(-1, keepdim=True)
    scaled = x / torch.where(largest > 0, largest, torch.ones_like(largest))
    # NaN is neither short nor long: it has to be seen, so it counts as a direction.
    has = ~(largest * torch.linalg.vector_norm(scaled.detach(), dim=-1, keepdim=True) <= eps)
    safe = torch.where(has, scaled, torch.ones_like(scaled))
    return safe / torch.linalg.vector_norm(safe, dim=-1, keepdim=True), has.squeeze(-1)
