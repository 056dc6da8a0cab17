"""A file or folder as all sniffers see it: asked for once, opened once, listed once."""

from __future__ import annotations

import errno
import os
import stat
from functools import cached_property
from pathlib import Path

HEAD = 65536
"""Bytes of a file that a sniffer may look at."""

_HALF = HEAD // 2
_LITTLE = 512
"""Bytes that cost no more than one."""


class Look:
    """What sniffers may know about a path; everything is found out when it is first asked for.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    path : Path
    name : str
        Last part of the path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._begun, self._asked = b"", 0

    @classmethod
    def at(cls, path: Path | Look) -> Look:
        """The look that was handed over, or a new one at a path."""
        return path if isinstance(path, Look) else cls(path)

    @property
    def suffix(self) -> str:
        """Ending of the name with its dot, as of a `Path`."""
        return self.path.suffix

    @cached_property
    def mode(self) -> int:
        """Type and permissions as of `os.stat`, which follows links; 0 where nothing is there.

        Raises
        ------
        OSError
            If that cannot be known.
        """
        try:
            return os.stat(self.path).st_mode
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return 0
        except OSError as error:
            if error.errno != errno.ELOOP:  # a loop of links leads to nothing
                raise
            return 0

    @cached_property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @cached_property
    def is_file(self) -> bool:
        """Whether it is a regular file: nothing else may be opened, a pipe waits for ever."""
        return stat.S_ISREG(self.mode)

    @cached_property
    def entries(self) -> dict[str, os.DirEntry[str]]:
        """What lies directly in a folder, by name, in the order of the names.

        Raises
        ------
        OSError
            If the folder cannot be listed.
        """
        with os.scandir(self.path) as found:
            return {e.name: e for e in sorted(found, key=_by_name)}

    @cached_property
    def head(self) -> bytes:
        """The first `HEAD` bytes of a file.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        with open(self.path, "rb", buffering=0) as file:
            return _read(file.fileno(), HEAD)

    @property
    def whole(self) -> bool:
        """Whether `head` is all of the file."""
        return len(self.head) < HEAD

    @cached_property
    def ends(self) -> tuple[bytes, bytes]:
        """Beginning and end, together at most `HEAD` bytes; the end of a short file is empty."""
        begin = self.head[:_HALF]
        if self.whole:
            return begin, self.head[_HALF:]
        with open(self.path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(_HALF, size - _HALF))
            return begin, _read(file.fileno(), _HALF)

    def begin(self, size: int) -> bytes:
        """The first bytes of a file, not more than `size`, where few want to see more."""
        if "head" in self.__dict__:
            return self.head[:size]
        if len(self._begun) == self._asked < size:
            asked = max(size, _LITTLE)
            with open(self.path, "rb", buffering=0) as file:
                self._begun, self._asked = _read(file.fileno(), asked), asked
        return self._begun[:size]


def _by_name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _read(file: int, size: int) -> bytes:
    """Bytes of an open file from its place; a single read may give less than asked for."""
    data = os.read(file, size)
    while 0 < len(data) < size and (more := os.read(file, size - len(data))):
        data += more
    return data
