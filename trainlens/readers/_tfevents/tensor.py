"""The one number in a TensorProto, as TF2 logs scalars.

Field numbers and types: TensorFlow's ``tensor.proto`` and ``types.proto``.
"""

from __future__ import annotations

import math
import struct

from trainlens.readers._tfevents.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    Malformed,
    fields,
    read_varint,
)

STRING = 7
_TYPED = {5: FIXED32, 6: FIXED64, **dict.fromkeys((7, 10, 11, 13, 16, 17), VARINT)}
# dtype: number of its typed field, bytes of an element.
_LAYOUT = {
    1: (5, 4),
    2: (6, 8),
    3: (7, 4),
    4: (7, 1),
    5: (7, 2),
    6: (7, 1),
    9: (10, 8),
    10: (11, 1),
    14: (13, 2),
    17: (7, 2),
    19: (13, 2),
    22: (16, 4),
    23: (17, 8),
}
_STRUCT = {1: "<f", 2: "<d", 3: "<i", 4: "<B", 5: "<h", 6: "<b", 9: "<q", 17: "<H", 19: "<e"}


class Tensor:
    """What is gathered from a TensorProto: dtype, whether it has one element, its first values."""

    def __init__(self) -> None:
        self.dtype = 0
        self.single = True
        self.first: dict[int, int] = {}
        self.content = b""

    def merge(self, data: bytearray | bytes, begin: int, end: int) -> None:
        """Take in the message ``data[begin:end]``; a later field replaces an earlier one."""
        for f in fields(data, begin, end):
            if f.number == 1 and f.wire == VARINT:
                self.dtype = f.value
            elif f.number == 2 and f.wire == BYTES:
                self._shape(data, f)
            elif f.number == 4 and f.wire == BYTES:
                self.content = bytes(data[f.begin : min(f.end, f.begin + 9)])
            elif f.number in _TYPED:
                self._typed(data, f, _TYPED[f.number])

    def _shape(self, data: bytearray | bytes, shape: Field) -> None:
        for f in fields(data, shape.begin, shape.end):
            if f.number == 2 and f.wire == BYTES:
                size = 0
                for g in fields(data, f.begin, f.end):
                    if g.number == 1 and g.wire == VARINT:
                        size = g.value
                self.single &= size == 1
            elif f.number == 3 and f.wire == VARINT and f.value:
                self.single = False  # of unknown rank

    def _typed(self, data: bytearray | bytes, f: Field, wire: int) -> None:
        value = f.value
        if f.wire == BYTES:  # packed
            width = {FIXED32: 4, FIXED64: 8}.get(wire, 1)
            if (f.end - f.begin) % width:
                raise Malformed
            if f.begin == f.end:
                return
            if wire == VARINT:
                value, _ = read_varint(data, f.begin, f.end)
            else:
                value = int.from_bytes(data[f.begin : f.begin + width], "little")
        elif f.wire != wire:
            return
        self.first.setdefault(f.number, value)

    def number(self) -> float | None:
        """The one number; None where there is none. An absent value is zero, as in TensorFlow."""
        if self.dtype not in _LAYOUT or not self.single:
            return None
        slot, width = _LAYOUT[self.dtype]
        if not self.content:
            return _from_raw(self.dtype, self.first.get(slot, 0), width)
        if len(self.content) != width:
            return None
        return _from_raw(self.dtype, int.from_bytes(self.content, "little"), width)


def _from_raw(dtype: int, raw: int, width: int) -> float:
    if dtype == 10:  # bool
        return float(raw != 0)
    raw &= (1 << 8 * width) - 1
    if dtype == 14:  # bfloat16: the upper half of a float32
        raw, dtype, width = raw << 16, 1, 4
    if dtype not in _STRUCT:
        return float(raw)
    value = float(struct.unpack(_STRUCT[dtype], raw.to_bytes(width, "little"))[0])
    return math.nan if value != value else value
