"""Numbers that lie on devices, brought to the host together."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Readings"]


class Readings:
    """Named scalars; those that lie on a device come to the host in one transfer.

    Examples
    --------
    >>> readings = Readings()
    >>> readings.add("a", torch.tensor(1.5))
    >>> readings.add("b", 2.0)
    >>> readings.read()
    {'a': 1.5, 'b': 2.0}
    """

    def __init__(self) -> None:
        self._values: dict[str, Tensor | float] = {}

    def add(self, name: str, value: Tensor | float) -> None:
        """Note a number, or a tensor of shape ()."""
        self._values[name] = value

    def read(self) -> dict[str, float]:
        """All of them as floats, in the order in which they were noted."""
        tensors = {k: v for k, v in self._values.items() if isinstance(v, Tensor)}
        near = {k: v for k, v in tensors.items() if v.device.type == "cpu"}
        far = {k: v for k, v in tensors.items() if k not in near}
        known = {**_floats(near), **_floats(far)}
        return {k: known[k] if k in known else float(v) for k, v in self._values.items()}


def _floats(some: dict[str, Tensor]) -> dict[str, float]:
    if not some:
        return {}
    device, dtype = next(iter(some.values())).device, torch.float32
    for value in some.values():
        dtype = torch.promote_types(dtype, value.dtype)
    stacked = torch.stack([v.detach().to(device=device, dtype=dtype) for v in some.values()])
    return dict(zip(some, stacked.cpu().tolist(), strict=True))
