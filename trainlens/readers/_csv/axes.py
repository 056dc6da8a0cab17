"""Where the rows of a wide table stand: step, epoch, time and split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainlens.chunk import Floats, Ints
from trainlens.readers._csv.cells import (
    Cells,
    Clean,
    Numbers,
    Places,
    cell,
    is_missing,
    is_number,
    is_whole,
    numbers,
    wholes,
)
from trainlens.readers._csv.layout import Layout, normal
from trainlens.readers._csv.lines import Batch
from trainlens.readers._csv.texts import Texts
from trainlens.readers._values import CLOCK_KEYS, EARLIEST, known_split, unix_seconds

Flags = NDArray[np.bool_]
_Row = tuple[Sequence[Cells], int]
"""Cells by column, and which of each."""

_NOWHERE = np.empty(0, np.intp)

JUDGES = 3
"""Rows that decide which columns are axes."""


class Choice(NamedTuple):
    """The columns that are used as axes, -1 for none."""

    step: int
    epoch: int
    time: int
    split: int

    @property
    def needed(self) -> int:
        """The column without which a row has no place, -1 for none."""
        return self.step if self.step >= 0 else self.epoch


def choose(layout: Layout, batches: Sequence[Batch]) -> Choice:
    """The axes of a table, judged by its first rows: the same however the file is cut.

    Parameters
    ----------
    layout : Layout
    batches : sequence of Batch
        At least the first `JUDGES` rows, or all that there are.
    """
    rows = _first_rows(batches)
    picks = _picks(layout, rows[:1] if _plain(layout, rows[0]) else rows)
    step, epoch, fallback, split, word = picks
    if step < 0 and epoch < 0:
        step = fallback
    time = next((j for j in layout.times if is_time(layout.names[j], _at(rows[0], j))), -1)
    return Choice(step, epoch, time, split if split >= 0 else word)


def certain(layout: Layout, batches: Sequence[Batch]) -> bool:
    """Whether no further row can change what `choose` says of these.

    Parameters
    ----------
    layout : Layout
    batches : sequence of Batch
        At least one row.
    """
    rows = _first_rows(batches)
    if len(rows) == JUDGES or _plain(layout, rows[0]):
        return True
    # Two that agree outvote a third.
    return len(rows) == 2 and _picks(layout, rows[:1]) == _picks(layout, rows[1:])


def _first_rows(batches: Sequence[Batch]) -> list[_Row]:
    return [(b.cells, i) for b in batches for i in range(len(b.line))][:JUDGES]


def _at(row: _Row, j: int) -> str:
    cells, i = row
    return cell(cells[j], i) if j < len(cells) else ""


def _plain(layout: Layout, row: _Row) -> bool:
    """Whether a first row has a number under every name of an axis, and nothing else decides."""
    named = bool(layout.steps or layout.epochs) and not layout.splits
    steps = all(_is_count(_at(row, j)) for j in layout.steps[:1])
    return named and steps and all(_is_place(_at(row, j)) for j in layout.epochs[:1])


def _picks(layout: Layout, rows: Sequence[_Row]) -> tuple[int, ...]:
    """Columns for step, epoch, step where there is neither, split, and a split of another name."""

    def pick(candidates: tuple[int, ...], fits: Callable[[str], bool]) -> int:
        # One damaged cell shall not decide.
        votes = ((j, sum(fits(_at(row, j)) for row in rows)) for j in candidates)
        return next((j for j, found in votes if found * 2 > len(rows)), -1)

    return (
        pick(layout.steps, lambda text: is_missing(text) or _is_count(text) or _damaged(text)),
        pick(layout.epochs, lambda text: is_missing(text) or _is_place(text) or _damaged(text)),
        pick(layout.fallbacks, is_whole),
        pick(layout.splits, lambda text: known_split(text) is not None),
        pick(layout.splits, lambda text: bool(text) and not is_number(text)),
    )


def _is_count(text: str) -> bool:
    return is_whole(cell(counted([text]), 0))


def _is_place(text: str) -> bool:
    return is_number(cell(counted([text]), 0))


def _damaged(text: str) -> bool:
    """Whether a cell holds what nobody writes: it says nothing about its column."""
    return not (text.isascii() and text.isprintable())


def is_time(name: str, text: str) -> bool:
    """Whether a first cell under this name is a moment, and not a duration."""
    clock = normal(name).rpartition("/")[2] in CLOCK_KEYS
    return unix_seconds(text, 0.0 if clock else EARLIEST) is not None


_COUNTED = re.compile(r"(?:[A-Za-z]{2,10}[ _#:-]{0,2})?(\d{1,12})(?: ?(?:/|of) ?\d{1,12})?")


def counted(cells: Cells) -> Cells:
    """Cells of an axis with ``7/100`` and ``Epoch 7`` as 7."""
    if isinstance(cells, Clean):
        texts = {i: _count_in(text) for i, text in cells.texts.items()}
        return replace(cells, texts=texts) if texts else cells
    if all(c[:1] in "0123456789" and "/" not in c for c in cells):
        return cells
    return [_count_in(c) for c in cells]


def _count_in(text: str) -> str:
    found = _COUNTED.fullmatch(text.strip())
    return found.group(1) if found else text


class Steps(NamedTuple):
    """Steps of n rows.

    Parameters
    ----------
    step : ndarray of int64, shape (n,)
    known : ndarray of bool, shape (n,)
        Where there is one.
    odd : ndarray of intp
        Rows that hold something that is no step.
    """

    step: Ints
    known: Flags
    odd: Places


def steps_of(cells: Cells) -> Steps:
    """Whole numbers among n cells."""
    found = numbers(counted(cells))
    good = wholes(found)
    if len(good) == len(cells) and good.all() and not found.units:
        return Steps(found.value.astype(np.int64), good, _NOWHERE)
    step, known = np.zeros(len(cells), np.int64), np.zeros(len(cells), bool)
    step[found.at[good]] = found.value[good].astype(np.int64)
    known[found.at[good]] = True
    odd = [*found.odd, *found.units, *found.at[~good].tolist()]
    return Steps(step, known, np.array(sorted(set(odd)), np.intp))


def spread(found: Numbers, n: int) -> Floats:
    """Numbers at their places among n, NaN elsewhere."""
    value = np.full(n, np.nan)
    value[found.at] = found.value
    return value


def times_of(cells: Cells, clock: bool) -> Floats:
    """Unix seconds of n cells, NaN where there are none."""
    texts = cells.texts if isinstance(cells, Clean) else None
    known = texts if isinstance(texts, Texts) else None
    others = known.others() if known else {}
    if others or not known:
        dates = _moments(cells)
        if dates is not None:
            return dates
    if known and isinstance(cells, Clean):
        cells = replace(cells, texts=others)
    earliest = 0.0 if clock else EARLIEST
    found = numbers(cells)
    value = spread(found, len(cells))
    with np.errstate(invalid="ignore"):
        value[~((value >= earliest) & (value < 1e20))] = np.nan
        for _ in range(3):
            value = np.where(value > 1e11, value / 1e3, value)
    for i, text in found.odd.items():
        moment = unix_seconds(text)
        value[i] = np.nan if moment is None else moment
    if known:
        dated = ~np.isnan(known.moment)
        value[known.at[dated]] = known.moment[dated]
    return value


_DATES = re.compile(r"(?:(?!0000)\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.(?:\d{3}|\d{6}))?\n)+")


def _moments(cells: Cells) -> Floats | None:
    """Unix seconds of n cells that all are plain dates or empty; None where they are not."""
    if isinstance(cells, Clean):
        at, texts = list(cells.texts), list(cells.texts.values())
        if not texts or cells.empty is None or not cells.empty.all():
            return None
    else:
        at = [i for i, c in enumerate(cells) if c]
        texts = [cells[i] for i in at]
    if not _DATES.fullmatch("\n".join(texts) + "\n"):
        return None
    try:
        stamps = np.array(texts, "datetime64[us]")
    except ValueError:
        return None  # no dates of the calendar
    value = np.full(len(cells), np.nan)
    value[at] = stamps.astype(np.int64) / 1e6
    return value


def splits_of(cells: Cells, name: str) -> list[str | None]:
    """The split that each of n cells names."""
    if isinstance(cells, Clean):
        return [None] * len(cells)
    known: dict[str, str | None] = {}
    for text in set(cells):
        free = text.strip() if normal(name) == "split" and 0 < len(text) <= 64 else None
        known[text] = known_split(text) or free or None
    return [known[text] for text in cells]
