"""Names of remote objects as names of files here: contained, whatever they are.

An object may be called ``..`` or hold control characters; two may differ in case only; one may
have the name of a folder. A name that is safe stays as it is, since readers go by it.
"""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from collections.abc import Mapping

LONGEST = 200
"""Bytes of a component; systems allow 255, and temporary names are longer than their file's."""

LONGEST_PATH = 1500
"""Bytes of a path below the mirror's folder."""

DEEPEST = 60
"""Folders within folders."""

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f/\ud800-\udfff" + (r'\\<>:"|?*' if sys.platform == "win32" else "") + "]"
)
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,12}$")


class Names:
    """Which file here stands for which object there.

    Parameters
    ----------
    known : mapping of str to str
        Paths there to paths here, as they were given out before: they stay.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._here: dict[str, str] = {"": ""}
        self._taken: set[str] = set()
        for there, here in (known or {}).items():
            self._keep(there, here)

    def __call__(self, there: str) -> str:
        """The path here, relative, with ``/``; the same for the same path at any time.

        Parameters
        ----------
        there : str
            Path of an object relative to what is mirrored; of a folder, with a ``/`` at its end.
        """
        if there not in self._here:
            above, slash, name = there.removesuffix("/").rpartition("/")
            deep = there.count("/") > DEEPEST
            self._here[there] = self._new("" if deep else self(above + slash), name, there, deep)
        return self._here[there]

    def _new(self, place: str, name: str, there: str, deep: bool) -> str:
        prefix = f"{place}/" if place else ""
        here = prefix + safe(name)
        if deep or len(here.encode()) > LONGEST_PATH:
            prefix, here = "", _marked(safe(name), there)
        turn = 0
        while _fold(here) in self._taken:
            turn += 1
            here = prefix + _marked(safe(name), f"{there}/{turn}")
        self._taken.add(_fold(here))
        return here

    def _keep(self, there: str, here: str) -> None:
        while there and here and there not in self._here:
            self._here[there] = here
            self._taken.add(_fold(here))
            above, slash, _ = there.removesuffix("/").rpartition("/")
            there, here = above + slash, here.rpartition("/")[0]


def safe(name: str) -> str:
    """A name that is one component of a path on any system, itself where it is one already.

    Examples
    --------
    >>> safe("metrics.jsonl"), safe(".."), safe("a" + chr(10))
    ('metrics.jsonl', '%2E%2E', 'a%0A')
    """
    if name.strip(".") == "":
        return "%2E" * len(name) or "%"
    out = _UNSAFE.sub(lambda m: f"%{ord(m[0]):02X}", name)
    return out if len(out.encode()) <= LONGEST else _marked(out, name)


def _marked(name: str, what: str) -> str:
    """A short name with a hash of `what`, and the suffix that it had."""
    found = _SUFFIX.search(name)
    suffix = found[0] if found else ""
    stem = name[: len(name) - len(suffix)].encode()[: LONGEST // 2].decode("utf-8", "ignore")
    mark = hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{stem}~{mark}{suffix}"


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
