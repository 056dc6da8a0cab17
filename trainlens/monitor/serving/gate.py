"""Who may ask: this machine's own pages and people, with the token, and nobody for anybody else.

A page of another site that a browser on this machine shows can send requests here. It cannot set
their ``Host``, ``Origin`` and ``Sec-Fetch-Site``, so that these tell it from the page itself; a
name of its own that is made to lead here (DNS rebinding) stands in ``Host`` as well.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qs

from trainlens.monitor.serving.request import Request

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names by which this machine calls itself, as they stand in ``Host``."""

EVERYWHERE = ("0.0.0.0", "::")
"""Addresses at which a server hears whatever reaches this machine; no names of it."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+):[0-9]{1,5}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_OWN = (None, "same-origin", "none")
_BODILESS = (None, "0")


def names(host: str, more: Collection[str] = ()) -> frozenset[str]:
    """Names that may stand in ``Host`` where a server listens at an address.

    Parameters
    ----------
    host : str
        Name or number; of this machine alone, any of `LOOPBACK` does, as the far end of an ssh
        port forward has another.
    more : collection of str
        By which it is called besides.
    """
    # Who listens at every address is reached by this machine's own as well.
    own = LOOPBACK if loopback(host) or host in EVERYWHERE else {written(host)}
    return frozenset({*own, *map(written, more)})


def loopback(host: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def written(host: str) -> str:
    """An address as it stands before a port."""
    return f"[{host.lower()}]" if ":" in host else host.lower()


@dataclass(frozen=True)
class Gate:
    """Says of a request whether it is answered.

    Parameters
    ----------
    hosts : collection of str
        Names that may stand in ``Host``, with any port behind them.
    token : str
        What those who may ask know: letters, digits, hyphens and underscores.
    """

    hosts: Collection[str]
    token: str

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.token):
            raise ValueError("a token is made of letters, digits, hyphens and underscores")

    @property
    def cookie(self) -> str:
        """Name of the cookie; monitors on other ports share their cookies with this one."""
        return f"trainlens-{hashlib.sha256(self.token.encode()).hexdigest()[:12]}"

    def opens(self, request: Request) -> bool:
        """Whether a request comes from where it should, with the token, and only asks."""
        host = (request.header("host") or "").lower()
        known = _HOST.fullmatch(host)
        return (
            known is not None
            and known[1] in self.hosts
            and request.header("origin") in (None, f"http://{host}")
            and request.header("sec-fetch-site") in _OWN
            and request.header("content-length") in _BODILESS
            and request.header("transfer-encoding") is None
            and self._knows(request)
            and request.method == "GET"
        )

    def _knows(self, request: Request) -> bool:
        """Whether what it shows is the token; all that it shows must be."""
        shown = parse_qs(request.query, keep_blank_values=True, encoding="latin-1").get("token", [])
        shown += [
            value
            for header in request.headers.get("cookie", ())
            for pair in header.split(";")
            for name, _, value in [pair.strip().partition("=")]
            if name == self.cookie
        ]
        return bool(shown) and all([self._is(value) for value in shown])

    def _is(self, value: str) -> bool:
        return hmac.compare_digest(value.encode("utf-8", "replace"), self.token.encode())
