"""Identities whose gradient is scaled or stopped."""

from __future__ import annotations

import torch
from torch import Tensor

from trainlens_torch.checks import number

__all__ = ["gate_gradient", "scale_gradient"]


def scale_gradient(x: Tensor, ratio: float) -> Tensor:
    """The same values, through which only a share of the gradient flows back.

    ``x.detach() - ratio * (x.detach() - x)``: what is subtracted is 0, so the values are the same
    to the bit for any ratio (``ratio * x + (1 - ratio) * x.detach()`` rounds them); backward the
    gradient is multiplied by `ratio`, once. Made of plain operations: it can be differentiated
    again, mapped, and compiled without a graph break.

    Parameters
    ----------
    x : Tensor of any shape
        NaN and infinite values stay; they get no gradient if `ratio` is below 1.
    ratio : float in [0, 1]
        0 gives exact zeros, whatever arrives, NaN too; 1 is `x` itself.

    Returns
    -------
    Tensor of the same shape

    Raises
    ------
    TypeError, ValueError
        A ratio that is no number within [0, 1].

    References
    ----------
    The gradient reversal layer of Ganin and Lempitsky 2015, arXiv:1409.7495, with a positive
    factor.

    Examples
    --------
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> scale_gradient(x, 0.25).sum().backward()
    >>> x.grad
    tensor([0.2500, 0.2500])
    """
    checked = number(ratio, "the ratio of a gradient", 0.0, 1.0)
    if checked == 1.0:
        return x
    if checked == 0.0:  # NaN times 0 would be NaN
        return gate_gradient(x, torch.zeros((), dtype=torch.bool, device=x.device))
    # The difference of two infinities would be NaN.
    moving = torch.where(x.isfinite(), x, torch.zeros_like(x))
    # Subtracted, not added: -0.0 stays -0.0.
    return x.detach() - checked * (moving.detach() - moving)


def gate_gradient(x: Tensor, keep: Tensor) -> Tensor:
    """The same values, through which gradients flow back only where they are kept.

    Elsewhere the gradient is exactly 0, even where what arrives is NaN: a product with 0 would
    leave NaN.

    Parameters
    ----------
    x : Tensor of any shape
    keep : Tensor of bool
        Of a shape that can be expanded to that of `x`.

    Returns
    -------
    Tensor of the shape of `x`

    Examples
    --------
    >>> x = torch.tensor([0.0, 4.0], requires_grad=True)
    >>> (0.0 * gate_gradient(x, x > 0).sqrt()).sum().backward()
    >>> x.grad  # without the gate 0 times infinity: NaN
    tensor([0., 0.])
    """
    return torch.where(keep, x, x.detach())
