"""The pages of a device ring: one that is filled, those on their way, and those that are free."""

from __future__ import annotations

from collections import deque

import torch

from trainlens_torch.record._ring_page import Page, Row
from trainlens_torch.record._ring_transport import Transport

__all__ = ["Batch", "Pool"]

# A page should hold some rows at least, however many names they have.
_ROWS = 8

Batch = tuple[list[Row], list[float]]
"""Rows, and their values one after another."""


class Pool:
    """Gives a page only while no value that was not read lies in it.

    Parameters
    ----------
    transport : Transport
    every, pages, width, backlog : int
        As `DeviceRing` has them.
    """

    def __init__(
        self, transport: Transport, every: int, pages: int, width: int, backlog: int
    ) -> None:
        self.page: Page | None = None
        self._transport = transport
        self._pages = pages
        self._width = width
        self._backlog = backlog
        self._rows = min(every, _ROWS)
        self._free: list[Page] = []
        self._flying: deque[Page] = deque()
        self._made = 0
        self._batches: list[Batch] = []
        self._waiting = 0

    def __len__(self) -> int:
        """Rows in all pages, and those that wait to be given."""
        filled = 0 if self.page is None else len(self.page.rows)
        return self._waiting + filled + sum(len(page.rows) for page in self._flying)

    @property
    def flying(self) -> bool:
        """Whether a page is on its way, or has come and not been collected."""
        return bool(self._flying)

    def room(self, count: int) -> Page | None:
        """The page that takes a row of so many values, None where all are on their way."""
        if self.page is not None and self.page.used + count > self.page.width:
            self.send()
        if self.page is None:
            self.page = self._next(count * self._rows)
        return self.page

    def send(self) -> None:
        """Let the page that is filled go on its way."""
        page = self.page
        if page is None or not page.rows:
            return
        with self._transport.asking():
            self._transport.send(page)
        self._flying.append(page)
        self.page = None

    def collect(self) -> None:
        """Bring the values of pages that have come to the host's own memory."""
        with self._transport.asking():
            while self._flying and self._waiting < self._backlog:
                if not self._transport.arrived(self._flying[0]):
                    return
                page = self._flying.popleft()
                self._waiting += len(page.rows)
                self._batches.append(page.unload())
                self._keep(page)

    def given(self) -> list[Batch]:
        """What was collected; it is forgotten here."""
        batches, self._batches, self._waiting = self._batches, [], 0
        return batches

    def _next(self, wanted: int) -> Page | None:
        if wanted > self._width:
            self._width = 1 << (wanted - 1).bit_length()
            self._made -= len(self._free)
            self._free.clear()
        if not self._free:
            self.collect()
        if self._free:
            return self._free.pop()
        if self._made >= self._pages:
            return None
        self._made += 1
        # Pages made in inference mode could not be written outside of it.
        with torch.inference_mode(False):
            return self._transport.page(self._width)

    def _keep(self, page: Page) -> None:
        if page.width >= self._width:
            self._free.append(page)
        else:
            self._made -= 1
