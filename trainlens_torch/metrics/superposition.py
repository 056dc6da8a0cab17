"""Moving one set of points onto another: Kabsch and Umeyama."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainlens_torch.metrics._points import Points, points
from trainlens_torch.metrics._rotation import best_rotation

__all__ = ["Superposition", "fitted", "superpose"]


@dataclass(frozen=True)
class Superposition:
    """``x -> scale * rotation x + translation``, one of each sample.

    Parameters
    ----------
    rotation : Tensor of shape (..., 3, 3)
        Of determinant +1, never a reflection.
    scale : Tensor of shape (...)
        1 where only a rigid motion was asked for.
    translation : Tensor of shape (..., 3)
        Unit of the target.
    """

    rotation: Tensor
    scale: Tensor
    translation: Tensor

    def __call__(self, moved: Tensor) -> Tensor:
        """Points of shape (..., N, 3), moved; masked ones too."""
        turned = moved @ self.rotation.mT
        return self.scale[..., None, None] * turned + self.translation[..., None, :]

    def detach(self) -> Superposition:
        """The same motion as a constant, through which no gradient flows."""
        return Superposition(self.rotation.detach(), self.scale.detach(), self.translation.detach())


def superpose(
    mobile: Tensor, target: Tensor, mask: Tensor | None = None, *, scale: bool = False
) -> Superposition:
    """The motion that brings points onto others with the least sum of squared distances.

    Nothing is read on the host and no decomposition is called; all samples are one batch. A
    sample with NaN gets NaN, and no other does. Points that fix no motion (fewer than three,
    collinear, all equal) get one of those that fit best.

    Parameters
    ----------
    mobile, target : Tensor of shape (..., N, 3)
        float16 and bfloat16 are computed in float32.
    mask : Tensor of bool or integers, of a shape that expands to (..., N), optional
        Points that count.
    scale : bool
        A similarity (Umeyama) in place of a rigid motion (Kabsch).

    Returns
    -------
    Superposition
        Differentiable, also where singular values are equal.

    Raises
    ------
    TypeError, ValueError
        Points or a mask of another kind or shape.

    References
    ----------
    Kabsch 1976, doi:10.1107/S0567739476001873; Umeyama 1991, doi:10.1109/34.88573; solved as
    Horn 1987, doi:10.1364/JOSAA.4.000629.

    Examples
    --------
    >>> target = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]])
    >>> quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    >>> motion = superpose(target @ quarter.T / 2 + 5, target, scale=True)
    >>> round(float(motion.scale), 4), round(float(torch.linalg.det(motion.rotation)), 4)
    (2.0, 1.0)
    """
    return fitted(points(mobile, target, mask, 3), scale)


def fitted(given: Points, scaled: bool) -> Superposition:
    """What `superpose` gives, of points that are checked."""
    n = given.count.clamp(min=1)[..., None]
    weight = given.keep[..., None].to(given.pred.dtype)
    from_, to = given.pred.sum(-2) / n, given.target.sum(-2) / n
    x = weight * (given.pred - from_[..., None, :])
    y = weight * (given.target - to[..., None, :])
    moment = y.mT @ x
    rotation = best_rotation(moment)
    one = torch.ones_like(n[..., 0], dtype=x.dtype)
    scale = _scale(rotation, moment, x, given.pred) if scaled else one
    turned = (rotation @ from_[..., None])[..., 0]
    return Superposition(rotation, scale, to - scale[..., None] * turned)


def _scale(rotation: Tensor, moment: Tensor, x: Tensor, pred: Tensor) -> Tensor:
    """Least squares scale of centred points; 0 for points that are all equal up to rounding."""
    spread = x.square().sum((-2, -1))
    rounding = (4 * torch.finfo(x.dtype).eps) ** 2 * pred.detach().square().sum((-2, -1))
    flat = spread <= rounding
    scale = (rotation * moment).sum((-2, -1)) / torch.where(flat, torch.ones_like(spread), spread)
    return torch.where(flat, torch.zeros_like(scale), scale)
