"""One Event message in Python: scalars, and where texts and hyperparameters stand.

Images, audio, histograms and graphs are stepped over. Field numbers: TensorFlow's ``event.proto``
and ``summary.proto``. The compiled twin is ``event.h``.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field

from trainlens.readers._tfevents.tensor import STRING, Tensor
from trainlens.readers._tfevents.wire import BYTES, FIXED32, FIXED64, VARINT, fields

UNKNOWN, SCALAR, TEXT, OTHER = range(4)
ODD_TEXT, ODD_HPARAMS = range(2)
HPARAMS = b"_hparams_/"
SESSION_START = b"_hparams_/session_start_info"

Odd = tuple[int, int, float, int, int]
"""Kind, step, wall time, and begin and end of a Summary.Value within the buffer."""
Arrays = tuple["array[int]", "array[float]", "array[float]"]
_float32 = struct.Struct("<f").unpack_from
float64_at = struct.Struct("<d").unpack_from


@dataclass
class Sink:
    """Where the values of events go; `plugins` remembers what the first event of a tag said."""

    plugins: dict[bytes, int] = field(default_factory=dict)
    points: dict[bytes, Arrays] = field(default_factory=dict)
    odds: list[Odd] = field(default_factory=list)
    skipped: int = 0

    def add(self, tag: bytes, step: int, value: float, wall: float) -> None:
        """A point of a tag."""
        held = self.points.get(tag)
        if held is None:
            self.plugins.setdefault(tag, UNKNOWN)
            held = self.points[tag] = (array("q"), array("d"), array("d"))
        held[0].append(step)
        held[1].append(value)
        held[2].append(wall)


def parse_event(sink: Sink, data: bytearray, begin: int, end: int) -> None:
    """Take in the Event ``data[begin:end]``.

    Raises
    ------
    Malformed
        If it is no protobuf message. Values that stand before the fault are kept.
    """
    wall, step = 0.0, 0
    summaries: list[tuple[int, int]] = []
    for f in fields(data, begin, end):
        if f.number == 1 and f.wire == FIXED64:
            wall = float64_at(data, f.begin)[0]
        elif f.number == 2 and f.wire == VARINT:
            step = f.value - (f.value >> 63 << 64)
        elif f.number == 5 and f.wire == BYTES:
            summaries.append((f.begin, f.end))
        elif 3 <= f.number <= 9 and f.wire == BYTES:
            summaries.clear()  # a oneof: the last member counts, repeated summaries merge
    for at, stop in summaries:
        for f in fields(data, at, stop):
            if f.number == 1 and f.wire == BYTES:
                _value(sink, data, f.begin, f.end, step, wall)


def _value(sink: Sink, data: bytearray, begin: int, end: int, step: int, wall: float) -> None:
    tag = b""
    content: Tensor | float | None = None
    meta: Metadata | None = None
    for f in fields(data, begin, end):
        if f.number == 2 and f.wire == FIXED32:
            content = _float32(data, f.begin)[0]
        if f.wire != BYTES:
            continue
        if f.number == 1:
            tag = bytes(data[f.begin : f.end])
        elif 3 <= f.number <= 6:
            content = None
        elif f.number == 8:
            content = content if isinstance(content, Tensor) else Tensor()
            content.merge(data, f.begin, f.end)
        elif f.number == 9:
            meta = meta or Metadata()
            meta.merge(data, f.begin, f.end)
    if tag.startswith(HPARAMS):
        if tag == SESSION_START and meta:
            sink.odds.append((ODD_HPARAMS, step, wall, begin, end))
        return
    plugin = _remember(sink, tag, meta.plugin if meta else UNKNOWN)
    if isinstance(content, float):
        sink.add(tag, step, content, wall)
    elif content is not None and plugin == TEXT and content.dtype == STRING:
        sink.odds.append((ODD_TEXT, step, wall, begin, end))
    elif content is not None and plugin in (SCALAR, UNKNOWN):
        number = content.number()
        if number is None:
            sink.skipped += plugin == SCALAR
        else:
            sink.add(tag, step, number, wall)


def _remember(sink: Sink, tag: bytes, given: int) -> int:
    held = sink.plugins.get(tag, UNKNOWN)
    if held == UNKNOWN and given != UNKNOWN:
        sink.plugins[tag] = held = given
    return held


class Metadata:
    """A SummaryMetadata message: which plugin a tag belongs to."""

    def __init__(self) -> None:
        self.name = b""
        self.content = b""
        self.data_class = 0

    def merge(self, data: bytearray | bytes, begin: int, end: int) -> None:
        """Take in the message ``data[begin:end]``."""
        for f in fields(data, begin, end):
            if f.number == 4 and f.wire == VARINT:
                self.data_class = f.value
            if f.number != 1 or f.wire != BYTES:
                continue
            for g in fields(data, f.begin, f.end):
                if g.number == 1 and g.wire == BYTES:
                    self.name = bytes(data[g.begin : g.end])
                elif g.number == 2 and g.wire == BYTES:
                    self.content = bytes(data[g.begin : g.end])

    @property
    def plugin(self) -> int:
        """UNKNOWN, SCALAR, TEXT or OTHER."""
        if self.name == b"text":
            return TEXT
        if self.name == b"scalars" or self.data_class == 1:
            return SCALAR
        return OTHER if self.name or self.data_class else UNKNOWN
