"""What cells are, judged by themselves: rows beyond doubt, names once more, data."""

from __future__ import annotations

from collections.abc import Sequence

from trainlens.readers._csv.cells import is_missing, is_number
from trainlens.readers._csv.layout import Layout, is_header, is_telling

_ASIDE = frozenset("#<=>|s \t,;")
_DIGITS = frozenset("0123456789")
_OF_NUMBERS = b"0123456789+-.eE"


def plain_row(line: bytes, sep: str, width: int) -> list[float] | None:
    """The numbers of a lone line with its end; None unless all of its cells are numbers.

    Parameters
    ----------
    line : bytes
    sep : str
    width : int
        Number of cells that it has to have.
    """
    if sep not in ",;\t" or line.translate(None, _OF_NUMBERS + sep.encode()) != b"\n":
        return None
    cells = line[:-1].split(sep.encode())
    if len(cells) != width:
        return None
    try:
        return list(map(float, cells))
    except ValueError:
        return None


def plain_columns(text: str, layout: Layout, sep: str) -> list[list[str]] | None:
    """The columns of lines that are rows beyond doubt; None unless all of them are."""
    if layout.width < 2 or '"' in text:
        return None
    lines = text.split("\n")
    if {line.count(sep) for line in lines} != {layout.width - 1}:
        return None
    begin = {line[0] for line in lines}
    long = layout.form == "long" and layout.names[0] not in text and begin.isdisjoint(_ASIDE)
    if not long and not begin <= _DIGITS:
        return None
    cells = text.replace("\n", sep).split(sep)
    return [cells[j :: layout.width] for j in range(layout.width)]


def names_again(layout: Layout, cells: list[str]) -> bool:
    """Whether cells are the header once more, or another one."""
    first = next((c.strip() for c in cells if c), "")
    if not first or first[0].isdigit() or first[0] in "+-.":
        return False
    if layout.form == "long" and first != layout.names[0]:
        return False
    plain = [c.strip() for c in cells]
    if tuple(plain) == layout.names[: len(plain)] and len(plain) > 1:
        return True
    if layout.form == "long" or len(cells) < 2 or not is_header(cells):
        return False
    return first in layout.names or sum(map(is_telling, plain)) * 2 > len(plain)


def is_data(layout: Layout | None, cells: Sequence[str]) -> bool:
    """Whether at least half of the cells that hold anything hold numbers."""
    filled = [c for c in cells if not is_missing(c)]
    share = 3 if layout and layout.form == "long" else 2
    return bool(filled) and share * sum(map(is_number, filled)) >= len(filled)
