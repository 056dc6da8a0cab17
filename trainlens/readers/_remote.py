"""Runs behind a URL: which files of a mirror are needed whole, told by the readers themselves."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from trainlens.chunk import Notice
from trainlens.readers._find import PASSED_OVER, all_readers, claim, runs_at
from trainlens.readers.base import Source
from trainlens.remote.calls import Calls
from trainlens.remote.mirror import Mirror

BESIDE = 1 << 20
"""Files up to this size that lie beside a log are fetched whole: settings, indexes, journals."""

DATABASE = 64 << 20
"""Up to this size a database is fetched to be judged: its tables may be listed anywhere in it."""

_UNREAD = frozenset(
    {
        ".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".png", ".jpg", ".jpeg", ".gif", ".webp",
        ".mp4", ".avi", ".mov", ".webm", ".mp3", ".wav",
    }
)  # fmt: skip
"""Models and pictures: of these not one byte is fetched, wherever they lie."""

_ROUNDS = 4
_kept: dict[str, Mirror] = {}
"""Mirrors in a passing folder, which would go with them: runs are read after they were found."""

looks: dict[Path, tuple[str, str]] = {}
"""Of each mirror's folder: the URL as it was asked for, and which look at it was the last."""


def mirrored(
    url: str, notices: list[Notice], calls: Calls | None = None, patience: float = 0.0
) -> list[Path]:
    """Paths here that stand for a URL, with every file there that readers will ask for.

    Parameters
    ----------
    url : str
    notices : list of Notice
        What could not be fetched is added.
    calls : Calls, optional
        How long to wait, how often to try.
    patience : float
        Seconds to wait for another process that makes the same mirror.

    Raises
    ------
    SourceError, MissingExtra
        Nothing could be had.
    """
    mirror = _kept.get(url) or Mirror(url, _of_no_interest, calls, patience)
    looks[mirror.folder] = (url, os.urandom(8).hex())
    if mirror.passing:
        _kept[url] = mirror
    try:
        mirror.refresh()
        _complete(mirror)
        notices.extend(mirror.notices)
        return mirror.paths
    finally:
        mirror.close()


def _of_no_interest(below: str) -> bool:
    path = PurePosixPath(below)
    return path.suffix.lower() in _UNREAD or not PASSED_OVER.isdisjoint(path.parts[:-1])


def _complete(mirror: Mirror) -> None:
    """Fetch what belongs to runs, then what that shows to belong to them."""
    tried: set[Path] = set()
    for turn in range(_ROUNDS):
        torn = {
            path: size
            for path, size, whole in mirror.files()
            if not whole and path not in tried and not _left_out(mirror, path)
        }
        wanted = _logs(torn) if turn == 0 else _of_runs(mirror.paths, torn)
        tried |= wanted
        if not torn or (not mirror.fetch(wanted) and turn):
            return


def _left_out(mirror: Mirror, path: Path) -> bool:
    return _of_no_interest(path.relative_to(mirror.root).as_posix())


def _logs(torn: dict[Path, int]) -> set[Path]:
    """Files that a reader claims by their ends, and what lies beside them."""
    wanted = {p for p, size in torn.items() if _is_database(p, size) or claim(p)[0] is not None}
    wanted |= {p for p, size in torn.items() if size <= BESIDE}
    names = {str(p) for p in wanted}
    return wanted | {p for p in torn if str(p).rpartition("-")[0] in names}  # run.db-wal


def _is_database(path: Path, size: int) -> bool:
    if size > DATABASE:
        return False
    with open(path, "rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _of_runs(paths: Iterable[Path], torn: dict[Path, int]) -> set[Path]:
    """Files that belong to the runs as they are found by now."""
    owned: set[Path] = set()
    for path in paths:
        for source in runs_at(path, []):
            for part in source.places:
                owned.update(_files(part))
    return {p for p in torn if p in owned or not owned.isdisjoint(p.parents)}


def _files(source: Source) -> list[Path]:
    module = all_readers()[source.format]
    found: list[Path] = module.files(source) if hasattr(module, "files") else [source.path]
    return found
