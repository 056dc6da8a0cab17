"""Root of the mean squared distance of points, superposed or not."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainlens_torch.metrics._points import FEWEST, mean, points, told
from trainlens_torch.metrics.sample_mean import SampleMean
from trainlens_torch.metrics.superposition import fitted

__all__ = ["RMSD", "rmsd"]


def rmsd(
    pred: Tensor, target: Tensor, mask: Tensor | None = None, *, superpose: bool = True
) -> Tensor:
    """Root mean square deviation of points, of each sample.

    Parameters
    ----------
    pred, target : Tensor of shape (..., N, 3)
        float16 and bfloat16 are computed in float32. NaN that counts gives NaN.
    mask : Tensor of bool or integers, of a shape that expands to (..., N), optional
        Points that count, in the superposition too.
    superpose : bool
        After the rigid motion that makes it least (Kabsch); otherwise of the points as they are.

    Returns
    -------
    Tensor of shape (...), unit of the input
        NaN where no point counts; superposed, where fewer than three do. Differentiable: the
        motion is a constant backward, and the gradient nevertheless exact, since at the minimum
        it does not depend on how the motion moves (second derivatives do, and leave it out). The
        gradient of a deviation of 0 is 0.

    Raises
    ------
    TypeError, ValueError
        Points or a mask of another kind or shape.

    References
    ----------
    Kabsch 1976, doi:10.1107/S0567739476001873.

    Examples
    --------
    >>> target = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 2, 0]]])
    >>> rmsd(target + 2, target, superpose=False)
    tensor([3.4641])
    >>> bool(rmsd(target + 2, target) < 1e-6)
    True
    """
    return told(*_measured(pred, target, mask, superpose))


class RMSD(SampleMean):
    """Mean of `rmsd` over samples; named ``rmsd``, not superposed ``raw_rmsd``.

    Parameters
    ----------
    superpose : bool
        As for `rmsd`.
    """

    def __init__(self, superpose: bool = True) -> None:
        super().__init__()
        self.superpose = superpose
        self.name = "rmsd" if superpose else "raw_rmsd"

    def measured(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Deviation of each sample, and whether it is defined."""
        return _measured(pred, target, mask, self.superpose, **more)

    def settings(self) -> dict[str, Any]:
        """Whether samples are superposed."""
        return {"superpose": self.superpose}


def _measured(
    pred: Tensor, target: Tensor, mask: Tensor | None, superposed: bool
) -> tuple[Tensor, Tensor]:
    given = points(pred, target, mask, 3)
    moved = fitted(given, scaled=False).detach()(given.pred) if superposed else given.pred
    square = mean((moved - given.target).square().sum(-1), given.keep)
    # The root has no slope at 0, and 0 times infinity is NaN.
    safe = torch.where(square == 0, torch.ones_like(square), square)
    value = torch.where(square == 0, square, safe.sqrt())
    return value, given.count >= (FEWEST if superposed else 1)
