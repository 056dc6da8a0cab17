"""Logs in another wrapping: gzip, zstd, xz, bzip2, and text in UTF-16.

A wrapped log is unfolded, bit by bit as it grows, into a private file outside of the run's
folder, and read there by the reader of its content. Little input can stand for endless output:
how far a file may unfold is bounded.
"""

from __future__ import annotations

import bz2
import codecs
import lzma
import os
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from trainlens.chunk import Chunk, Notice
from trainlens.errors import MissingExtra, NotFound, Unreadable
from trainlens.readers._follow import GONE
from trainlens.readers._wrapping import can_unfold, content_name
from trainlens.readers.base import HEAD, Reader

SMALL = 8 << 20
RATIO = 32
"""A file may unfold to `SMALL` bytes and `RATIO` times its size."""

_PIECE = 1 << 20
_INPUT = 1 << 16
_ZSTD_INPUT = 1 << 10
_TORN = "ends too early"


class Damaged(Exception):
    """The wrapping ends too early or does not fit its checksums."""


class _Other(Exception):
    """The content does not begin with what was unfolded of it before."""


@contextmanager
def beginning(path: Path, kind: str) -> Iterator[Path]:
    """A passing file of the first bytes within a wrapped file, as far as they can be had."""
    with tempfile.TemporaryDirectory(prefix="trainlens-") as folder:
        shown = Path(folder) / content_name(path)
        data = b""
        try:
            for piece in _unfold(kind, path):
                data += piece
                if len(data) >= HEAD:
                    break
        except Damaged:
            pass  # what came before it decides
        shown.write_bytes(data[:HEAD])
        yield shown


