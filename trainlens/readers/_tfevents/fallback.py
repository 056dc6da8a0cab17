"""The decoder of event files in Python and numpy: for machines without the compiled one.

``native.c`` is its twin; both give the same answers to the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainlens.readers._tfevents.crc32c import SEGMENT, Checksums, Offsets
from trainlens.readers._tfevents.event import Odd, Sink, parse_event
from trainlens.readers._tfevents.wire import Malformed

RECORD_CAP = 64 << 20
HEADER, FRAME = 12, 16
_length = struct.Struct("<Q").unpack_from
_float32 = struct.Struct("<f").unpack_from
_float64 = struct.Struct("<d").unpack_from

Range = tuple[int, int]
Buffer = bytearray | memoryview
Points = tuple[bytes, Buffer, Buffer, Buffer]
Fed = tuple[int, int, list[Range], list[Range], list[Odd]]


class Window:
    """Bytes at hand, and what their frames are worth.

    Parameters
    ----------
    data : bytearray
    size : int
        Only ``data[:size]`` counts.
    final : bool
        Nothing follows: a frame that is not complete is broken.
    """

    def __init__(self, data: bytearray, size: int, final: bool) -> None:
        self.data, self.size, self.final = data, size, final
        self.bytes: NDArray[np.uint8] = np.frombuffer(data, np.uint8, size)
        self._checksums = Checksums(self.bytes)

    def _stored(self, at: Offsets) -> NDArray[np.uint32]:
        parts = [self.bytes[at + i].astype(np.uint32) << np.uint32(8 * i) for i in range(4)]
        stored: NDArray[np.uint32] = parts[0] | parts[1] | parts[2] | parts[3]
        return stored

    def headers_hold(self, at: Offsets) -> NDArray[np.bool_]:
        """Whether the checksum of the length holds at offsets with a whole header."""
        holds: NDArray[np.bool_] = self._checksums.masked(at, at + 8) == self._stored(at + 8)
        return holds

    def data_holds(self, at: Offsets, length: Offsets) -> NDArray[np.bool_]:
        """Whether the checksum of the data holds for frames that are wholly at hand."""
        end = at + HEADER + length
        holds: NDArray[np.bool_] = self._checksums.masked(at + HEADER, end) == self._stored(end)
        return holds

    def chain(self, at: int, most: int) -> tuple[Offsets, Offsets]:
        """Offsets and lengths of up to `most` frames from `at` on, unchecked."""
        begin: list[int] = []
        lengths: list[int] = []
        while len(begin) < most and self.size - at >= HEADER:
            (length,) = _length(self.data, at)
            if length > RECORD_CAP or length + FRAME > self.size - at:
                break
            begin.append(at)
            lengths.append(length)
            at += length + FRAME
        return np.array(begin, np.int64), np.array(lengths, np.int64)

    def candidates(self) -> Iterator[tuple[int, int, bool]]:
        """Offset and length of every frame that is intact, or may become so with more bytes (True).

        Frames within frames are among them.
        """
        last = max(0, self.size - HEADER + 1)
        for first in range(0, last, SEGMENT):
            at, length = self._plausible(first, min(first + SEGMENT, last))
            waits = length + FRAME > self.size - at
            whole = np.flatnonzero(~waits)
            good = waits & (not self.final)
            good[whole] = self.data_holds(at[whole], length[whole])
            found = at[good].tolist(), length[good].tolist(), waits[good].tolist()
            yield from zip(*found, strict=True)

    def _plausible(self, first: int, last: int) -> tuple[Offsets, Offsets]:
        b = self.bytes
        high = b[first + 4 : last + 4] | b[first + 5 : last + 5]
        high = high | b[first + 6 : last + 6] | b[first + 7 : last + 7]
        at = np.flatnonzero((high == 0) & (b[first + 3 : last + 3] <= RECORD_CAP >> 24)) + first
        length = self._stored(at).astype(np.int64)
        at, length = at[length <= RECORD_CAP], length[length <= RECORD_CAP]
        holds = self.headers_hold(at)
        return at[holds], length[holds]


class Decoder:
    """What an event file holds, fed in pieces of any size.

    Attributes
    ----------
    position : int
        File offset of the next byte that `feed` expects.
    records : int
        Intact records so far.
    skipped : int
        Tensors so far that the scalar plugin claims but that hold no single number.
    """

    def __init__(self) -> None:
        self.position = 0
        self.records = 0
        self._bad: int | None = None
        self._sink = Sink()

    @property
    def skipped(self) -> int:
        """See the class."""
        return self._sink.skipped

    def feed(self, data: bytearray, size: int, final: bool) -> Fed:
        """Decode ``data[:size]``, the bytes of the file from `position` on.

        Parameters
        ----------
        data : bytearray
        size : int
        final : bool
            Nothing will follow these bytes; a record that is not complete is damage.

        Returns
        -------
        used : int
            Bytes that are done with: `position` has moved by as many.
        need : int
            Bytes from the new position on without which the next call gets nowhere; 0 = any.
        damage : list of (begin, end)
            File offsets of stretches that hold no intact record.
        malformed : list of (begin, end)
            File offsets of records whose checksums hold but which are no events.
        odds : list of (kind, step, wall_time, begin, end)
            Texts (kind 0) and hyperparameters (1): Summary.Value messages within `data`.
        """
        window = Window(data, size, final)
        self._damage: list[Range] = []
        self._malformed: list[Range] = []
        self._sink.odds = []
        at, need = self._walk(window)
        self.position += at
        if final and self._bad is not None:
            self._close(self.position)
        return at, need, self._damage, self._malformed, self._sink.odds

    def _walk(self, window: Window) -> tuple[int, int]:
        at, batch = 0, 16
        while at < window.size and self._bad is None:
            begin, length = window.chain(at, batch)
            good = self._intact(window, begin, length)
            if good:
                self._take_in(window, begin[:good].tolist(), length[:good].tolist())
                at = int(begin[good - 1] + length[good - 1]) + FRAME
            if good < batch and at < window.size:
                need = 0 if good < len(begin) else self._need(window, at)
                return (at, need) if need else self._search(window, at)
            batch = min(batch * 2, 8192)
        return self._search(window, at) if at < window.size else (at, 0)

    def _search(self, window: Window, at: int) -> tuple[int, int]:
        """The rest of a window with damage: try every offset behind `at`."""
        for found, length, unfinished in window.candidates():
            if found < at:
                continue
            if found > at and self._bad is None:
                self._bad = self.position + at
            if unfinished:
                return found, length + FRAME
            if self._bad is not None:
                self._close(self.position + found)
            self._take_in(window, [found], [length])
            at = found + length + FRAME
        if window.final or window.size - at >= HEADER:
            if at < window.size and self._bad is None:
                self._bad = self.position + at
            at = window.size if window.final else window.size - HEADER + 1
        return at, HEADER if at < window.size else 0

    def _intact(self, window: Window, begin: Offsets, length: Offsets) -> int:
        if not len(begin):
            return 0
        holds = window.headers_hold(begin)
        # Behind a wrong length the chain is fiction: do not look at its data.
        trusted = len(holds) if holds.all() else int(holds.argmin())
        holds = window.data_holds(begin[:trusted], length[:trusted])
        return trusted if holds.all() else int(holds.argmin())

    def _need(self, window: Window, at: int) -> int:
        """Bytes that the frame at `at` waits for, 0 where it is broken."""
        if window.final:
            return 0
        if window.size - at < HEADER:
            return HEADER
        (length,) = _length(window.data, at)
        holds = length <= RECORD_CAP and window.headers_hold(np.array([at], np.int64))[0]
        return length + FRAME if holds else 0

    def _close(self, end: int) -> None:
        assert self._bad is not None
        self._damage.append((self._bad, end))
        self._bad = None

    def _take_in(self, window: Window, begin: list[int], length: list[int]) -> None:
        data, sink = window.data, self._sink
        for at, size in zip(begin, length, strict=True):
            if not _plain_scalar(sink, data, at + HEADER, at + HEADER + size):
                try:
                    parse_event(sink, data, at + HEADER, at + HEADER + size)
                except Malformed:
                    place = self.position + at
                    self._malformed.append((place, place + size + FRAME))
        self.records += len(begin)

    def take(self) -> list[Points]:
        """The points since the last call, by tag, in file order.

        Returns
        -------
        list of (tag, step, value, wall_time)
            The tag as bytes, then buffers of native int64, float64 and float64.
        """
        held, self._sink.points = self._sink.points, {}
        return [
            (tag, *(bytearray(a.tobytes()) for a in held[tag]))  # type: ignore[misc]
            for tag in self._sink.plugins
            if tag in held
        ]

    def expect(self, end: int) -> None:
        """Say how long the file is at present: the compiled decoder makes room accordingly.

        Parameters
        ----------
        end : int
            A hint: the file may turn out to be shorter or longer.
        """

    def rewind(self, most: int) -> None:
        """Go back to where open damage began, if that is at most `most` bytes ago."""
        if self._bad is not None and self.position - self._bad <= most:
            self.position = self._bad
            self._bad = None


def _plain_scalar(sink: Sink, data: bytearray, at: int, end: int) -> bool:
    """Take in the commonest event at once: one value, a tag and a float, all lengths < 128."""
    if end - at < 24 or data[at] != 0x09:
        return False
    wall = _float64(data, at + 1)[0]
    at += 9
    step = 0
    if data[at] == 0x10:
        at += 1
        for shift in (0, 7, 14, 21, 28):
            byte = data[at]
            at += 1
            step |= (byte & 127) << shift
            if byte < 128:
                break
        else:
            return False
    if not 11 <= end - at < 130 or data[at] != 0x2A or data[at + 1] != end - at - 2:
        return False
    size = data[at + 5]
    begin = at + 6
    if data[at + 2] != 0x0A or data[at + 3] != end - at - 4 or data[at + 4] != 0x0A:
        return False
    if size != end - begin - 5 or data[end - 5] != 0x15:
        return False
    tag = bytes(data[begin : begin + size])
    if tag.startswith(b"_hparams_/"):
        return False
    sink.add(tag, step, _float32(data, end - 4)[0], wall)
    return True
