"""URLs as users write them: what is one, which part is a pattern, what must not be shown."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]+::)*([A-Za-z][A-Za-z0-9+.\-]+)://")
_PASSWORD = re.compile(r"(://[^/@:\s]*):[^/@\s]+@")
_MAGIC = re.compile(r"[*?\[]")
_LOCAL = frozenset({"file", "local"})
_WITH_QUERY = frozenset({"http", "https"})


def is_url(text: str) -> bool:
    """Whether a text is a URL; a letter and a colon is a drive of Windows."""
    return _URL.match(text) is not None


def scheme(url: str) -> str:
    """Scheme of a URL, in lower case."""
    found = _URL.match(url)
    return found[1].lower() if found else ""


def local_path(url: str) -> Path | None:
    """The path that a ``file://`` URL means, None for others."""
    return Path(unquote(urlsplit(url).path)) if scheme(url) in _LOCAL else None


def public(url: str) -> str:
    """The URL without what is secret: its password, and the signature in its query.

    Any other text stays as it is.

    Examples
    --------
    >>> public("sftp://me:secret@host/runs/"), public("https://host/a.jsonl?sig=12")
    ('sftp://me:***@host/runs', 'https://host/a.jsonl')
    """
    start = _URL.match(url)
    if start is None:
        return url
    if scheme(url) in _WITH_QUERY:
        url = url.partition("?")[0].partition("#")[0]
    least = start.end()
    return _PASSWORD.sub(r"\1:***@", url[:least] + url[least:].rstrip("/"))


def secrets(url: str) -> list[str]:
    """Parts of a URL that no message may show."""
    parts = urlsplit(url)
    query = parts.query if scheme(url) in _WITH_QUERY else ""
    password = re.search(r"://[^/@:\s]*:([^/@\s]+)@", url)
    return [text for text in (query, password[1] if password else "") if text]


def fixed_part(url: str) -> tuple[str, str]:
    """A URL cut before its first component with a wildcard: the fixed part, and the pattern.

    Examples
    --------
    >>> fixed_part("s3://bucket/exp-*/"), fixed_part("s3://bucket/exp")
    (('s3://bucket', 'exp-*'), ('s3://bucket/exp', ''))
    """
    start = _URL.match(url)
    if start is None or scheme(url) in _WITH_QUERY or "::" in url:
        return url, ""
    parts = url[start.end() :].split("/")
    at = next((i for i, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    fixed = url[: start.end()] + "/".join(parts[:at])
    return fixed, "/".join(parts[at:]).rstrip("/")


def matcher(pattern: str) -> re.Pattern[str]:
    """What finds, at the beginning of a path, the part that a wildcard pattern names.

    Parameters
    ----------
    pattern : str
        As for `glob.glob`: ``**`` stands for any number of folders.

    Returns
    -------
    Pattern
        Its first group is the part.
    """
    pieces = []
    parts = pattern.split("/")
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if part == "**":
            pieces.append(".*" if last else "(?:[^/]+/)*")
        else:
            pieces.append(_component(part) + ("" if last else "/"))
    return re.compile(f"({''.join(pieces)})(?:/.*)?", re.DOTALL)


def _component(part: str) -> str:
    """A component as a pattern: wildcards stop at a slash and pass over a leading dot."""
    out = "" if part.startswith(".") else r"(?!\.)"
    for piece in re.findall(r"\[!?\]?[^\]]*\]|.", part, re.DOTALL):
        if piece == "*":
            out += "[^/]*"
        elif piece == "?":
            out += "[^/]"
        elif len(piece) > 1:
            out += "(?!/)" + fnmatch.translate(piece).removeprefix("(?s:").split(")")[0]
        else:
            out += re.escape(piece)
    return out
