"""Blocks of clean numeric rows, read by the C parser of pandas.

The parser is only given what it reads exactly as `float` would; anything else is left to the
reading row by row. Importing pandas takes longer than reading a small file.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any

import numpy as np

from trainlens.readers._csv.cells import Clean

SMALLEST = 1 << 14
"""Bytes of a block that are worth the call."""

WORTH_IMPORT = 8 << 20
"""Bytes of a file that are worth importing pandas."""

_PLAIN = b"0123456789+-.eE\nnaifNAIFty"
_NAN = ["", "nan", "NaN", "NAN", "-nan", "-NaN"]


def worth(size: int) -> bool:
    """Whether a file of `size` bytes still to be read should use pandas."""
    return size >= WORTH_IMPORT or "pandas" in sys.modules


def clean_columns(data: bytes, sep: str, width: int) -> list[Clean] | None:
    """The columns of a block of complete lines; None unless all of it is clean.

    Parameters
    ----------
    data : bytes
        Complete lines, at least one.
    sep : str
    width : int
        Number of cells that every line has to have.
    """
    if data.translate(None, _PLAIN + sep.encode()):
        return None
    empty = _empty_cells(data, ord(sep), width)
    if empty is None:
        return None
    value = _values(data, sep, width)
    if value is None or len(value) != len(empty):
        return None
    gaps = empty.any(axis=0)
    columns = np.ascontiguousarray(value.T)
    return [Clean(columns[j], empty[:, j] if gaps[j] else None) for j in range(width)]


def _empty_cells(data: bytes, sep: int, width: int) -> Any:
    """Which cells are empty, shape (rows, width); None if a line has another width."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((raw == sep) | (raw == 10))
    if len(ends) % width:
        return None
    last = ends[width - 1 :: width]
    if data.count(b"\n") != len(last) or not (raw[last] == 10).all():
        return None
    empty = (np.diff(ends, prepend=-1) == 1).reshape(-1, width)
    # A blank line is no row.
    return None if empty.all(axis=1).any() else empty


def _values(data: bytes, sep: str, width: int) -> Any:
    import pandas as pd

    exact = {} if _version(pd.__version__) >= (3, 1) else {"float_precision": "round_trip"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            frame = pd.read_csv(
                io.BytesIO(data),
                sep=sep,
                header=None,
                names=range(width),
                index_col=False,
                dtype=np.float64,
                na_values=_NAN,
                keep_default_na=False,
                skip_blank_lines=False,
                **exact,  # type: ignore[call-overload]  # one keyword that newer versions deprecate
            )
    except (ValueError, OverflowError):
        return None
    return frame.to_numpy()


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
