"""Decoupled weight decay whose strength is a tensor, for captured graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from trainlens_torch.fields import Group, read_field

__all__ = ["TensorDecay"]

_KEY = "decay"


class TensorDecay:
    """Takes the decoupled weight decay of an optimizer over, with a strength that can change.

    The optimizers of torch branch on their ``weight_decay``: as a number it is a constant of a
    captured CUDA graph, as a tensor on the device it makes the host wait. Here it is a 0-dim tensor
    ``group["decay"]``, and each weight with a gradient is multiplied by ``1 - lr x decay`` before
    the step, as AdamW does it (arXiv:1711.05101). `Scheduler` fills that tensor in place when it is
    asked to schedule ``weight_decay``; make it before the scheduler.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        With decoupled weight decay: AdamW, Lion, SGD without momentum. Its ``weight_decay``
        becomes 0, so that nothing decays twice.

    Raises
    ------
    ValueError
        The optimizer adds weight decay to the gradient, which is something else (Adam, and SGD
        with momentum).

    Examples
    --------
    >>> weight = torch.nn.Parameter(torch.ones(2))
    >>> optimizer = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.5)
    >>> decay = TensorDecay(optimizer)
    >>> weight.grad = torch.zeros(2)
    >>> decay.step()
    >>> weight.tolist()
    [0.949999988079071, 0.949999988079071]
    """

    def __init__(self, optimizer: Optimizer) -> None:
        groups: list[Group] = optimizer.param_groups
        for group in groups:
            if group.get("decoupled_weight_decay") is False or group.get("momentum"):
                raise ValueError(
                    f"{type(optimizer).__name__} adds weight decay to the gradient; "
                    "only decoupled weight decay can be taken over (AdamW, Lion)"
                )
        strengths = [read_field(group, "weight_decay") for group in groups]
        for group, strength in zip(groups, strengths, strict=True):
            group.setdefault("initial_weight_decay", strength)
            device = group["params"][0].device if group["params"] else None
            group[_KEY] = torch.tensor(strength, dtype=torch.float32, device=device)
            group["weight_decay"] = 0.0
        self.optimizer = optimizer

    @torch.no_grad()
    def step(self) -> None:
        """Shrink every weight that has a gradient. Call it before ``optimizer.step()``."""
        for group in self.optimizer.param_groups:
            self._shrink(group)

    @staticmethod
    def _shrink(group: dict[str, Any]) -> None:
        weights = [p for p in group["params"] if p.grad is not None]
        if weights and group["initial_weight_decay"]:
            keep = 1.0 - group["lr"] * group[_KEY]
            torch._foreach_mul_(weights, keep)
