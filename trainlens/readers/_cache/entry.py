"""One cached run as a file: arrays as they are, then what they mean, then checksums.

``arrays | about (JSON) | length of about, its digest, mark``. All of it is written under another
name first; whatever is not whole or not as it was written is no entry.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from trainlens.readers._cache.join import is_unknown
from trainlens.readers._cache.sums import BLOCK, Sums

_MARK = b"trainlens cache1"
_FOOT = struct.Struct("<Q16s16s")
_PIECE = 1 << 20
_ALIGN = 64

Arrays = Sequence[NDArray[Any]]


class NoEntry(Exception):
    """There is no whole entry."""


def write(path: Path, about: Mapping[str, Any], arrays: Arrays) -> int:
    """Write an entry whole or not at all.

    Parameters
    ----------
    path : Path
    about : mapping
        What JSON can hold.
    arrays : sequence of ndarray, shape (n,)

    Returns
    -------
    int
        Its size in bytes.

    Raises
    ------
    OSError
        The folder is read-only, full or gone.
    """
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            size = _write(file, about, arrays)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    return size


def _write(file: BinaryIO, about: Mapping[str, Any], arrays: Arrays) -> int:
    body = _Body(file)
    places: dict[tuple[Any, ...], list[Any]] = {}
    rows = []
    for array in arrays:
        shown = array.__array_interface__
        key = (shown["data"][0], array.dtype.str, array.shape, array.strides)
        if key not in places:
            places[key] = _place(body, array)
        rows.append(places[key])
    digest = body.end()
    text = json.dumps({"about": about, "arrays": rows, "digest": digest}).encode()
    file.write(text)
    file.write(_FOOT.pack(len(text), _digest(text), _MARK))
    return file.tell()


def _place(body: _Body, array: NDArray[Any]) -> list[Any]:
    """Type, length and offset of an array, which is written; NaNs without memory are not."""
    if is_unknown(array):
        return ["unknown", len(array), 0]
    flat = np.ascontiguousarray(array)
    return [array.dtype.str, len(array), body.put(flat.view(np.uint8).data if len(flat) else b"")]


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


class _Body:
    """The arrays of an entry, one behind the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = bytearray()
        self._at = 0
        self._sums = Sums()

    def put(self, data: memoryview | bytes) -> int:
        """Write bytes; their offset."""
        self._held += bytes(-len(self._held) % _ALIGN)
        begin = self._at + len(self._held)
        for at in range(0, len(data), _PIECE):
            self._held += data[at : at + _PIECE]
            self._flush(len(self._held) // BLOCK * BLOCK)
        return begin

    def end(self) -> str:
        """Write the rest; the digest of all."""
        self._held += bytes(-len(self._held) % BLOCK)
        self._flush(len(self._held))
        return self._sums.digest()

    def _flush(self, size: int) -> None:
        if size:
            self._sums.add(np.frombuffer(bytes(self._held[:size]), np.uint8))
            self._file.write(self._held[:size])
            del self._held[:size]
            self._at += size


class Entry:
    """A written entry, of which nothing but the description has been looked at yet.

    Parameters
    ----------
    path : Path

    Raises
    ------
    NoEntry
        There is none, or its description is not as it was written.
    """

    def __init__(self, path: Path) -> None:
        try:
            with open(path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except (OSError, ValueError):
            raise NoEntry from None
        foot = len(self._map) - _FOOT.size
        if foot < 0:
            raise NoEntry
        length, digest, mark = _FOOT.unpack_from(self._map, foot)
        if mark != _MARK or length > foot:
            raise NoEntry
        text = self._map[foot - length : foot]
        if _digest(text) != digest:
            raise NoEntry
        whole = json.loads(text)
        self.about: dict[str, Any] = whole["about"]
        self._rows, self._digest = whole["arrays"], whole["digest"]
        self._size = foot - length

    def arrays(self) -> list[NDArray[Any]]:
        """The arrays, mapped into memory; whoever writes to one changes nothing on disk.

        Raises
        ------
        NoEntry
            They are not as they were written.
        """
        sums = Sums()
        if self._size % BLOCK:
            raise NoEntry
        if self._size:
            sums.add(np.frombuffer(self._map, np.uint8, self._size))
        if sums.digest() != self._digest:
            raise NoEntry
        made: dict[tuple[Any, ...], NDArray[Any]] = {}
        for row in self._rows:
            key = tuple(row)
            if key not in made:
                made[key] = self._array(*row)
        return [made[tuple(row)] for row in self._rows]

    def _array(self, kind: str, n: int, at: int) -> NDArray[Any]:
        if kind == "unknown":
            return np.broadcast_to(np.float64(np.nan), (n,))
        if not n:
            return np.empty(0, np.dtype(kind))
        return np.frombuffer(self._map, np.dtype(kind), n, at)
