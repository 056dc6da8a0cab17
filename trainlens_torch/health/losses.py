"""Recent losses, kept where they lie until somebody looks."""

from __future__ import annotations

from collections import deque

from torch import Tensor

from trainlens_torch.health.readings import Readings

__all__ = ["Losses"]

_NAME = "loss at "


class Losses:
    """The last losses with their steps.

    Parameters
    ----------
    window : int
        How many are kept.
    """

    def __init__(self, window: int) -> None:
        self._last: deque[tuple[int, float | Tensor]] = deque(maxlen=window)

    def add(self, step: int, loss: float | Tensor) -> None:
        """Remember a loss; of a tensor with several elements the mean. The host waits for none."""
        if isinstance(loss, Tensor):
            wide = loss.detach().float()
            # A copy: a captured graph writes its next loss into the same memory.
            self._last.append((step, wide.clone() if wide.dim() == 0 else wide.mean()))
        else:
            self._last.append((step, float(loss)))

    def into(self, readings: Readings) -> None:
        """Note those that are still on a device."""
        for i, (_, loss) in enumerate(self._last):
            if isinstance(loss, Tensor):
                readings.add(f"{_NAME}{i}", loss)

    def settle(self, values: dict[str, float]) -> list[tuple[int, float]]:
        """The losses as floats; what `into` noted is taken out of `values`."""
        for i, (step, loss) in enumerate(self._last):
            if isinstance(loss, Tensor):
                self._last[i] = (step, values.pop(f"{_NAME}{i}"))
        return [(step, float(loss)) for step, loss in self._last]
