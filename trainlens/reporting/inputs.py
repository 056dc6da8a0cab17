"""Fingerprints of the inputs of a report: enough to tell whether a log has changed since."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainlens.compact import Compact

_HEAD = 65536
_WHOLE = 32 << 20
"""Bytes of a file that is hashed whole: 0.02 s."""
_FILES = 5000


@dataclass(frozen=True, slots=True)
class Input(Compact):
    """What an input looked like.

    Parameters
    ----------
    path : str
    files : int
        0 where the path is not on this disk.
    size : int
        Bytes in all.
    modified : float
        Unix seconds of the latest change.
    fingerprint : str
        12 hex digits of the SHA-256 over names and sizes of the files and, for a single file,
        its first 64 KiB: hashing gigabytes would cost more than the report.
    sha256 : str
        64 hex digits over all bytes of a single file of up to 32 MiB, as ``sha256sum`` prints
        them; empty of others.
    """

    path: str
    files: int = 0
    size: int = 0
    modified: float = float("nan")
    fingerprint: str = ""
    sha256: str = ""


def inspect(path: str) -> Input:
    """Fingerprint a file or a folder (its first 5,000 files, links not followed)."""
    digest, whole = hashlib.sha256(), ""
    files, size, modified = 0, 0, float("-inf")
    try:
        own = os.stat(path)
        folder = stat.S_ISDIR(own.st_mode)
        for name, status in _walk(Path(path)) if folder else [(os.path.basename(path), own)]:
            files += 1
            size += status.st_size
            modified = max(modified, status.st_mtime)
            digest.update(f"{os.fspath(name)}\0{status.st_size}\n".encode(errors="replace"))
        if stat.S_ISREG(own.st_mode):
            with open(path, "rb", buffering=0) as file:
                head = file.read(_HEAD)
                digest.update(head)
                if own.st_size <= _WHOLE:
                    whole = hashlib.sha256(head + file.read(_WHOLE)).hexdigest()
    except (OSError, ValueError):
        return Input(path)
    if not files:
        return Input(path)
    return Input(path, files, size, modified, digest.hexdigest()[:12], whole)


def _walk(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    left = _FILES
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names)[:left]:
            left -= 1
            file = Path(folder, name)
            yield file.relative_to(root), file.lstat()
        if left <= 0:
            return
