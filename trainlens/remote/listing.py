"""What lies behind a URL: every object with its size and a mark of its version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trainlens.errors import NotFound, SourceError, Unreadable
from trainlens.remote.calls import Calls, failures
from trainlens.remote.connect import refused
from trainlens.remote.url import matcher, public

MOST = 100_000
"""Objects of one URL; beyond it the user is asked to be more exact."""

PATIENCE = 600.0
"""Seconds that a listing may take once the host has answered."""

_OF_CONTENT = ("ETag", "etag", "md5Hash", "content_md5", "generation")
_OF_TIME = (
    "LastModified", "last_modified", "Last-Modified", "mtime", "modified", "updated", "created",
    "ino",
)  # fmt: skip


@dataclass(frozen=True)
class Object:
    """An object behind a URL.

    Parameters
    ----------
    path : str
        As its filesystem names it.
    below : str
        Path relative to what is mirrored.
    size : int or None
        None where the host does not say it.
    mark : str
        Changes when the content does; empty where the host gives none.
    ranged : bool
        Whether parts of it can be asked for.
    """

    path: str
    below: str
    size: int | None
    mark: str
    ranged: bool = True


def listing(fs: Any, path: str, url: str, pattern: str, calls: Calls) -> list[Object]:
    """Every object that a URL means.

    Parameters
    ----------
    fs : fsspec filesystem
    path : str
        The path of the URL there, up to its first wildcard.
    url : str
    pattern : str
        The rest, empty where there is no wildcard.
    calls : Calls

    Raises
    ------
    NotFound, Unreadable
        There is nothing, or it cannot be listed.
    """
    try:
        fs.invalidate_cache()
        found = list(_objects(fs, path, url.endswith("/") or bool(pattern), calls))
        if "https" in fs.protocol:
            found = list(_asked(fs, found, calls))
    except failures() as error:
        raise refused(url, error) from None
    if pattern:
        match = matcher(pattern)
        found = [o for o in found if match.fullmatch(o.below)]
    if not found:
        raise _nothing(url, pattern)
    if len(found) > MOST:
        problem = f"means {len(found):,} objects, more than {MOST:,}"
        raise Unreadable(public(url), problem, "name a folder closer to the runs, or a pattern")
    return sorted(found, key=lambda o: o.below)


def _objects(fs: Any, path: str, folder: bool, calls: Calls) -> Iterator[Object]:
    info = {} if folder else calls.once(fs.info, path)
    if info.get("type") == "file" and not _is_page(info):
        yield _object(info, path, path.rstrip("/").rpartition("/")[2])
        return
    root = path.rstrip("/") + "/"
    found: Mapping[str, Mapping[str, Any]] = calls.once(
        fs.find, path, detail=True, timeout=PATIENCE
    )
    for name, about in found.items():
        # Folders of object stores are objects without content whose names end with a slash.
        if about.get("type") == "file" and name.startswith(root) and not name.endswith("/"):
            yield _object(about, name, name[len(root) :])


def _object(info: Mapping[str, Any], path: str, below: str) -> Object:
    size = info.get("size")
    below = below.partition("?")[0] if "://" in path else below
    return Object(path, below, None if size is None else int(size), mark_of(info))


def mark_of(info: Mapping[str, Any]) -> str:
    """What a filesystem says of an object that changes with its content."""
    for keys in (_OF_CONTENT, _OF_TIME):
        if found := [f"{key}={info[key]}" for key in keys if info.get(key) is not None]:
            return "|".join(found)
    return ""


def _is_page(info: Mapping[str, Any]) -> bool:
    """Whether this is a web page, which may list a folder."""
    return str(info.get("mimetype", "")).startswith("text/html")


def _asked(fs: Any, found: list[Object], calls: Calls) -> Iterator[Object]:
    """A web server's page names files only; the rest must be asked for."""

    def ask(item: Object) -> Mapping[str, Any]:
        about: Mapping[str, Any] = fs.info(item.path)
        return about

    for item, info in calls.each(ask, found):
        if isinstance(info, Exception):
            yield replace(item, ranged=False)  # what is wrong will be said when it is read
        else:
            size = info.get("size")
            known = int(size) if size is not None else None
            ranged = bool(info.get("partial")) and known is not None
            yield replace(item, size=known, mark=mark_of(info), ranged=ranged)


def _nothing(url: str, pattern: str) -> SourceError:
    problem = "no object fits this pattern" if pattern else "no such object, folder or bucket"
    return NotFound(public(url), problem, "check the URL")
