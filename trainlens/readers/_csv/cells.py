"""Cells to numbers, correctly rounded whichever way they are read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats
from trainlens.readers._csv.texts import Texts

Places = NDArray[np.intp]

MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "<na>", "none", "null", "-", "--", "missing", "undefined"}
)
"""Words, in lower case, for a value that was not logged; ``nan`` is none of them."""

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_VALUE = rf"(?:{_NUMBER}|[+-]?nan|[+-]?inf)"
_UNIT = re.compile(rf"({_NUMBER})\s*(%|ms|us|s|it/s|[KMGT]i?B)")
_WRAPPED = re.compile(
    rf"(?:tensor|array|(?:np\.|numpy\.)?float\d+|tf\.Tensor)\(\[?({_VALUE})\]?(?:, ?\w+=[^()]*)*\)"
    rf"|\[({_VALUE})\]"
)
_COMMA = re.compile(r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")
_LONGEST = 400


@dataclass(frozen=True)
class Clean:
    """Cells that are known to be numbers or empty, but for a few.

    Parameters
    ----------
    value : ndarray of float64, shape (n,)
    empty : ndarray of bool, shape (n,), or None
        Where there is no number; None where all cells hold one.
    texts : mapping of int to str
        What stands in the cells that hold something else.
    """

    value: Floats
    empty: NDArray[np.bool_] | None
    texts: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.value)


Cells = Sequence[str] | Clean


class Numbers(NamedTuple):
    """What stands in n cells.

    Parameters
    ----------
    at : ndarray of intp, shape (m,)
        Which cells hold a number, ascending.
    value : ndarray of float64, shape (m,)
    odd : dict of int to str
        The cells that hold something else, and what.
    units : dict of int to str
        Units of the cells that have one.
    """

    at: Places
    value: Floats
    odd: dict[int, str]
    units: dict[int, str]


def numbers(cells: Cells, decimal_comma: bool = False) -> Numbers:
    """Numbers among n cells; empty ones are passed over.

    Parameters
    ----------
    cells : sequence of str, or Clean
    decimal_comma : bool
        Whether ``0,5`` is a number.
    """
    if isinstance(cells, Clean):
        if cells.empty is None:
            return Numbers(np.arange(len(cells)), cells.value, {}, {})
        at = np.flatnonzero(~cells.empty)
        found = Numbers(at, cells.value[at], {}, {})
        return _with_texts(found, cells.texts, decimal_comma) if cells.texts else found
    at = np.arange(len(cells))
    value = _all_numbers(cells)
    if value is None:
        filled = [i for i, cell in enumerate(cells) if cell and not cell.isspace()]
        at = np.array(filled, np.intp)
        value = _all_numbers([cells[i] for i in filled])
    if value is not None:
        return Numbers(at, value, {}, {})
    return _one_by_one(cells, at.tolist(), decimal_comma)


def take(cells: Cells, index: Places) -> Cells:
    """The cells at `index`."""
    if isinstance(cells, Clean):
        empty = None if cells.empty is None else cells.empty[index]
        texts: Mapping[int, str] = {}
        if isinstance(cells.texts, Texts):
            texts = cells.texts.take(index)
        elif cells.texts:
            texts = {i: cells.texts[k] for i, k in enumerate(index.tolist()) if k in cells.texts}
        return Clean(cells.value[index], empty, texts)
    return [cells[i] for i in index.tolist()]


def cell(cells: Cells, i: int) -> str:
    """The text of one cell."""
    if not isinstance(cells, Clean):
        return cells[i].strip()
    if cells.empty is not None and cells.empty[i]:
        return cells.texts.get(i, "").strip()
    return repr(float(cells.value[i]))


def is_missing(text: str) -> bool:
    """Whether a cell stands for nothing."""
    return text.strip().lower() in MISSING


def is_number(text: str) -> bool:
    """Whether a cell holds a number, with or without a unit."""
    return isinstance(one(text, True), tuple)


def one(text: str, decimal_comma: bool = False) -> tuple[float, str] | str:
    """Number and unit of a cell; the text itself where it holds none."""
    text = text.strip()
    if len(text) > _LONGEST or not text.isascii():
        return text
    if "_" not in text:
        try:
            return float(text), ""
        except ValueError:
            pass
    if found := _UNIT.fullmatch(text):
        return float(found.group(1)), found.group(2)
    if found := _WRAPPED.fullmatch(text):
        return float(found.group(1) or found.group(2)), ""
    if decimal_comma and _COMMA.fullmatch(text):
        return float(text.replace(",", ".")), ""
    if _THOUSANDS.fullmatch(text):
        return float(text.replace(",", "")), ""
    return text


def _all_numbers(cells: Sequence[str]) -> Floats | None:
    # float() also takes "1_000" and digits of other scripts, which no log means as numbers.
    text = "".join(cells)
    if "_" in text or not text.isascii():
        return None
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None


def _with_texts(found: Numbers, texts: Mapping[int, str], decimal_comma: bool) -> Numbers:
    """The numbers of a column, and those that need a closer look."""
    texts = texts.held if isinstance(texts, Texts) else dict(texts)
    if all(_is_odd(text, decimal_comma) for text in set(texts.values())):
        return found._replace(odd=texts)
    more = _one_by_one(texts, texts, decimal_comma)
    at = np.concatenate([found.at, more.at])
    order = np.argsort(at)
    value = np.concatenate([found.value, more.value])
    return Numbers(at[order], value[order], more.odd, more.units)


def _is_odd(text: str, decimal_comma: bool) -> bool:
    return not is_missing(text) and one(text, decimal_comma) == text


def _one_by_one(
    cells: Sequence[str] | Mapping[int, str], filled: Iterable[int], decimal_comma: bool
) -> Numbers:
    at: list[int] = []
    value: list[float] = []
    odd: dict[int, str] = {}
    units: dict[int, str] = {}
    # Texts come again and again.
    known: dict[str, tuple[float, str] | str] = {}
    for i in filled:
        text = cells[i]
        if text not in known:
            known[text] = "" if is_missing(text) else one(text, decimal_comma)
        found = known[text]
        if found == "":
            continue
        if isinstance(found, str):
            odd[i] = found
            continue
        at.append(i)
        value.append(found[0])
        if found[1]:
            units[i] = found[1]
    return Numbers(np.array(at, np.intp), np.array(value, np.float64), odd, units)


def wholes(found: Numbers) -> NDArray[np.bool_]:
    """Which of the numbers are whole and fit a step, shape (m,)."""
    with np.errstate(invalid="ignore"):
        whole: NDArray[np.bool_] = found.value == np.floor(found.value)
        whole &= np.abs(found.value) < 2.0**62
    return whole


def is_whole(text: str) -> bool:
    """Whether a cell holds a whole number."""
    found = one(text)
    return (
        isinstance(found, tuple)
        and not found[1]
        and math.isfinite(found[0])
        and (found[0].is_integer() and abs(found[0]) < 2.0**62)
    )
