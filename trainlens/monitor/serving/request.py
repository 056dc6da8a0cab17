"""The head of a request, taken apart; what is not exactly as HTTP/1.1 writes it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

END = b"\r\n\r\n"
"""What ends a head."""

_LINE = re.compile(r"([!-~]{1,32}) (/[!-~]*) HTTP/1\.[01]")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True)
class Request:
    """What somebody asks for.

    Parameters
    ----------
    method : str
    path : str
        Without what follows a question mark, as it was sent.
    query : str
    headers : mapping of str to tuple of str
        By lower-case name, each with every value that was sent.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """The value of a header that must come at most once.

        None without it. One that comes twice is two different things to two different readers:
        it is told as a value that fits nothing.
        """
        held = self.headers.get(name, ())
        return held[0] if len(held) == 1 else "\0" if held else None


def parse(head: bytes) -> Request | None:
    """A request, or None for bytes that are not one.

    Parameters
    ----------
    head : bytes
        All before `END`.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    asked = _LINE.fullmatch(first)
    if asked is None:
        return None
    headers: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not (colon and _NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            return None
        name = name.lower()
        headers[name] = (*headers.get(name, ()), value.strip(" \t"))
    path, _, query = asked[2].partition("?")
    return Request(asked[1], path, query, headers)
