"""Tensors of any devices on their way to the writer thread, through a ring for each device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainlens_torch.record.ring import DeviceRing

__all__ = ["Arriving", "Devices"]

_LOSS, _STAT = "losses/", "stats/"


class Arriving:
    """The values of one entry that lie on devices.

    Parameters
    ----------
    devices : Devices
    """

    def __init__(self, devices: Devices) -> None:
        self.missing = 0
        self._devices = devices
        self._losses: dict[str, float] = {}
        self._stats: dict[str, float] = {}

    def came(self, values: Mapping[str, float]) -> None:
        """One device has given its values."""
        self.missing -= 1
        for name, value in values.items():
            if name.startswith(_LOSS):
                self._losses[name[len(_LOSS) :]] = value
            else:
                self._stats[name[len(_STAT) :]] = value

    def take(self, wait: bool) -> tuple[Mapping[str, float], Mapping[str, float]] | None:
        """Losses and stats, once all of them have come.

        Raises
        ------
        TimeoutError
            The device did not give them within 5 s, where this may `wait`.
        """
        if self.missing and wait:
            self._devices.drain()
            if self.missing:
                raise TimeoutError("the device did not give its values in time")
        return None if self.missing else (self._losses, self._stats)


class Devices:
    """A ring for each device that tensors are logged from, made when the first one comes."""

    def __init__(self) -> None:
        self._rings: dict[Any, DeviceRing] = {}

    def put(
        self, step: int, time: float, losses: Mapping[str, Any], stats: Mapping[str, Any]
    ) -> Arriving:
        """Take the values that these tensors have now, without waiting for a device.

        Raises
        ------
        BufferError
            The host is so far behind that a ring is full.
        RuntimeError, ValueError
            The ring cannot take them; a CUDA graph is being captured.
        """
        arriving, found = Arriving(self), _by_device(losses, stats)
        # Before the first put: the writer thread may count down at once.
        arriving.missing = len(found)
        for device, tensors in found.items():
            if not self._ring(device).put(step, tensors, time, arriving):
                raise BufferError(f"the values on {device} do not reach the host in time")
        return arriving

    def collect(self) -> None:
        """Give what has come to its entries; nothing is waited for."""
        for ring in list(self._rings.values()):
            for row in ring.ready():
                row.tag.came(row.values)

    def drain(self) -> None:
        """Wait for all that is on its way."""
        for ring in list(self._rings.values()):
            for row in ring.drain():
                row.tag.came(row.values)

    def _ring(self, device: Any) -> DeviceRing:
        if device not in self._rings:
            from trainlens_torch.record.ring import DeviceRing

            self._rings[device] = DeviceRing(device)
        return self._rings[device]


def _by_device(losses: Mapping[str, Any], stats: Mapping[str, Any]) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for front, values in ((_LOSS, losses), (_STAT, stats)):
        for name, tensor in values.items():
            found.setdefault(tensor.device, {})[front + name] = tensor.detach()
    return found
