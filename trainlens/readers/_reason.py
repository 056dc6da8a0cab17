"""Why a file is no training log, in words that say what to do."""

from __future__ import annotations

from pathlib import Path

from trainlens.readers.base import head
from trainlens.run import Notice

_LFS = b"version https://git-lfs.github.com/spec/"
# Names by which a user would expect a run; elsewhere an unclaimed file is not worth a word.
_LOG_SUFFIXES = (".jsonl", ".ndjson", ".wandb")


def explain(path: Path, *, asked: bool) -> Notice:
    """Say why no reader claimed a file.

    Parameters
    ----------
    path : Path
    asked : bool
        True: the user named this file, so there is always an answer. False: it was met in a
        search; a file that nobody would take for a log gives a notice with an empty `kind`.
    """
    if path.exists() and not path.is_file():
        return Notice("not-a-log" if asked else "", str(path), "is not a regular file")
    try:
        start = head(path, 4096)
    except OSError as error:
        return Notice("unreadable", str(path), f"cannot be read: {error.strerror}", None)
    looks_like_log = "tfevents" in path.name or path.name.endswith(_LOG_SUFFIXES)
    if start.startswith(_LFS):
        return Notice(
            "lfs-pointer",
            str(path),
            "is a git-LFS pointer, not the log itself; run `git lfs pull` to fetch it",
            None,
        )
    kind, message = _content(start, path)
    return Notice(kind if asked or looks_like_log else "", str(path), message)


def _content(start: bytes, path: Path) -> tuple[str, str]:
    if not start:
        return "empty", "is empty"
    if "tfevents" in path.name:
        return "not-a-log", "is named like an event file but no intact record is in it"
    if b"\0" in start:
        return "not-a-log", "is a binary file of no format that trainlens reads"
    return "not-a-log", "is no training log of a format that trainlens reads"
