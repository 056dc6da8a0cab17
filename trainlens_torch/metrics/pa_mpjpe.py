"""Mean error of joints after the similarity that fits best."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from trainlens_torch.metrics._points import FEWEST, mean, points, told
from trainlens_torch.metrics.mpjpe import distances
from trainlens_torch.metrics.sample_mean import SampleMean
from trainlens_torch.metrics.superposition import fitted

__all__ = ["PAMPJPE", "pa_mpjpe"]


def pa_mpjpe(
    pred: Tensor, target: Tensor, mask: Tensor | None = None, *, detach_alignment: bool = False
) -> Tensor:
    """`mpjpe` after each sample was rotated, scaled and moved onto its target (Procrustes).

    Per-sample alignment with the least sum of squared distances, then the mean over joints; the
    mean over samples comes last. The rotation has determinant +1: a mirror image is no match.

    Parameters
    ----------
    pred, target : Tensor of shape (..., J, 3)
        float16 and bfloat16 are computed in float32. NaN that counts gives NaN.
    mask : Tensor of bool or integers, of a shape that expands to (..., J), optional
        Joints that count, in the alignment too.
    detach_alignment : bool
        Take the motion as a constant in the backward pass, which is cheaper. By default the
        gradient flows through it too: it is exact, and stable where singular values are equal
        (`superpose`).

    Returns
    -------
    Tensor of shape (...), unit of the target
        NaN where fewer than three joints count: any two fit onto any two. Collinear points have
        a value, though their rotation is one of several that fit as well; predictions that are
        all equal are moved to the mean of the target. Differentiable.

    Raises
    ------
    TypeError, ValueError
        Points or a mask of another kind or shape.

    References
    ----------
    Umeyama 1991, doi:10.1109/34.88573; "Protocol 2" of Martinez et al. 2017, arXiv:1705.03098.

    Examples
    --------
    >>> import torch
    >>> target = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]]])
    >>> bool(pa_mpjpe(3 * target.roll(1, -1) + 7, target) < 1e-5)  # turned, scaled, moved
    True
    >>> bool(pa_mpjpe(-target, target) > 0.1)  # a mirror image
    True
    """
    return told(*_measured(pred, target, mask, detach_alignment))


class PAMPJPE(SampleMean):
    """Mean of `pa_mpjpe` over samples; named ``pa_mpjpe``."""

    name = "pa_mpjpe"

    def measured(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Error of each sample, and whether it is defined."""
        return _measured(pred, target, mask, True, **more)

    def settings(self) -> dict[str, Any]:
        """How samples are aligned."""
        return {"aligned": "similarity"}


def _measured(
    pred: Tensor, target: Tensor, mask: Tensor | None, constant: bool
) -> tuple[Tensor, Tensor]:
    given = points(pred, target, mask, 3)
    motion = fitted(given, scaled=True)
    moved = (motion.detach() if constant else motion)(given.pred)
    return mean(distances(moved, given.target), given.keep), given.count >= FEWEST
