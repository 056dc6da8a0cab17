"""What is said to those who ask."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_ALWAYS = {
    "Connection": "close",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The page's own policy stands in its head; this is what only a header can say.
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
_WORDS = {
    200: "OK",
    304: "Not Modified",
    403: "Forbidden",
    404: "Not Found",
    503: "Service Unavailable",
}
HTML = "text/html; charset=utf-8"
WAIT_MS = 2000
"""Milliseconds after which a browser that lost its stream asks again."""


def answer(
    status: int, body: bytes = b"", kind: str = "", more: Mapping[str, str] | None = None
) -> bytes:
    """A whole answer; without a body it says so."""
    headers = {**_ALWAYS, **({"Content-Type": kind} if kind else {}), **(more or {})}
    if status != 304:
        headers["Content-Length"] = str(len(body))
    return _head(status, headers) + body


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_WORDS[status]}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


REFUSED = answer(403)
UNKNOWN = answer(404)
BUSY = answer(503, more={"Retry-After": "10"})
EARLY = answer(
    503, b"The first page is being made.\n", "text/plain; charset=utf-8", {"Refresh": "1"}
)


def stream() -> bytes:
    """What opens a stream of events."""
    return _head(200, {**_ALWAYS, "Content-Type": "text/event-stream"}) + b"retry: %d\n\n" % WAIT_MS


def news(version: int) -> bytes:
    """An event: there is a page of this version."""
    return b"id: %d\ndata: %d\n\n" % (version, version)


BEAT = b"event: beat\ndata:\n\n"
"""An event that only says that somebody is there."""


@dataclass(frozen=True)
class Page:
    """A page as it is sent.

    Parameters
    ----------
    body : bytes
    version : int
    """

    body: bytes
    version: int

    @cached_property
    def tag(self) -> str:
        """The same for the same bytes, whichever monitor made them."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    def told(self, known: str | None = None, cookie: str = "") -> bytes:
        """It, or that it is what they have.

        Parameters
        ----------
        known : str, optional
            ``If-None-Match`` of the request.
        cookie : str
            To be kept by the browser.
        """
        more = {"ETag": self.tag}
        if cookie:
            more["Set-Cookie"] = f"{cookie}; Path=/; HttpOnly; SameSite=Strict"
        if known is not None and self.tag in [one.strip() for one in known.split(",")]:
            return answer(304, more=more)
        return answer(200, self.body, HTML, more)
