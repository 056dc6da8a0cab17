"""A dropout rate that lies on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainlens_torch.dropout.rates import checked_rate

__all__ = ["TensorRate"]


class TensorRate(nn.Module):
    """A module whose dropout rate is a tensor that is filled in place.

    A graph that was compiled or captured reads the rate where it lies: a new rate costs neither a
    compilation nor a capture. The tensors are float32 whatever the type of the model, and are not
    part of its ``state_dict``. The rate as a plain number is kept beside them, so that asking for
    it reads nothing from a device, and no compiled graph is guarded by it.

    Attributes
    ----------
    keep_from : Tensor of shape ()
        The rate: a uniform draw from [0, 1) keeps its element from here on.
    scale : Tensor of shape ()
        Factor of what is kept: 1 / (1 - rate), and 0 at a rate of 1.
    """

    keep_from: Tensor
    scale: Tensor
    _rate: float

    def noise(self, x: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
        """Random factors: 0 with the probability of the rate, else `scale`.

        Draws one uniform number for each element, whatever the rate, so the random numbers that
        follow do not depend on it; and what is dropped at a rate is dropped at every higher one.

        Parameters
        ----------
        x : Tensor
            What they are for.
        shape : tuple of int, optional
            Of the factors, where it is not that of `x`.

        Returns
        -------
        Tensor of float32

        Raises
        ------
        ValueError
            The rate does not lie on the device of `x`.
        """
        rate = self.keep_from
        if rate.device != x.device:
            # torch would read a rate on the CPU as a constant: a captured graph would never see
            # another one.
            raise ValueError(
                f"the rate of this {type(self).__name__} lies on {rate.device}, its input on "
                f"{x.device}: move the model to the device of its input"
            )
        if shape is None:
            drawn = torch.rand_like(x, dtype=torch.float32)
        else:
            drawn = torch.rand(shape, dtype=torch.float32, device=x.device)
        return (drawn >= rate) * self.scale

    def take_rate(self, rate: object, device: torch.device | None = None) -> None:
        """Set the rate, in place where its tensors exist.

        Raises
        ------
        TypeError, ValueError
            No rate; nothing was set.
        """
        checked = checked_rate(rate)
        if "keep_from" not in self._buffers:
            for name, value in self._filling(checked).items():
                tensor = torch.full((), value, dtype=torch.float32, device=device)
                self.register_buffer(name, tensor, persistent=False)
        else:
            for name, value in self._filling(checked).items():
                getattr(self, name).fill_(value)
        self._rate = checked

    def _filling(self, rate: float) -> Mapping[str, float]:
        """Values of the tensors at a rate."""
        return {"keep_from": rate, "scale": _scale(rate)}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # untyped in torch
        # A model in bfloat16 must not round its rates, and `to_empty` leaves anything in them.
        for name, value in self._filling(self._rate).items():
            tensor = self.get_buffer(name)
            if tensor.dtype != torch.float32:
                self._buffers[name] = tensor = torch.empty_like(tensor, dtype=torch.float32)
            tensor.fill_(value)
        return self


@lru_cache(maxsize=64)
def _scale(rate: float) -> float:
    # Rounded as a division in float32, so that the factors equal those of torch.
    kept = np.float32(1.0 - rate)
    return float(np.float32(1.0) / kept) if kept else 0.0
