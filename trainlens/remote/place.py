"""The folder of a mirror: in the user's cache folder, or a passing one; used by one at a time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path

from trainlens.cachedir import cache_folder, cache_size, private_folder
from trainlens.remote.shown import ABOUT, MARK

SUBFOLDER = "mirrors"

LOCK = "lock"
"""File in the folder of a mirror that is kept; its content is never touched."""

RECENT = 3600.0
"""Seconds for which a mirror that was used is never removed: it may be read or followed."""

_PAUSE = 0.1


class Place:
    """The folder of one mirror, locked against other processes.

    Where the user wants no cache, where it cannot be written or another process is at it, the
    folder is a passing one of this process.

    Parameters
    ----------
    key : str
        Same key, same folder.
    patience : float
        Seconds to wait for another process that is at the folder.

    Attributes
    ----------
    folder, state : Path
        The folder, and the file in it for what is known about its files.
    passing : bool
        Whether the folder goes with this object.
    """

    def __init__(self, key: str, patience: float = 0.0) -> None:
        self._lock: int | None = None
        kept = self._kept(key, patience)
        self.passing = kept is None
        self.folder = kept or self._temporary(key)
        self.state = self.folder / "state.json"
        self._parts = self.folder / "parts"
        self._parts.mkdir(exist_ok=True)

    def part(self, what: str) -> Path:
        """Where the bytes of something are gathered; the same place for the same thing."""
        name = hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self._parts / name

    def close(self) -> None:
        """Let another process have the folder; what is in it stays."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _kept(self, key: str, patience: float) -> Path | None:
        cache = cache_folder()
        if cache is None:
            return None
        above, folder = cache / SUBFOLDER, cache / SUBFOLDER / (MARK + key)
        if not (private_folder(cache) and private_folder(above) and private_folder(folder)):
            return None
        try:
            self._lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError:
            return None
        until = time.monotonic() + patience
        while not _locked(self._lock):
            if time.monotonic() >= until:
                self.close()
                return None
            time.sleep(_PAUSE)
        tidy(above, folder)
        return folder

    def _temporary(self, key: str) -> Path:
        folder = tempfile.mkdtemp(prefix=f"{MARK}{key}-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


def tidy(above: Path, used: Path) -> None:
    """Remove the mirrors that were not used for longest, as far as all together are too large.

    Parameters
    ----------
    above : Path
        The folder of all mirrors.
    used : Path
        The one that is about to be used.
    """
    held = []
    for folder in above.glob(f"{MARK}*"):
        with suppress(OSError):
            held.append(((folder / "state.json").stat().st_mtime, folder, _held(folder)))
    room = cache_size()
    for last, folder, size in sorted(held, reverse=True):
        room -= size
        if room < 0 and folder != used and time.time() - last > RECENT:
            shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.utime(used / "state.json")


def _held(folder: Path) -> int:
    """Bytes that the files of a mirror hold, as its own account says."""
    try:
        entries = json.loads((folder / "state.json").read_bytes())["entries"]
        return sum(int(e["have"]) for e in entries.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return (folder / ABOUT).exists()


def _locked(lock: int) -> bool:
    """Take an exclusive lock, without waiting; it ends with the process."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
