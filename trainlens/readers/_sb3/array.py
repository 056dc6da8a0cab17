"""Numpy arrays out of the bytes of an ``.npy`` file, without trusting what its header says."""

from __future__ import annotations

import io
import tokenize
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KINDS = "iufb"
_LONGEST_HEADER = 4096
_MALFORMED = (
    ValueError, KeyError, SyntaxError, TypeError, RecursionError, MemoryError, tokenize.TokenError,
)  # fmt: skip
"""What numpy raises over a header that is none; the last one from Python 3.12 on."""
_VERSIONS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def load(data: bytes) -> tuple[NDArray[Any] | None, str]:
    """The array in an ``.npy`` file of numbers, or None and why there is none.

    Nothing is allocated: the result is a view of `data`, whose length the declared shape must
    fill exactly. Python objects are never unpickled.
    """
    file = io.BytesIO(data)
    try:
        reader = _VERSIONS[np.lib.format.read_magic(file)]
        shape, by_columns, kind = reader(file, max_header_size=_LONGEST_HEADER)
    except _MALFORMED:
        return None, "it is no numpy array"
    if kind.hasobject:
        return None, "it holds Python objects, which are never loaded"
    if kind.kind not in _KINDS or kind.subdtype is not None:
        return None, f"it holds values of type {kind}, no numbers"
    count = 1
    for length in shape:
        count *= length
        if count > len(data):
            break
    body = len(data) - file.tell()
    if min(shape, default=1) < 0 or count * kind.itemsize != body:
        return None, "its shape does not fit its size"
    if not count:
        return np.empty(0), ""
    flat = np.frombuffer(data, kind, count, file.tell())
    return flat.reshape(shape, order="F" if by_columns else "C"), ""
