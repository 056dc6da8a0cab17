"""Mean error of joints after the scale that fits best."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainlens_torch.metrics._points import mean, points, told
from trainlens_torch.metrics.mpjpe import Rooted, distances, rooted

__all__ = ["NMPJPE", "n_mpjpe"]


def n_mpjpe(
    pred: Tensor, target: Tensor, mask: Tensor | None = None, *, root: int | None = None
) -> Tensor:
    """`mpjpe` after each sample was multiplied by its least squares scale, and nothing else.

    ``s = <pred, target> / <pred, pred>`` over what counts; 0 where all of `pred` is 0, negative
    where it points the other way, as published. It is no alignment: positions are relative to
    the origin, so give poses that are relative to a root, or name it.

    Parameters
    ----------
    pred, target : Tensor of shape (..., J, D)
        float16 and bfloat16 are computed in float32. NaN that counts gives NaN.
    mask : Tensor of bool or integers, of a shape that expands to (..., J), optional
        Joints that count.
    root : int, optional
        Joint that both sides are moved to first.

    Returns
    -------
    Tensor of shape (...), unit of the target
        NaN where no joint counts, or the root does not. Differentiable, through the scale too.

    Raises
    ------
    TypeError, ValueError
        Points or a mask of another kind or shape, or a root that is no joint.

    References
    ----------
    Rhodin et al. 2018, arXiv:1803.04775.

    Examples
    --------
    >>> target = torch.tensor([[[0.0, 0, 0], [0, 0, 1], [0, 2, 0]]])
    >>> n_mpjpe(target * 7, target)
    tensor([0.])
    """
    return told(*_measured(pred, target, mask, root))


class NMPJPE(Rooted):
    """Mean of `n_mpjpe` over samples; named ``n_mpjpe``, with a root ``root_n_mpjpe``.

    Parameters
    ----------
    root : int, optional
        As for `n_mpjpe`.
    """

    own = "n_mpjpe"

    def measured(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Error of each sample, and whether it is defined."""
        return _measured(pred, target, mask, self.root, **more)

    def settings(self) -> dict[str, Any]:
        """The root, and that the scale is fitted."""
        return {**super().settings(), "aligned": "scale"}


def _measured(
    pred: Tensor, target: Tensor, mask: Tensor | None, root: int | None
) -> tuple[Tensor, Tensor]:
    given, defined = rooted(points(pred, target, mask), root)
    size = given.pred.square().sum((-2, -1))
    fit = (given.pred * given.target).sum((-2, -1))
    scale = fit / torch.where(size == 0, torch.ones_like(size), size)
    return mean(distances(scale[..., None, None] * given.pred, given.target), given.keep), defined
