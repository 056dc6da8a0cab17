"""Tensors that losses and metrics take, and how they are told in messages."""

from __future__ import annotations

import torch
from torch import Tensor

from trainlens_torch.checks import number

__all__ = ["scalar", "shape", "wide"]


def scalar(given: float | Tensor, name: str, like: Tensor) -> Tensor:
    """A weight that is given for one call, as a 0-dim tensor without gradient.

    A tensor is not looked at: that would wait for the device.

    Parameters
    ----------
    given : float or 0-dim tensor
    name : str
        For the message.
    like : Tensor
        Whose device is taken for a float.

    Raises
    ------
    TypeError, ValueError
        No number of 0 or more, or a tensor of another shape.
    """
    if isinstance(given, Tensor):
        if given.dim():
            raise ValueError(f"{name} must be a number or a 0-dim tensor, not {shape(given)}")
        return given.detach()
    return torch.full((), number(given, name), dtype=torch.float32, device=like.device)


def wide(x: Tensor) -> Tensor:
    """The same values with at least the precision of float32.

    Raises
    ------
    TypeError
        Not a tensor of real floating point numbers.
    """
    if not x.is_floating_point():
        raise TypeError(f"expected floating point values, not {x.dtype}")
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def shape(x: Tensor) -> str:
    """Shape of a tensor in words."""
    return f"shape {tuple(x.shape)}"
