"""How a batch comes to a device: at once, or on a side stream of CUDA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from trainlens_torch.data.nested import leaves, mapped
from trainlens_torch.record._ring_capture import exchange_of, lenient

__all__ = ["Carrier", "CudaCarrier", "PlainCarrier", "carrier", "moved"]


class Carrier(Protocol):
    """Brings batches to a device from a thread, and hands them to the stream of the loop."""

    def send(self, batch: Any) -> Any:
        """The batch on the device; called in the thread, whose host side may wait."""

    def receive(self, batch: Any) -> Any:
        """Make it safe for the stream of the loop, in whose thread this is called."""


class PlainCarrier:
    """Copies that are there when `send` returns: the CPU, and devices without CUDA's streams.

    Parameters
    ----------
    device : device
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def send(self, batch: Any) -> Any:
        """Copy what is not there yet."""
        return moved(batch, self._device)

    def receive(self, batch: Any) -> Any:
        """Nothing to do."""
        return batch


class CudaCarrier:
    """Copies through pinned memory, on a side stream, while the loop computes.

    The thread waits for each copy before it asks for the next batch. So the pinned memory lives as
    long as the copy needs it, a loader may use its buffers again, and what the loop gets is there.

    Parameters
    ----------
    device : device
        With an index.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # untyped in torch
        self._exchange = exchange_of()

    def send(self, batch: Any) -> Any:
        """Pin, copy, and wait for the copy."""
        with self._asking(), torch.cuda.stream(self._side):
            pinned = mapped(batch, _pinned)
            there = moved(pinned, self._device)
            # It sleeps; a spinning wait would take the interpreter's time from the loop.
            done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # untyped
            self._side.record_event(done)
            done.synchronize()
        return there

    def receive(self, batch: Any) -> Any:
        """Tell the allocator that the stream of the loop uses memory of the side stream."""
        stream = torch.cuda.current_stream(self._device)
        for tensor in _tensors(batch):
            if tensor.is_cuda:
                tensor.record_stream(stream)
        return batch

    def _asking(self) -> AbstractContextManager[None]:
        # The loop may be capturing a CUDA graph, which waits of other threads would end.
        return nullcontext() if self._exchange is None else lenient(self._exchange)


def carrier(device: torch.device) -> Carrier:
    """The carrier that suits a device."""
    if device.type != "cuda":
        return PlainCarrier(device)
    index = device.index if device.index is not None else torch.cuda.current_device()
    return CudaCarrier(torch.device("cuda", index))


def moved(batch: Any, device: torch.device) -> Any:
    """A batch on a device, without waiting for copies from pinned memory.

    Parameters
    ----------
    batch : object
        In any nesting. Tensors and what has a method `to` move; the rest stays what it is.
    device : device
    """
    own = getattr(batch, "to", None)
    if callable(own) and not isinstance(batch, Tensor | PackedSequence | type):
        # A batch with a method of its own, which may be a mapping besides.
        return _to(batch, device)
    return mapped(batch, lambda leaf: _to(leaf, device))


def _to(leaf: Any, device: torch.device) -> Any:
    if isinstance(leaf, type) or not callable(getattr(leaf, "to", None)):
        return leaf
    if isinstance(leaf, Tensor):
        return leaf.to(device, non_blocking=True)
    try:
        return leaf.to(device, non_blocking=True)
    except TypeError:  # a method of another library that takes a device alone
        return leaf.to(device)


def _pinned(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        able = leaf.device.type == "cpu" and leaf.layout == torch.strided
        return leaf.pin_memory() if able and not leaf.is_pinned() else leaf
    own = getattr(leaf, "pin_memory", None)
    return own() if callable(own) and not isinstance(leaf, type) else leaf


def _tensors(batch: Any, depth: int = 0) -> Iterator[Tensor]:
    """All tensors, also those in the attributes of objects with a method `to`."""
    for leaf in leaves(batch):
        if isinstance(leaf, Tensor):
            yield leaf
        elif isinstance(leaf, PackedSequence):
            yield from _tensors(tuple(leaf))
        elif callable(getattr(leaf, "to", None)) and depth < 4:
            yield from _tensors(getattr(leaf, "__dict__", {}), depth + 1)
