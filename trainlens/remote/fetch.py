"""Bytes of objects: their first ones, all of them in pieces, and what was added to them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainlens.remote.calls import Calls
from trainlens.remote.listing import Object

HEAD = 65536
"""First bytes that are fetched of every file: what readers may look at to judge it."""

END = 32768
"""Last bytes that are fetched of a text, by which the reader of text logs judges as well."""

SMALL = HEAD + END
"""A file of this size is fetched whole at once."""

PIECE = 4 << 20
MARK = 1024
"""Bytes at the beginning and at the end by which a grown file is known again."""

STREAM_PATIENCE = 3600.0


class Short(OSError):
    """There were fewer bytes than the object is said to have: a lost connection, or a change."""


@dataclass
class Job:
    """An object to be fetched whole.

    Parameters
    ----------
    found : Object
    part : Path
        Where its bytes are gathered, in order; what is there already is not fetched again.
    error : exception or None
        Why it could not be fetched.
    """

    found: Object
    part: Path
    error: Exception | None = field(default=None)

    @property
    def begun(self) -> int:
        """Bytes that are there."""
        try:
            return os.stat(self.part).st_size
        except FileNotFoundError:
            return 0


class Fetch:
    """Reads from a filesystem, never writes to it.

    Parameters
    ----------
    fs : fsspec filesystem
    calls : Calls

    Attributes
    ----------
    received : int
        Bytes that came over the line.
    """

    def __init__(self, fs: Any, calls: Calls) -> None:
        self._fs = fs
        self._calls = calls
        self.received = 0

    def heads(self, found: Sequence[Object]) -> Iterator[tuple[Object, tuple[bytes, bytes]
                                                               | Exception]]:  # fmt: skip
        """First and last bytes of objects, in order; the last ones empty where not needed."""
        for item, result in self._calls.each(self._head, found):
            if not isinstance(result, Exception):
                self.received += len(result[0]) + len(result[1])
            yield item, result

    def _head(self, found: Object) -> tuple[bytes, bytes]:
        size = found.size
        if size is None:
            return self._start(found, SMALL + 1), b""
        if size <= SMALL:
            return self.part(found, 0, size), b""
        start = self.part(found, 0, HEAD)
        is_text = b"\0" not in start and found.ranged
        return start, self.part(found, size - END, size) if is_text else b""

    def added(
        self, found: Sequence[tuple[Object, int]]
    ) -> Iterator[tuple[tuple[Object, int], tuple[bytes, bytes] | Exception]]:
        """The marks by which grown objects are known again: `MARK` bytes each.

        Parameters
        ----------
        found : sequence of (Object, int)
            With the size that is held already.

        Yields
        ------
        item, (first bytes, last of the bytes held)
        """
        for item, result in self._calls.each(self._marks, found):
            if not isinstance(result, Exception):
                self.received += len(result[0]) + len(result[1])
            yield item, result

    def _marks(self, item: tuple[Object, int]) -> tuple[bytes, bytes]:
        found, held = item
        first = self.part(found, 0, min(MARK, held))
        return first, self.part(found, max(0, held - MARK), held)

    def whole(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Fetch objects into their parts; each job comes out when it is done or has failed."""
        for job in jobs:
            if job.found.size is not None and job.begun > job.found.size:
                job.part.unlink()
        for job, data in self._pieces([j for j in jobs if j.found.ranged]):
            if isinstance(data, Exception):
                job.error = job.error or data
            elif job.error is None:
                self.received += len(data)
                with open(job.part, "ab") as file:
                    file.write(data)
        streams = [j for j in jobs if not j.found.ranged]
        for job, size in self._calls.each(self._stream, streams, timeout=STREAM_PATIENCE):
            job.error = size if isinstance(size, Exception) else None
            self.received += 0 if isinstance(size, Exception) else size
        yield from jobs

    def _pieces(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, bytes | Exception]]:
        def pieces() -> Iterator[tuple[Job, int, int]]:
            for job in jobs:
                size = job.found.size or 0
                for start in range(job.begun, size, PIECE):
                    if job.error is None:  # nothing is asked behind a gap
                        yield job, start, min(start + PIECE, size)

        def read(item: tuple[Job, int, int]) -> bytes:
            return self.part(item[0].found, item[1], item[2])

        for (job, _, _), data in self._calls.each(read, pieces()):
            yield job, data

    def part(self, found: Object, start: int, end: int) -> bytes:
        """Some bytes of an object.

        Raises
        ------
        Short
            There are fewer.
        """
        if start >= end:
            return b""
        if not found.ranged:
            data = self._start(found, end)[start:]
        else:
            data = bytes(self._fs.cat_file(found.path, start=start, end=end))
        if len(data) > end - start:  # a server that does not know ranges sends all there is
            data = data[start:end]
        if len(data) < end - start:
            raise Short(f"{len(data)} bytes came where {end - start} were asked for")
        return data

    def _start(self, found: Object, size: int) -> bytes:
        with self._fs.open(found.path, "rb", **_streaming(self._fs)) as file:
            parts = []
            while size > 0 and (data := file.read(size)):
                parts.append(data)
                size -= len(data)
        return b"".join(parts)

    def _stream(self, job: Job) -> int:
        """An object of which no ranges can be had, from its beginning to its end."""
        size = 0
        with (
            self._fs.open(job.found.path, "rb", **_streaming(self._fs)) as file,
            open(job.part, "wb") as part,
        ):
            while data := file.read(PIECE):
                size += part.write(data)
        if job.found.size is not None and size < job.found.size:
            raise Short(f"{size} bytes came where {job.found.size} were announced")
        return size

    def now(self, found: Object) -> Any:
        """What the filesystem says of an object at this moment."""
        self._fs.invalidate_cache()
        return self._calls.once(self._fs.info, found.path)


def _streaming(fs: Any) -> dict[str, Any]:
    """Options of `open` to read once from the beginning to the end."""
    return {"block_size": 0} if "https" in fs.protocol else {}
