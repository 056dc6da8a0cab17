"""What is known of one update while it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["Update", "numbers"]


class Update:
    """An update of the optimizer, from its first micro-batch to its record.

    Parameters
    ----------
    step : int
        Updates before it.
    epoch : float or None
        Epochs before it.
    stats : dict of str to number
        What is known when it begins.
    """

    def __init__(self, step: int, epoch: float | None, stats: dict[str, Any]) -> None:
        self.step, self.epoch, self.stats = step, epoch, stats
        self.losses: dict[str, Any] = {}
        self.ended = False
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._seen: list[Tensor] = []

    def add(self, values: Mapping[str, Any]) -> None:
        """Add the losses of a micro-batch."""
        for name, value in values.items():
            value = value.detach() if isinstance(value, Tensor) else value
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def see(self, loss: Tensor) -> None:
        """Keep the loss of a micro-batch for the guard."""
        self._seen.append(loss.detach().reshape(-1))

    def seen(self) -> Tensor | None:
        """The losses that were kept; shape (n,)."""
        return torch.cat(self._seen) if self._seen else None

    def end(self) -> None:
        """Take the mean of the losses over the micro-batches."""
        for name, value in self._sums.items():
            count = self._counts[name]
            self.losses[name] = value if count == 1 else value / count
        self.ended = True


def numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some values that are one number each: floats, tensors of one element.

    Examples
    --------
    >>> numbers({"loss": 0.5, "name": "a", "mask": torch.ones(3), "done": True})
    {'loss': 0.5}
    """
    return {
        name: value
        for name, value in values.items()
        if (isinstance(value, Tensor) and value.numel() == 1)
        or (isinstance(value, (int, float)) and not isinstance(value, bool))
    }
