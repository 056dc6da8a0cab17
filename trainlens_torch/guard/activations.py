"""Largest absolute outputs of the modules of a model, kept on the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Activations"]


class Activations:
    """Watches the outputs of all modules without children.

    Parameters
    ----------
    model : Module
    device : torch.device
        On which the numbers are kept.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        leaves = [(name, m) for name, m in model.named_modules() if not any(m.children())]
        self.names = [name or type(m).__name__ for name, m in leaves]
        self.order: dict[int, None] = {}
        self._device = device
        self._largest = torch.full((len(leaves),), -1.0, dtype=torch.float64, device=device)
        self._hooks = [m.register_forward_hook(self._hook(i)) for i, (_, m) in enumerate(leaves)]

    def take(self) -> Tensor:
        """Largest output of each module since the last call, -1 where there was none."""
        found = self._largest.clone()
        self._largest.fill_(-1.0)
        return found

    def in_order(self) -> list[int]:
        """Places of the modules as the forward pass first came by them."""
        return list(self.order)

    def close(self) -> None:
        """Take the hooks off."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _hook(self, place: int) -> Any:
        @torch.no_grad()
        def look(_module: nn.Module, _inputs: Any, output: Any) -> None:
            held = output[0] if isinstance(output, tuple | list) and output else output
            if not (isinstance(held, Tensor) and held.is_floating_point() and held.numel()):
                return
            self.order.setdefault(place)
            largest = torch.linalg.vector_norm(held.detach(), torch.inf).to(
                device=self._device, dtype=torch.float64
            )
            # Of several micro-batches the worst; NaN wins.
            self._largest[place].copy_(torch.maximum(self._largest[place], largest))

        return look
