"""Tables that write numbers with a decimal comma: ``0,95`` and ``1.000``, as spreadsheets do."""

from __future__ import annotations

import re

from trainlens.readers._csv.cells import Cells, Clean, cell
from trainlens.readers._csv.lines import Batch

_NUMBER = re.compile(r"\s*[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?(?:[eE][+-]?\d+)?\s*%?\s*")
_SURELY = re.compile(r"[+-]?(?:0|[1-9]\d*),\d+(?:[eE][+-]?\d+)?\s*%?")
_POINT = re.compile(r"[+-]?(?:0|[1-9]\d*)?\.(?:\d{1,2}|\d{4,})(?:[eE][+-]?\d+)?|0\.\d+")
_DOTTED = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")


def decimal_sign(batch: Batch, sep: str) -> str:
    """The decimal sign that the first row of a table shows; empty where it shows none.

    Parameters
    ----------
    batch : Batch
        The first rows.
    sep : str
        Between commas ``"1,250"`` counts thousands, elsewhere it is 1.25 unless a number beside
        it has a decimal point.
    """
    first = [_first(c) for c in batch.cells]
    thousands = [bool(_THOUSANDS.fullmatch(text)) for text in first]
    commas = [bool(_SURELY.fullmatch(text)) for text in first]
    points = any(map((_DOTTED if sep == "," else _POINT).fullmatch, first))
    if any(c and not t for c, t in zip(commas, thousands, strict=True)):
        # "0,1" beside 2.951 is a list: nothing is certain then.
        return "" if points else ","
    if points:
        return "."
    return "," if any(commas) and sep != "," else ""


def _first(cells: Cells) -> str:
    text = cell(cells, 0)
    return text.removesuffix(".0") if isinstance(cells, Clean) else text


def with_points(batch: Batch) -> Batch:
    """The rows of such a table with decimal points, and none between thousands."""
    return batch._replace(cells=[_plain(c) for c in batch.cells])


def _plain(cells: Cells) -> Cells:
    if isinstance(cells, Clean):
        return cells
    return [
        c.replace(".", "").replace(",", ".")
        if ("." in c or "," in c) and _NUMBER.fullmatch(c)
        else c
        for c in cells
    ]
