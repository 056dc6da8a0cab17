"""How a page comes from a device to the host: at once, or on a side stream of CUDA."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch

from trainlens_torch.record._ring_capture import exchange_of, lenient
from trainlens_torch.record._ring_page import Page

__all__ = ["CudaTransport", "PlainTransport", "Transport", "transport_of"]


class Transport(Protocol):
    """Makes pages and brings them to the host. Nothing here waits for the device."""

    anywhere: bool
    """Whether threads other than that of the training may call `send` and `arrived`."""

    def page(self, width: int) -> Page:
        """An empty page."""

    def free(self) -> bool:
        """Whether this thread may talk to the device: not while it captures a CUDA graph."""

    def open(self, page: Page) -> None:
        """Make a page ready for the current stream."""

    def wrote(self, page: Page) -> None:
        """The current stream has been told to fill slots of a page."""

    def send(self, page: Page) -> None:
        """Begin to copy the filled slots of a page to the host."""

    def arrived(self, page: Page) -> bool:
        """Whether that copy is there."""

    def asking(self) -> AbstractContextManager[None]:
        """What surrounds `send` and `arrived`."""


class PlainTransport:
    """Copies that are there when `send` returns: the CPU, and devices without CUDA's streams.

    There `send` waits for the device, once a page.
    """

    anywhere = True

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # MPS knows no float64.
        self._dtype = torch.float32 if device.type == "mps" else torch.float64

    def page(self, width: int) -> Page:
        """An empty page."""
        slots = torch.zeros(width, dtype=self._dtype, device=self._device)
        return Page(slots, torch.zeros(width, dtype=self._dtype, device="cpu"))

    def free(self) -> bool:
        """Always."""
        return True

    def open(self, page: Page) -> None:
        """Nothing to make ready."""

    def wrote(self, page: Page) -> None:
        """Nothing to note."""

    def send(self, page: Page) -> None:
        """Copy the filled slots."""
        page.host[: page.used].copy_(page.device[: page.used])

    def arrived(self, page: Page) -> bool:
        """Always: `send` has copied."""
        return True

    def asking(self) -> AbstractContextManager[None]:
        """Nothing to surround it with."""
        return nullcontext()


class CudaTransport:
    """Copies to pinned memory on a side stream, behind what the training stream did before.

    A second thread never touches a stream of the training, which may be capturing a CUDA graph:
    each put records an event, and the side stream waits for that.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # untyped in torch
        self._exchange = exchange_of()
        self.anywhere = self._exchange is not None

    def page(self, width: int) -> Page:
        """An empty page, its host side pinned."""
        slots = torch.empty(width, dtype=torch.float64, device=self._device)
        # The allocator may give the memory away only after the last copy on the side stream.
        slots.record_stream(self._side)
        host = torch.empty(width, dtype=torch.float64, device="cpu", pin_memory=True)
        page = Page(slots, host)
        page.wrote[self._stream().cuda_stream] = self._stream().record_event()
        return page

    def free(self) -> bool:
        """Whether the current stream is not captured: a replay would write the same slots again."""
        return not torch.cuda.is_current_stream_capturing()

    def open(self, page: Page) -> None:
        """Let a stream that is new to a page wait until its memory is free."""
        stream = self._stream()
        if stream.cuda_stream not in page.wrote:
            for event in tuple(page.wrote.values()):
                stream.wait_event(event)

    def wrote(self, page: Page) -> None:
        """Note how far the current stream has to come before the page can be copied."""
        stream = self._stream()
        event = page.wrote.get(stream.cuda_stream)
        page.wrote[stream.cuda_stream] = stream.record_event(event)

    def send(self, page: Page) -> None:
        """Copy the filled slots on the side stream, behind all that filled them."""
        for event in page.wrote.values():
            self._side.wait_event(event)
        with torch.cuda.stream(self._side):
            page.host[: page.used].copy_(page.device[: page.used], non_blocking=True)
        page.sent = self._side.record_event(page.sent)

    def arrived(self, page: Page) -> bool:
        """Whether the device has come past the copy."""
        return bool(page.sent.query())

    def asking(self) -> AbstractContextManager[None]:
        """A mode that leaves alone what other threads capture."""
        return nullcontext() if self._exchange is None else lenient(self._exchange)

    def _stream(self) -> torch.cuda.Stream:
        return torch.cuda.current_stream(self._device)


def transport_of(device: torch.device) -> Transport:
    """The transport that suits a device."""
    return CudaTransport(device) if device.type == "cuda" else PlainTransport(device)
