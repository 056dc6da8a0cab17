"""One of those who asked: what came from them, what is still to be sent, and how long they have."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable

from trainlens.monitor.serving import answers
from trainlens.monitor.serving.limits import Limits
from trainlens.monitor.serving.request import END

ASKING, ANSWERED, STREAMING, PARTING, OVER = "asking", "answered", "streaming", "parting", "over"
"""What a connection is at."""

_PIECE = 1 << 16


class Connection:
    """A client, from its first byte to its last.

    Parameters
    ----------
    held : socket
        Does not block.
    limits : Limits
    now : float
        Seconds of the server's clock.
    decide : callable of (Connection, head or None)
        What is asked for when the head is there; None in its place for one that cannot be one.
        It calls `say` or `follow`.
    """

    def __init__(
        self,
        held: socket.socket,
        limits: Limits,
        now: float,
        decide: Callable[[Connection, bytes | None], None],
    ) -> None:
        self.socket = held
        self.state = ASKING
        self.deadline = now + limits.asking
        self.version: int | None = None
        self._limits, self._decide = limits, decide
        self._came = bytearray()
        self._out = memoryview(b"")
        self._last = float("inf")
        self._thrown = 0

    @property
    def wants(self) -> int:
        """What it waits for, as `selectors` names it."""
        if self.state == ANSWERED:
            return selectors.EVENT_WRITE
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)

    def say(self, text: bytes, now: float) -> None:
        """Send an answer, then part."""
        self.state, self._out = ANSWERED, memoryview(text)
        self._last = now + self._limits.answering
        self.deadline = now + self._limits.stalled
        self._send(now)

    def follow(self, version: int | None, now: float) -> None:
        """Be told of pages from now on; `version` is what they have."""
        self.state, self.version = STREAMING, version
        self._out = memoryview(answers.stream())
        self.deadline = now + self._limits.beat
        self._send(now)

    def tell(self, version: int, now: float) -> None:
        """A page of this version is there.

        Who has not yet read the last news hears only of the newest, when they have: nothing piles
        up.
        """
        if self.state == STREAMING and version != self.version and not self._out:
            self.version = version
            self._out = memoryview(answers.news(version))
            self.deadline = now + self._limits.beat
            self._send(now)

    def ready(self, events: int, now: float) -> None:
        """Something came, or can be sent."""
        if events & selectors.EVENT_READ:
            self._receive(now)
        if events & selectors.EVENT_WRITE and self.state != OVER:
            self._send(now)

    def due(self, now: float) -> None:
        """Its time is up: a stream beats, everybody else has to leave."""
        if self.state == STREAMING and not self._out:
            self._out = memoryview(answers.BEAT)
            self.deadline = now + self._limits.beat
            self._send(now)
        else:
            self.close()

    def close(self) -> None:
        """Leave it."""
        self.state = OVER
        with contextlib.suppress(OSError):
            self.socket.close()

    def _receive(self, now: float) -> None:
        room = self._limits.head + len(END) - len(self._came) if self.state == ASKING else _PIECE
        try:
            piece = self.socket.recv(min(room, _PIECE))
        except BlockingIOError:
            return
        except OSError:
            return self.close()
        if not piece:
            return self.close()
        if self.state == ASKING:
            self._take(piece)
        else:
            # A stream asks nothing more, and who parts is not listened to.
            self._thrown += len(piece)
            if self._thrown > self._limits.parting_bytes:
                self.close()

    def _take(self, piece: bytes) -> None:
        before = max(0, len(self._came) - len(END))
        self._came += piece
        end = self._came.find(END, before)
        if end >= 0:
            head, self._came = bytes(self._came[:end]), bytearray()
            self._decide(self, head)
        elif len(self._came) >= self._limits.head:
            self._came = bytearray()
            self._decide(self, None)

    def _send(self, now: float) -> None:
        try:
            while self._out:
                self._out = self._out[self.socket.send(self._out[:_PIECE]) :]
                if self.state == ANSWERED:
                    self.deadline = min(now + self._limits.stalled, self._last)
        except BlockingIOError:
            return
        except OSError:
            return self.close()
        if self.state == ANSWERED:
            self._part(now)

    def _part(self, now: float) -> None:
        self.state, self.deadline = PARTING, now + self._limits.parting
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
