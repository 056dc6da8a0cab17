"""Mean error of joints, as they are or relative to a root."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainlens_torch._tensors import shape
from trainlens_torch.metrics._points import Points, mean, points, told
from trainlens_torch.metrics.sample_mean import SampleMean

__all__ = ["MPJPE", "Rooted", "distances", "mpjpe", "rooted"]


def mpjpe(
    pred: Tensor, target: Tensor, mask: Tensor | None = None, *, root: int | None = None
) -> Tensor:
    """Mean Euclidean distance of joints, of each sample.

    Parameters
    ----------
    pred, target : Tensor of shape (..., J, D)
        float16 and bfloat16 are computed in float32. NaN that counts gives NaN.
    mask : Tensor of bool or integers, of a shape that expands to (..., J), optional
        Joints that count.
    root : int, optional
        Joint that both sides are moved to first; it still counts, with an error of 0. Without
        one, positions are taken as they are. The two differ by the error of the root: say which
        you report.

    Returns
    -------
    Tensor of shape (...), unit of the input
        NaN where no joint counts, or the root does not. Differentiable; the gradient of a
        distance of 0 is 0. Over samples: ``.nanmean()``, or `MPJPE`.

    Raises
    ------
    TypeError, ValueError
        Points or a mask of another kind or shape, or a root that is no joint.

    References
    ----------
    Ionescu et al. 2014, doi:10.1109/TPAMI.2013.248.

    Examples
    --------
    >>> target = torch.zeros(1, 2, 3)
    >>> pred = torch.tensor([[[3.0, 4, 0], [3, 4, 0]]])
    >>> mpjpe(pred, target), mpjpe(pred, target, root=0)
    (tensor([5.]), tensor([0.]))
    """
    return told(*_measured(pred, target, mask, root))


class Rooted(SampleMean):
    """A mean over samples, of errors that may be relative to a joint.

    Parameters
    ----------
    root : int, optional
    """

    own: str
    """Name of the error; with a root ``root_`` comes before it."""

    def __init__(self, root: int | None = None) -> None:
        super().__init__()
        self.root = root
        self.name = self.own if root is None else f"root_{self.own}"

    def settings(self) -> dict[str, Any]:
        """The root."""
        return {"root": self.root}


class MPJPE(Rooted):
    """Mean of `mpjpe` over samples; named ``mpjpe``, with a root ``root_mpjpe``.

    Parameters
    ----------
    root : int, optional
        As for `mpjpe`.

    Examples
    --------
    >>> metric = MPJPE(root=0)
    >>> metric.update(torch.tensor([[[0.0, 0, 0], [0, 0, 3]]]), torch.zeros(1, 2, 3))
    >>> metric.stats()["root_mpjpe"]
    tensor(1.5000, dtype=torch.float64)
    >>> metric.describe()
    {'metric': 'root_mpjpe', 'root': 0}
    """

    own = "mpjpe"

    def measured(
        self, pred: Tensor, target: Tensor, mask: Tensor | None = None, **more: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Error of each sample, and whether it is defined."""
        return _measured(pred, target, mask, self.root, **more)


def _measured(
    pred: Tensor, target: Tensor, mask: Tensor | None, root: int | None
) -> tuple[Tensor, Tensor]:
    given, defined = rooted(points(pred, target, mask), root)
    return mean(distances(given.pred, given.target), given.keep), defined


def rooted(given: Points, root: int | None) -> tuple[Points, Tensor]:
    """Both sides relative to a joint, and whether a sample has one that counts, and the root.

    Raises
    ------
    TypeError, ValueError
        A root that is no joint.
    """
    if root is None:
        return given, given.keep.any(-1)
    if isinstance(root, bool) or not isinstance(root, int):
        raise TypeError(f"root must be the index of a joint, not {root!r}")
    joints = given.keep.shape[-1]
    if not -joints <= root < joints:
        raise ValueError(f"root is {root}, and there are {joints} joints: {shape(given.pred)}")
    root %= joints
    keep = given.keep[..., None]
    pred, target = (
        torch.where(keep, x - x[..., root : root + 1, :], torch.zeros_like(x))
        for x in (given.pred, given.target)
    )
    return Points(pred, target, given.keep), given.keep[..., root]


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances of points; shape (..., N). Where one is 0, so is its gradient."""
    found: Tensor = torch.linalg.vector_norm(a - b, dim=-1)
    return found
