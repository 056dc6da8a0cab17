"""A page of a device ring: slots on the device, their copy on the host, and whose they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Page", "Row"]

_VIEWS = 256


class Row(NamedTuple):
    """What the host knows of a row before its values are there."""

    step: int
    time: float
    names: tuple[Any, ...]
    tag: Any


class Page:
    """Slots of scalars, filled from the left and sent to the host together.

    Parameters
    ----------
    device, host : Tensor of shape (width,)
        Of one dtype; `host` lies in memory that numpy can see.
    """

    def __init__(self, device: Tensor, host: Tensor) -> None:
        self.device = device
        self.values = host.numpy()
        self.host = host
        self.rows: list[Row] = []
        self.used = 0
        self.since = 0.0
        # What the transport notes: events of the last writes by stream, and of the last copy.
        self.wrote: dict[int, Any] = {}
        self.sent: Any = None
        self._slots: list[Tensor] = []

    @property
    def width(self) -> int:
        """Slots of this page."""
        return len(self.values)

    def slots(self, count: int) -> list[Tensor]:
        """The next free slots as tensors of shape (); they stay free until `take`."""
        end = self.used + count
        if len(self._slots) < end:
            self._view(end)
        return self._slots[self.used : end]

    def take(self, row: Row) -> None:
        """Say that the next slots hold the values of a row."""
        self.rows.append(row)
        self.used += len(row.names)

    def unload(self) -> tuple[list[Row], list[float]]:
        """Rows and their values, one after another; the page is empty after it."""
        rows, values = self.rows, self.values[: self.used].tolist()
        self.rows, self.used = [], 0
        return rows, values

    def _view(self, end: int) -> None:
        # Views made in inference mode could not be written outside of it.
        with torch.inference_mode(False), torch.no_grad():
            while len(self._slots) < end:
                self._slots.extend(self.device[len(self._slots) :][:_VIEWS].unbind())


def copy(slots: list[Tensor], tensors: list[Tensor]) -> None:
    """Copy scalars of any dtype into slots, all of one dtype by one kernel."""
    if len({tensor.dtype for tensor in tensors}) == 1:
        torch._foreach_copy_(slots, tensors)
        return
    alike: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
    for slot, tensor in zip(slots, tensors, strict=True):
        into, of = alike.setdefault(tensor.dtype, ([], []))
        into.append(slot)
        of.append(tensor)
    for into, of in alike.values():
        torch._foreach_copy_(into, of)
