"""The rotation that fits best, without a singular value decomposition."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainlens_torch.gradients.ranks import wide

__all__ = ["best_rotation", "rotation"]

SQUARINGS = 44
"""Of the matrix below: what two rotations differ in by 1e-12 of the fit is then told apart."""

_FLAT = 1e-6
"""Share of the fit below which a turn about an axis changes nothing that counts."""


def best_rotation(moment: Tensor) -> Tensor:
    """The proper rotation R that maximises ``trace(R^T moment)``, with a stable gradient.

    The gradient divides by sums of two singular values, the smallest with the sign of the
    determinant: it is finite and right where singular values are equal, at which that of a
    singular value decomposition divides by 0. About an axis that the points do not fix (they
    are collinear, or their mirror image fits as well) it is 0.

    Parameters
    ----------
    moment : Tensor of shape (..., 3, 3)
        Sum of ``target mobile^T`` over centred points. NaN gives NaN, in its own matrix only.

    Returns
    -------
    Tensor of the same shape
        Of determinant +1; the identity for a moment of 0.
    """
    found: Tensor = _Best.apply(moment)  # type: ignore[no-untyped-call]  # torch's own
    return found


class _Best(torch.autograd.Function):
    """R moves by ``R [w]``, with ``(trace(B) I - B) w`` the skew part of ``R^T d_moment``.

    B is ``R^T moment``. The backward pass is made of plain operations on the moment and on R, so
    it can itself be differentiated.
    """

    @staticmethod
    def forward(moment: Tensor) -> Tensor:
        return rotation(wide(moment)).to(moment.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        moment, turn = (wide(x) for x in ctx.saved_tensors)
        fit = turn.mT @ moment
        fit = (fit + fit.mT) / 2
        trace = fit.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        stiff = trace * torch.eye(3, dtype=fit.dtype, device=fit.device) - fit
        pushed = _axial(turn.mT @ wide(grad))
        return (turn @ _skew(_solved(stiff, pushed, trace))).to(grad.dtype)


def _solved(stiff: Tensor, right: Tensor, trace: Tensor) -> Tensor:
    """Solution of ``stiff x = right``, damped to 0 along axes that nothing holds."""
    unit = torch.where(trace > 0, trace, torch.ones_like(trace))
    a = stiff / unit
    one = torch.eye(3, dtype=a.dtype, device=a.device)
    # No solver of torch: each of them reads on the host whether it succeeded.
    square = a @ a + _FLAT**2 * one
    x, y, z = square.unbind(-1)
    adjugate = torch.stack([_cross(y, z), _cross(z, x), _cross(x, y)], -2)
    determinant = (x * _cross(y, z)).sum(-1)[..., None, None]
    found: Tensor = (a @ (adjugate / determinant) @ right[..., None] / unit)[..., 0]
    return found


def rotation(moment: Tensor, squarings: int = SQUARINGS) -> Tensor:
    """Horn's quaternion of the best fit as a matrix; without gradient, read or branch.

    The quaternion is the eigenvector of the largest eigenvalue of a symmetric 4 x 4 matrix.
    That matrix, shifted to be positive, is squared until only this eigenvector is left.

    Parameters
    ----------
    moment : Tensor of shape (..., 3, 3)
    squarings : int
        n tell apart what differs in the fit by ``2**-n`` of it.

    Returns
    -------
    Tensor of shape (..., 3, 3)

    References
    ----------
    Horn 1987, doi:10.1364/JOSAA.4.000629.
    """
    power = _horn(moment.detach())
    size = torch.linalg.vector_norm(power, dim=(-2, -1), keepdim=True)
    size = torch.where(size == 0, torch.ones_like(size), size)
    power = power / size + torch.eye(4, dtype=power.dtype, device=power.device)
    for _ in range(squarings):
        power = power @ power
        power = power / power.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    # Of several eigenvectors that fit as well, any: the column that points along one the most.
    best = power.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None]
    column = power.gather(-1, best.expand(*best.shape[:-2], 4, 1))[..., 0]
    return _matrix(column / torch.linalg.vector_norm(column, dim=-1, keepdim=True))


def _horn(m: Tensor) -> Tensor:
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in m.unbind(-2))
    rows = (
        (xx + yy + zz, zy - yz, xz - zx, yx - xy),
        (zy - yz, xx - yy - zz, xy + yx, xz + zx),
        (xz - zx, xy + yx, yy - xx - zz, yz + zy),
        (yx - xy, xz + zx, yz + zy, zz - xx - yy),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _matrix(quaternion: Tensor) -> Tensor:
    w, x, y, z = quaternion.unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _axial(a: Tensor) -> Tensor:
    """The vector v with ``trace(a^T [w]) = v . w``."""
    return torch.stack(
        [a[..., 2, 1] - a[..., 1, 2], a[..., 0, 2] - a[..., 2, 0], a[..., 1, 0] - a[..., 0, 1]], -1
    )


def _skew(v: Tensor) -> Tensor:
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    rows = ((o, -z, y), (z, o, -x), (-y, x, o))
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    product: Tensor = torch.linalg.cross(a, b, dim=-1)
    return product
