"""The newest page at an address of this machine, and word of each newer one."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any

from trainlens.errors import UsageError
from trainlens.monitor.serving import answers
from trainlens.monitor.serving.connection import ASKING, OVER, PARTING, STREAMING, Connection
from trainlens.monitor.serving.gate import EVERYWHERE, Gate, names, written
from trainlens.monitor.serving.limits import Limits
from trainlens.monitor.serving.request import Request, parse

_PAUSE = 0.5
_AHEAD = 1 << 17
_UNHEARD_MS = 60_000


class Server:
    """One thread that serves one page.

    Parameters
    ----------
    host : str
        Address to listen at. Every other than this machine's own is open to its network.
    port : int
        0 takes a free one.
    token : str
        Known to those who may look; see `trainlens.monitor.serving.gate`.
    known_as : collection of str
        Further names of this machine that may stand in ``Host``.
    limits : Limits
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> with Server(token="secret") as server:
    ...     server.publish("<!doctype html>...", 1)
    ...     print(server.url)  # doctest: +SKIP
    http://127.0.0.1:41233/?token=secret
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str,
        known_as: Collection[str] = (),
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._port, self._known_as = host, port, tuple(known_as)
        self._gate = Gate(names(host, known_as), token)
        self._limits, self._clock = limits or Limits(), clock
        self._page: answers.Page | None = None
        self._held: dict[Connection, int] = {}
        self._listener: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._bell, self._ears = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="trainlens-page", daemon=True)
        self._over = False
        self._resume = float("inf")

    def start(self) -> None:
        """Listen.

        Raises
        ------
        UsageError
            The address is taken, not of this machine, or not for this user.
        """
        try:
            self._listener = _listening(self._host, self._port)
        except (OSError, UnicodeError, OverflowError) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"{written(self._host)}:{self._port}: no page can be served there: {reason}; "
                "choose another port, or 0 for one that is free"
            ) from error
        self._port = self._listener.getsockname()[1]
        for one in (self._bell, self._ears):
            one.setblocking(False)
        self._selector.register(self._ears, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to open, token and all."""
        host = (*self._known_as, "127.0.0.1")[0] if self._host in EVERYWHERE else self._host
        return f"http://{written(host)}:{self._port}/?token={self._gate.token}"

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._held)

    def publish(self, html: str, version: int) -> None:
        """Serve this page from now on.

        Parameters
        ----------
        html : str
        version : int
            Another one than before.
        """
        self._page = answers.Page(html.encode("utf-8", "replace"), version)
        self._ring()

    def close(self) -> None:
        """Stop and leave everybody; again does nothing."""
        self._over = True
        self._ring()
        if self._thread.is_alive():
            self._thread.join(5.0)
        if self._listener is not None:
            self._listener.close()
        self._bell.close()
        self._ears.close()
        self._selector.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ring(self) -> None:
        # A bell that is full or gone needs no further ring.
        with contextlib.suppress(OSError):
            self._bell.send(b"!")

    # --- all below runs in the thread ---

    def _serve(self) -> None:
        try:
            while not self._over:
                for key, events in self._selector.select(self._patience()):
                    self._heed(key.fileobj, key.data, events)
                self._tell()
                self._expire()
        finally:
            for one in self._held:
                one.close()

    def _patience(self) -> float | None:
        ends = [one.deadline for one in self._held]
        first = min([*ends, self._resume])
        return None if first == float("inf") else max(0.0, first - self._clock())

    def _heed(self, who: Any, connection: Connection | None, events: int) -> None:
        if connection is not None:
            connection.ready(events, self._clock())
            self._settle(connection)
        elif who is self._listener:
            self._accept()
        else:
            with contextlib.suppress(OSError):
                self._ears.recv(4096)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            held, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # No descriptors are left: a listener that stays ready would keep this thread busy.
            self._selector.unregister(self._listener)
            self._resume = self._clock() + _PAUSE
            return
        held.setblocking(False)
        _tune(held)
        if len(self._held) >= self._limits.connections:
            self._make_room()
        if len(self._held) >= self._limits.connections:
            held.close()
            return
        connection = Connection(held, self._limits, self._clock(), self._decide)
        self._held[connection] = connection.wants
        self._selector.register(held, connection.wants, connection)

    def _make_room(self) -> None:
        """Those that are slow to ask, and those that are served already, give way first."""
        idle = [one for one in self._held if one.state in (ASKING, PARTING)]
        for one in idle[:1]:
            self._drop(one)

    def _decide(self, connection: Connection, head: bytes | None) -> None:
        now = self._clock()
        request = parse(head) if head is not None else None
        if request is None or not self._gate.opens(request):
            connection.say(answers.REFUSED, now)
        elif request.path == "/events":
            self._follow(connection, request)
        elif request.path in ("/", "/page"):
            connection.say(self._paged(request), now)
        else:
            connection.say(answers.UNKNOWN, now)

    def _paged(self, request: Request) -> bytes:
        page = self._page
        if page is None:
            return answers.EARLY
        if request.path == "/page":
            return page.told(request.header("if-none-match"))
        return page.told(cookie=f"{self._gate.cookie}={self._gate.token}")

    def _follow(self, connection: Connection, request: Request) -> None:
        following = sum(one.state == STREAMING for one in self._held)
        if following >= self._limits.streams:
            return connection.say(answers.BUSY, self._clock())
        last = request.header("last-event-id") or ""
        known = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None
        connection.follow(known, self._clock())

    def _tell(self) -> None:
        page, now = self._page, self._clock()
        for one in list(self._held):
            if page is not None and one.state == STREAMING:
                one.tell(page.version, now)
                self._settle(one)

    def _expire(self) -> None:
        now = self._clock()
        if now >= self._resume and self._listener is not None:
            self._resume = float("inf")
            self._selector.register(self._listener, selectors.EVENT_READ)
        for one in [c for c in self._held if now >= c.deadline]:
            one.due(now)
            self._settle(one)

    def _settle(self, connection: Connection) -> None:
        """Wait for what a connection waits for now."""
        if connection not in self._held:
            return
        if connection.state == OVER:
            self._drop(connection)
        elif connection.wants != self._held[connection]:
            self._held[connection] = connection.wants
            self._selector.modify(connection.socket, connection.wants, connection)

    def _drop(self, connection: Connection) -> None:
        del self._held[connection]
        # A closed socket is known by the object alone.
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        connection.close()


def _tune(held: socket.socket) -> None:
    # Some systems take no settings for who has left already.
    with contextlib.suppress(OSError):
        # In a large buffer a slow reader would look like one that takes nothing.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _AHEAD)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # A stream to a machine that fell asleep would hold its place for a quarter of an hour.
            held.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)


def _listening(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    family, *_, address = found[0]
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port that a monitor has just left can be taken at once; elsewhere this would let two
        # programs share it.
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address[0], port))
        made.listen(16)
    except BaseException:
        made.close()
        raise
    made.setblocking(False)
    return made