class Unfolded:
    """A private copy of the content of a wrapped file, which grows as the file grows.

    Parameters
    ----------
    path : Path
        The wrapped file.
    kind : str
        See `trainlens.readers._wrapping.wrapping`.

    Attributes
    ----------
    content : Path
        The copy; it is removed with this object.
    """

    def __init__(self, path: Path, kind: str) -> None:
        if not can_unfold(kind):
            raise MissingExtra(f"reading {path.name}", "zstd")
        self._path = path
        self._kind = kind
        folder = tempfile.mkdtemp(prefix="trainlens-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.content = Path(folder) / content_name(path)
        self.content.touch()
        self._seen: tuple[int, int, int] | None = None
        self._written = self._checksum = 0
        self._told: set[str] = set()

    def update(self, final: bool = False) -> list[Notice]:
        """Copy what is new; what is wrong with the wrapping is told once.

        Parameters
        ----------
        final : bool
            Nothing more will come: an unfinished end is damage.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        entry = os.stat(self._path)
        seen = (entry.st_ino, entry.st_size, entry.st_mtime_ns)
        if seen == self._seen and not final:
            return []
        self._seen = seen
        most = SMALL + RATIO * entry.st_size
        try:
            return self._copy(most, final)
        except _Other:
            # Another content under this name: its reader will find its copy replaced, too.
            self.content.write_bytes(b"")
            self._written = self._checksum = 0
        text = "the file was replaced or cut; unfolded anew from its beginning"
        return [Notice("replaced", self._path.name, text), *self._copy(most, final)]

    def _copy(self, most: int, final: bool) -> list[Notice]:
        at = checksum = 0
        try:
            with open(self.content, "ab") as copy:
                for piece in _unfold(self._kind, self._path):
                    known = piece[: max(self._written - at, 0)]
                    checksum = zlib.crc32(known, checksum)
                    at += len(piece)
                    if known and at >= self._written and checksum != self._checksum:
                        raise _Other
                    self._write(copy, piece[len(known) : max(most - at + len(piece), 0)])
                    if at > most:
                        return self._too_much(most)
            if at < self._written:
                raise _Other
        except Damaged as damage:
            if at < self._written and (final or _TORN not in str(damage)):
                raise _Other from None
            if final:
                return self._tell(_notice(self._path.name, self._kind, str(damage), at))
        return []

    def _write(self, copy: BinaryIO, new: bytes) -> None:
        copy.write(new)
        self._written += len(new)
        self._checksum = zlib.crc32(new, self._checksum)

    def _too_much(self, most: int) -> list[Notice]:
        text = f"unfolds to more than {most >> 20} MiB; unpack it to read the rest"
        return self._tell(Notice("skipped", self._path.name, text, None))

    def _tell(self, notice: Notice) -> list[Notice]:
        new = notice.kind not in self._told
        self._told.add(notice.kind)
        return [notice] if new else []


class Packed:
    """Reads a wrapped log.

    Parameters
    ----------
    path : Path
    kind : str
        See `trainlens.readers._wrapping.wrapping`.
    open_content : callable
        Makes a reader of the unfolded content.
    """

    def __init__(self, path: Path, kind: str, open_content: Callable[[Path], Reader]) -> None:
        self._unfolded = Unfolded(path, kind)
        self._reader = open_content(self._unfolded.content)
        self._path = path
        self._begun = self._gone = False

    def poll(self, final: bool = False) -> Chunk:
        """Everything new; see `Reader.poll`. Byte ranges of notices count unfolded bytes.

        Raises
        ------
        NotFound, Unreadable
            If the file cannot be opened and never was.
        """
        found = self._update(final)
        chunk = self._reader.poll(final)
        inner, outer = self._unfolded.content.name, self._path.name
        notices = [replace(n, where=n.where.replace(inner, outer, 1)) for n in chunk.notices]
        return replace(chunk, notices=(*found, *notices))

    def _update(self, final: bool) -> list[Notice]:
        try:
            found = self._unfolded.update(final)
        except FileNotFoundError:
            if not self._begun:
                raise NotFound(self._path, "does not exist", "check the path") from None
            first, self._gone = not self._gone, True
            return [Notice("unreadable", self._path.name, GONE)] if first else []
        except OSError as error:
            reason = (error.strerror or "cannot be opened").lower()
            raise Unreadable(self._path, reason, "check the permissions") from None
        self._begun = True
        return found


def _notice(name: str, kind: str, damage: str, kept: int) -> Notice:
    where = f"{name}, from unfolded byte {kept}"
    torn = _TORN in damage
    text = f"{kind}: {damage}; what came before it was kept"
    return Notice("torn-tail" if torn else "corrupt", where, text, None)


def _unfold(kind: str, path: Path) -> Iterator[bytes]:
    """The content in pieces of bounded size; `Damaged` where it goes no further."""
    with open(path, "rb") as file:
        if kind == "UTF-16":
            yield from _utf16(file)
        elif kind == "zstd":
            yield from _units(file, _Zstd, _ZSTD_INPUT)
        else:
            make: Callable[[], Any] = {
                "gzip": _Gzip,
                "xz": lzma.LZMADecompressor,
                "bzip2": bz2.BZ2Decompressor,
            }[kind]
            yield from _units(file, make, _INPUT)


def _units(file: BinaryIO, make: Callable[[], Any], size: int) -> Iterator[bytes]:
    """Compressed units one behind the other, as appending to a compressed log makes them."""
    data = file.read(size)
    while data:
        unit = make()
        while not unit.eof:
            try:
                piece = unit.decompress(data, _PIECE)
            except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:
                raise Damaged(f"damaged ({error})") from None
            if piece:
                yield piece
            data = b""
            if not unit.eof and unit.needs_input and not (data := file.read(size)):
                raise Damaged(_TORN)
        # Padding with zeros between units is allowed.
        data = unit.unused_data.lstrip(b"\0") or file.read(size).lstrip(b"\0")


class _Gzip:
    """zlib's decompressor for gzip, with the interface of those of lzma and bz2."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._full = False

    def decompress(self, data: bytes, size: int) -> bytes:
        piece = self._inner.decompress(self._inner.unconsumed_tail + data, size)
        self._full = len(piece) == size
        return piece

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        # A full piece may leave output behind although all input was taken.
        return not self._inner.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


class _Zstd:
    """One zstd frame. Its output has no bound of its own, so its input comes in small bites."""

    needs_input = True

    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor().decompressobj()
        self._error = zstandard.ZstdError

    def decompress(self, data: bytes, size: int) -> bytes:
        try:
            return self._inner.decompress(data)
        except self._error as error:
            raise ValueError(str(error)) from None

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data or b""


def _utf16(file: BinaryIO) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    while data := file.read(_PIECE):
        if text := decoder.decode(data):
            yield text.encode("utf-8", "replace")
    if decoder.getstate()[0]:
        raise Damaged(f"{_TORN}, within a character")
