"""Whether files are the ones that were read before, have only grown, or are others.

The entry of a file (inode, size, times) tells almost everything; samples of its content tell the
rest: inodes are given out again, and times can be set back. A file that was written to in the same
instant in which it was looked at could change once more under the same time, so such a look does
not count.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

UNSETTLED_NS = 20_000_000
"""File systems round their times to the ticks of a clock, of up to 10 ms."""

_END, _SAMPLE, _SAMPLES = 4096, 256, 16


class Seen(NamedTuple):
    """A file as it was.

    Parameters
    ----------
    path : str
    kind : {"file", "gone", "folder"}
        A folder counts by its times alone: they change with what lies in it.
    entry : tuple of int
        Device, inode, time of content, time of entry; in nanoseconds.
    size : int
        Bytes.
    sample : str
        Digest of the first and the last bytes and of some in between.
    settled : bool
        Whether it had not been written to at that very moment.
    """

    path: str
    kind: str
    entry: tuple[int, ...] = ()
    size: int = 0
    sample: str = ""
    settled: bool = True

    @classmethod
    def of(cls, row: Sequence[Any]) -> Seen:
        """From what JSON makes of one."""
        path, kind, entry, size, sample, settled = row
        return cls(path, kind, tuple(entry), size, sample, settled)


def look(path: Path) -> Seen:
    """A file as it is now.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        If it is there and cannot be read.
    """
    try:
        now = time.time_ns()
        entry = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Seen(str(path), "gone")
    times = (entry.st_dev, entry.st_ino, entry.st_mtime_ns, entry.st_ctime_ns)
    settled = max(entry.st_mtime_ns, entry.st_ctime_ns) < now - UNSETTLED_NS
    if not stat.S_ISREG(entry.st_mode):
        return Seen(str(path), "folder", times, settled=settled)
    with open(path, "rb", buffering=0) as file:
        sample = _sample(file, entry.st_size)
    return Seen(str(path), "file", times, entry.st_size, sample, settled)


def same(old: Sequence[Seen], new: Sequence[Seen]) -> bool:
    """Whether nothing has changed in any file since it was looked at."""
    return all(o.settled for o in old) and [o._replace(settled=True) for o in old] == [
        n._replace(settled=True) for n in new
    ]


def grown(old: Sequence[Seen], new: Sequence[Seen]) -> bool:
    """Whether the last file has grown at its end and all others are as they were.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    if not old or [o.path for o in old] != [n.path for n in new] or not same(old[:-1], new[:-1]):
        return False
    was, now = old[-1], new[-1]
    return (
        was.kind == now.kind == "file"
        and was.entry[:2] == now.entry[:2]
        and was.size < now.size
        and _begins_as(was)
    )


def _begins_as(was: Seen) -> bool:
    with open(was.path, "rb", buffering=0) as file:
        return _sample(file, was.size) == was.sample


def _sample(file: BinaryIO, size: int) -> str:
    """Digest of some of the first `size` bytes."""
    found = hashlib.blake2b(digest_size=16)
    step = max(size // _SAMPLES, 1)
    places = [(0, _END), (max(size - _END, 0), _END)]
    if size > 2 * _END:
        places += [(at, _SAMPLE) for at in range(step, size - _SAMPLE, step)]
    for at, length in places:
        file.seek(at)
        found.update(file.read(min(length, size - at)))
    return found.hexdigest()
